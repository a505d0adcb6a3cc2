"""The lock that allows one writer per home: who holds it, since when, and how others wait."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from orchestration.common.errors import InputError
from orchestration.common.home import claim
from orchestration.common.settings import Home

WAIT_SECONDS = 600.0


@contextmanager
def writer(home: Home, run_id: str, wait_seconds: float = WAIT_SECONDS) -> Iterator[str]:
    """Lock a home for a run; the operating system releases the lock if the process dies.

    Files that are created while the lock is held, backups included, are readable by their owner
    only.

    Yields:
        The ID of the previous run if it died holding the lock, else an empty string.

    Raises:
        InputError: the folder isn't a home, or another run still holds it after `wait_seconds`.
    """
    claim(home)
    note = home.lock.with_suffix(".json")
    before = os.umask(0o077)
    try:
        with FileLock(home.lock, timeout=wait_seconds):
            died = _entry(note).get("run_id", "")
            written = note.with_suffix(".tmp")
            written.write_text(
                json.dumps(
                    {
                        "run_id": run_id,
                        "pid": os.getpid(),
                        "since": f"{datetime.now():%Y-%m-%d %H:%M:%S}",
                    }
                )
            )
            written.replace(note)  # atomic: a killed process leaves no partial note
            yield died
            note.unlink()  # kept after an error: the next run then ends this one in Dagster
    except Timeout as error:
        raise InputError(
            code="home_busy",
            found=f"另一次运行正占用数据目录（{holder(home)}），等了 {wait_seconds:.0f} 秒",
            expected="同一数据目录同时只有一次运行",
            action="等那次运行结束后重新运行",
        ) from error
    finally:
        os.umask(before)


def holder(home: Home) -> str:
    """The run that holds the home (run, process, since when) as text; empty if none does."""
    entry = _entry(home.lock.with_suffix(".json"))
    if not entry:
        return ""
    try:
        with FileLock(home.lock, timeout=0):
            return ""  # that run died holding the lock
    except Timeout:
        return f"运行 {entry['run_id'][:8]}，进程 {entry['pid']}，自 {entry['since']}"


def _entry(note: Path) -> dict[str, str]:
    """The holder's note; empty if it is missing or a power cut left it unreadable."""
    try:
        return dict(json.loads(note.read_text()))
    except (FileNotFoundError, ValueError):
        return {}
