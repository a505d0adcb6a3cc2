"""docs/security.md names the test that holds each of its claims: the tests are there."""

import ast
import re

from conftest import PROJECT

DOCUMENT = PROJECT / "docs" / "security.md"


def functions_of(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_test_that_the_document_names_exists():
    named = re.findall(r"`([\w/.]+\.py)::(\w+)`", DOCUMENT.read_text(encoding="utf-8"))
    assert len(named) > 30
    for file, name in named:
        path = PROJECT / "tests" / file
        assert path.is_file(), file
        assert name in functions_of(path), f"{file}::{name}"


def test_every_line_of_a_table_names_one():
    rows = [
        line
        for line in DOCUMENT.read_text(encoding="utf-8").splitlines()
        if line.startswith("| ") and not line.startswith(("| what", "| who"))
    ]
    claims = [row for row in rows if row.count("|") == 4]
    assert len(claims) > 20
    for row in claims:
        assert "::" in row, row
