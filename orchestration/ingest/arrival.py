"""Which files of a folder are exports, and whether they have arrived whole."""

import time
from pathlib import Path

from orchestration.errors import InputError
from orchestration.ingest.readers import is_export

STILL_SECONDS = 2.0
"""A file that wasn't written to for so long has arrived."""
PATIENCE_SECONDS = 120.0
"""How long a run waits for files that are still being written."""


def exports_in(folder: Path) -> list[Path]:
    """The exports of a quarter's folder by name."""
    return [path for path in sorted(folder.iterdir()) if is_export(path)]


def fingerprint(folder: Path) -> str:
    """Name, size and time of each export of a folder, as text to compare; empty without any."""
    marks = [(path.name, path.stat()) for path in exports_in(folder)]
    return "|".join(f"{name}:{status.st_size}:{status.st_mtime_ns}" for name, status in marks)


def wait_until_still(folder: Path) -> None:
    """Return once no export of a folder is being written, at once if none was just now.

    Raises:
        InputError: a file is still being written after `PATIENCE_SECONDS`.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while folder.is_dir() and (moving := _just_written(folder)):
        if time.monotonic() > deadline:
            raise InputError(
                code="still_being_written",
                file=f"{folder.name}/{moving.name}",
                found=f"等了 {PATIENCE_SECONDS:.0f} 秒，文件还在写入",
                expected="已写完的文件",
                action="等文件写完后重新运行",
            )
        time.sleep(STILL_SECONDS / 10)


def _just_written(folder: Path) -> Path | None:
    for path in exports_in(folder):
        written_at = path.stat().st_mtime
        # A clock that is ahead, as another machine's may be, doesn't hold a run up.
        if 0 <= time.time() - written_at < STILL_SECONDS:
            return path
    return None
