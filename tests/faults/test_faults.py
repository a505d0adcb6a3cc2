"""Runs that something befalls, run again: the short form of `make test-faults`."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

FAULTS = Path(__file__).with_name("faults.py")
# A correction is killed between its version's appearance and the readers' copies; and one meets a
# quota while it makes those.
SHORT = ("改名之前被杀 published/parquet", "文件超过配额 3145728")


def test_a_run_that_something_befalls_leaves_nothing_half_done():
    done = subprocess.run(
        [sys.executable, FAULTS, "--random", "0", "--only", *SHORT],
        capture_output=True,
        text=True,
        timeout=500,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| 改名之前被杀 | 1 | 1 | 1 | 1 | 0 | 0 | 0 |" in done.stdout
    assert "| 文件超过配额 | 1 | 1 | 1 | 1 | 0 | 0 | 0 |" in done.stdout
