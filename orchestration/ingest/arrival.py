"""Finding the exports in a quarter's folder, and waiting until they are completely written.

What is inside a file doesn't belong here (see `reading`).
"""

import os
import time
from contextlib import suppress
from pathlib import Path

from orchestration.common.data_notice import NOTICE, NOTICE_ENGLISH
from orchestration.common.errors import InputError
from orchestration.common.quarters import Quarter
from orchestration.reading.exports import is_export

# A file that hasn't changed for this long has arrived.
STILL_SECONDS = 2.0
NO_EXPORTS = (NOTICE, NOTICE_ENGLISH, "thumbs.db", "desktop.ini")
# How long a run waits for files that are still being written.
PATIENCE_SECONDS = 120.0


def quarter_folders(exports: Path) -> dict[str, Path]:
    """The folders named after a quarter, by quarter in chronological order."""
    found = {}
    for folder in sorted(path for path in exports.iterdir() if path.is_dir()):
        try:
            found[str(Quarter.parse(folder.name))] = folder
        except InputError:
            continue  # contracts/ and other folders that aren't a quarter's
    return found


def exports_in(folder: Path) -> list[Path]:
    """The exports in a quarter's folder, sorted by name.

    Raises:
        InputError: one isn't a regular file (a folder, a pipe or a broken link), or its name isn't
            UTF-8.
    """
    found = _named_like_exports(folder)
    for path in found:
        if not _is_text(path.name):
            raise _unusable(path, "bad_file_name", "文件名里有不是 UTF-8 的字节", "改名")
        if not path.is_file():
            is_link = path.is_symlink() and not path.exists()
            what = "断开的链接" if is_link else "文件夹" if path.is_dir() else "管道或设备"
            raise _unusable(path, "not_a_file", f"名字像导出文件，其实是{what}", "移走它")
    return found


def unread_in(folder: Path) -> list[str]:
    """The names in a quarter's folder that no step reads; names of folders end with a slash.

    Notices, hidden files and the lock files of office programs aren't listed.
    """
    return [
        _shown(path.name) + ("/" if path.is_dir() else "")
        for path in (sorted(folder.iterdir()) if folder.is_dir() else ())
        if not is_export(path)
        and not path.name.startswith((".", "~$"))
        and path.name.lower() not in NO_EXPORTS
    ]


def fingerprint(folder: Path) -> str:
    """Each export's name, size and modification time, as text to compare; empty without exports."""
    # A broken link is described by its own status; the run reports it.
    marks = [
        (_shown(path.name), path.stat() if path.exists() else path.lstat())
        for path in _named_like_exports(folder)
    ]
    return "|".join(f"{name}:{status.st_size}:{status.st_mtime_ns}" for name, status in marks)


def _named_like_exports(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if is_export(path)]


def _is_text(name: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in name)


def _shown(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()


def _unusable(path: Path, code: str, found: str, action: str) -> InputError:
    return InputError(
        code=code,
        file=f"{path.parent.name}/{_shown(path.name)}",
        found=found,
        expected="普通文件，名字是 UTF-8 文本",
        action=f"{action}后重新运行",
    )


def wait_until_still(folder: Path) -> None:
    """Wait until no export of a folder is being written; don't wait if none changed just now.

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
        # A file from a machine whose clock is ahead doesn't delay the run.
        if 0 <= time.time() - written_at < STILL_SECONDS:
            return path
    return None


def prove_unchanged(path: Path, before: os.stat_result) -> None:
    """Refuse an export that was changed, replaced or removed while it was read.

    Args:
        path: the export.
        before: its status before the first byte was read.

    Raises:
        InputError: its time, size or inode differ from `before`, or it is gone.
    """
    with suppress(FileNotFoundError):
        if _marks(path.stat()) == _marks(before):
            return
    raise InputError(
        code="file_changed",
        file=path.name,
        found="文件在读取时被改动或移走",
        expected="读取期间不变的文件",
        action="等文件写完后重新运行",
    )


def _marks(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_mtime_ns, status.st_size, status.st_ino
