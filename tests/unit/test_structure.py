"""The shape of the package: imports run one way, and nothing grows beyond a few screens."""

import ast
import re

import pytest
from conftest import PROJECT

PACKAGE = PROJECT / "orchestration"
# As docs/architecture.md lists them: each imports only from those before it, and from itself.
LAYERS = (
    *("common", "catalogue", "reading", "ingest", "lint", "warehouse", "checks", "publish"),
    *("operations", "sample", "defs", "definitions", "cli"),
)
# Packages in `publish` that its other modules don't import.
PUBLISHED = ("tables", "bulletin", "pages", "audit")
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")


def imported(path):
    """What a module imports of this project, also inside functions: parts of dotted names."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            package, *rest = name.split(".")
            if package == PACKAGE.name and rest[0] != "__version__":
                yield rest


def runs_back_up(layer, parts, inner=""):
    """Whether an import leads to a later layer, or from `publish` into what it makes."""
    if parts[0] == layer == "publish":
        return inner not in PUBLISHED and parts[1] in PUBLISHED
    return LAYERS.index(parts[0]) > LAYERS.index(layer)


def test_the_layers_are_the_packages_in_the_order_of_the_document():
    packages = {path.name for path in PACKAGE.iterdir() if path.suffix in ("", ".py")}
    assert packages - {"__pycache__", "__init__.py", "definitions.py"} | {"definitions"} == set(
        LAYERS
    )
    document = (PROJECT / "docs/architecture.md").read_text("utf-8")
    listed = re.findall(r"^\| `orchestration/(\w+)/` \|", document, re.MULTILINE)
    assert listed == [layer for layer in LAYERS if layer != "definitions"]


def test_imports_run_one_way():
    found = []
    for path in MODULES:
        layer, *rest = path.relative_to(PACKAGE).with_suffix("").parts
        inner = rest[0] if rest else ""
        found += [
            f"{path.relative_to(PROJECT)} imports {'.'.join(parts)}"
            for parts in imported(path)
            if runs_back_up(layer, parts, inner)
        ]
    assert found == []


@pytest.mark.parametrize(
    ("layer", "parts", "inner", "expected"),
    [
        ("common", ["ingest", "lake"], "", True),
        ("cli", ["defs", "dbt"], "", False),
        ("publish", ["publish", "audit", "trace"], "gate", True),
        ("publish", ["publish", "gate"], "audit", False),
    ],
)
def test_an_import_that_runs_back_up_is_found(layer, parts, inner, expected):
    assert runs_back_up(layer, parts, inner) is expected


def test_modules_and_functions_stay_readable():
    """400 lines a module, 60 a function."""
    long = [path.name for path in MODULES if len(path.read_text("utf-8").splitlines()) > 400]
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= 60:
                long.append(f"{path.name}: {node.name}")
    assert long == []
