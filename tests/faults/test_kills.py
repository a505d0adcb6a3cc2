"""A run that is killed and run again: the short form of `make test-faults`."""

import subprocess
import sys
from pathlib import Path

KILLS = Path(__file__).with_name("kills.py")


def test_a_killed_run_leaves_nothing_half_done():
    arguments = ("--random", "1", "--steps", "published__marts")
    done = subprocess.run(
        [sys.executable, KILLS, *arguments], capture_output=True, text=True, timeout=500
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| 步骤开始时 | 1 | 1 | 1 | 0 | 0 | 0 |" in done.stdout
    assert "| 随机时刻 | 1 | " in done.stdout
