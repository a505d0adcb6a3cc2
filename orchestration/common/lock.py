"""One writer a home: who holds it, since when, and how a second one waits."""

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
    """Hold a home for a run; the operating system lets go of it if the process dies.

    Whatever is written meanwhile, a backup too, is for the one who writes it and nobody else.

    Yields:
        The run that held the home before and died with it in hand, or nothing.

    Raises:
        InputError: it is no home, or another run still holds it after `wait_seconds`.
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
            written.replace(note)  # whole or not at all: a kill leaves nothing that can't be read
            yield died
            note.unlink()  # not after an error: the next run ends this one in Dagster's storage
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
    """Who holds the home, for people: run, process, since when; empty if nobody does."""
    entry = _entry(home.lock.with_suffix(".json"))
    if not entry:
        return ""
    try:
        with FileLock(home.lock, timeout=0):
            return ""  # it died with the home in hand
    except Timeout:
        return f"运行 {entry['run_id'][:8]}，进程 {entry['pid']}，自 {entry['since']}"


def _entry(note: Path) -> dict[str, str]:
    """What the holder wrote down; nothing where a power cut left no text that can be read."""
    try:
        return dict(json.loads(note.read_text()))
    except (FileNotFoundError, ValueError):
        return {}
