"""A run that is cut off: the process beside it says so, and what it had begun is no obstacle."""

import subprocess
import sys

import pytest

from orchestration.common.settings import Home
from orchestration.operations.rebuild import prepare
from orchestration.warehouse.connection import is_built

# A run's process: it starts the one beside it, and then ends.
ENDING = "from orchestration.checks import validator; validator.started(); import os, signal; "


@pytest.mark.parametrize(
    ("end", "is_told"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", True),
        ("os.abort()", True),
        ("raise SystemExit(2)", False),
        ("", False),
    ],
)
def test_only_an_end_that_couldnt_be_told_is_told_by_the_process_beside(end, is_told):
    done = subprocess.run(
        [sys.executable, "-c", ENDING + end], capture_output=True, text=True, timeout=60
    )
    assert ("✗ [interrupted]" in done.stderr) is is_told
    assert "Traceback" not in done.stderr


def test_a_warehouse_that_was_just_begun_is_made_anew(tmp_path):
    home = Home(tmp_path)
    home.warehouse.write_bytes(bytes(1024))
    prepare(home, {})
    assert is_built(home, "raw.built_by")
