"""What a run is made of is pinned, known and licensed; nothing of it is run through a shell."""

import json
import re
import subprocess
import sys

import pytest
from conftest import PROJECT
from packaging.utils import canonicalize_name
from sbom import LOCK, locked

LOCKS = [*PROJECT.glob("*.lock"), *PROJECT.glob("tests/bi/*.lock")]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_dependency_is_pinned_by_hash_from_no_fixed_place(lock):
    text = lock.read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", text.strip())
    assert len(entries) > 10
    for entry in entries:
        assert re.match(r"[A-Za-z0-9._-]+(\[[\w,-]+\])?==\S+", entry), entry[:80]
        assert "--hash=sha256:" in entry, entry[:80]
    assert "://" not in text and "index-url" not in text


def test_the_bill_of_materials_lists_every_locked_package(tmp_path):
    path = tmp_path / "sbom.json"
    subprocess.run([sys.executable, PROJECT / "tests" / "sbom.py", path], check=True)
    bill = json.loads(path.read_text(encoding="utf-8"))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    listed = {canonicalize_name(part["name"]): part for part in bill["components"]}
    names = set(
        re.findall(r"^([A-Za-z0-9._-]+)==[^;\n]*\\$", LOCK.read_text("utf-8"), re.MULTILINE)
    )
    assert {canonicalize_name(name) for name in names} <= listed.keys(), "all without a condition"
    for name, version, hashes in locked():
        part = listed[canonicalize_name(name)]
        assert part["version"] == version
        assert part["licenses"], name
        assert {entry["content"] for entry in part["hashes"]} == set(hashes)


def test_the_code_has_no_shell_no_eval_and_loads_nothing_that_runs():
    """Even where a line says that a rule doesn't apply; but one module has a process of its own."""
    own_process = "orchestration/checks/validator.py:S301"
    rules = "S102,S301,S302,S307,S506,S602,S604,S605,S609,S701,S202"
    options = ("--isolated", "--ignore-noqa", "--select", rules, "--per-file-ignores", own_process)
    ran = subprocess.run(
        [sys.executable, "-m", "ruff", "check", *options, "orchestration"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout


def test_make_lint_refuses_a_shell_and_eval():
    """By the project's own settings: what a new line of code would be told."""
    ran = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--stdin-filename", "orchestration/new.py", "-"],
        input="import subprocess\n\nsubprocess.run(eval('1'), shell=True)\n",
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 1
    assert {"S307", "S602"} <= set(re.findall(r"\bS\d{3}\b", ran.stdout)), ran.stdout


# Plays a Python of another version: runs the guard's code, and goes no further.
ANOTHER_PYTHON = """#!{python}
import sys
if sys.argv[1] != "-c":
    sys.exit("past the guard")
sys.version_info = {version} + (0, "final", 0)
exec(sys.argv[2])
"""


@pytest.mark.parametrize(
    ("version", "is_fit"),
    [
        *(((3, minor), False) for minor in (9, 10, 14, 15)),
        *(((3, minor), True) for minor in (11, 12, 13)),
        ((4, 0), False),
    ],
    ids=str,
)
def test_make_installs_nothing_into_a_python_that_does_not_fit(version, is_fit, tmp_path):
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        (tmp_path / name).write_bytes((PROJECT / name).read_bytes())
    python = tmp_path / "python"
    python.write_text(ANOTHER_PYTHON.format(python=sys.executable, version=version))
    python.chmod(0o755)
    command = ["make", "-C", tmp_path, f"PYTHON={python}", ".venv/.runtime"]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 2
    assert ("past the guard" in ran.stderr) == is_fit
    if not is_fit:
        assert "需要 Python 3.11 至 3.13" in ran.stderr
        assert len(ran.stderr) < 400
