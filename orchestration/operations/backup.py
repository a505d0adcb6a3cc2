"""Backup and restore of a home: one archive that lists the SHA-256 of each of its files.

A backup holds the lake and everything published, which includes the audit history. The next run
rebuilds the rest of the home from them. The Parquet tree consists of links to the versions' files;
the restore creates them again.
"""

import gzip
import hashlib
import io
import json
import os
import re
import shutil
import tarfile
import tempfile
import zlib
from pathlib import Path
from typing import IO, Any

from orchestration.common.errors import InputError
from orchestration.common.files import sha256_of
from orchestration.common.lock import writer
from orchestration.common.settings import Home
from orchestration.publish.published_tables import refresh_tree

LISTING = "backup.json"
ANOTHER = "换一份备份"
# The folders of a home that a backup keeps.
KEPT = ("lake", "published")
# One component of a path: no control or format characters, no `..`, and no hidden name, such as
# that of a Parquet tree (`.parquet-1`).
PLAIN_NAME = re.compile(
    r"(?!\.)[^\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\ud800-\udfff\ufeff\\/]+"
)
SHA256 = re.compile(r"[0-9a-f]{64}")
PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)
CHUNK = 1 << 20
# The most bytes that the listing may have, and that a member's header may ask to be read at once.
MAX_PIECE = 1 << 26


def backup(home: Home, archive: Path) -> int:
    """Write a home's lake and publications to a new archive; the home is locked meanwhile.

    Args:
        home: the home to save.
        archive: a .tar.gz that doesn't exist yet; it is renamed into place when complete.

    Returns:
        The number of files in the archive.

    Raises:
        InputError: nothing is published yet, or the archive exists.
    """
    if archive.exists():
        raise InputError(
            code="archive_exists",
            file=archive.name,
            found="文件已存在",
            expected="一个新的文件名",
            action="换一个文件名",
        )
    if not home.published.is_dir():
        raise InputError(
            code="nothing_to_back_up",
            found=f"{home.root} 里没有发布过的内容",
            expected="至少成功运行过一次的数据目录",
            action="改正 --home，或先运行 hotline run",
        )
    temporary = archive.with_name(archive.name + ".tmp")
    with writer(home, "backup"):
        files = sorted(
            path
            for folder in KEPT
            for path in (home.root / folder).rglob("*")
            if path.is_file() and is_kept(str(path.relative_to(home.root)))
        )
        names = [str(path.relative_to(home.root)) for path in files]
        listing = {"files": {name: sha256_of(home.root / name) for name in names}}
        try:
            with tarfile.open(temporary, "x:gz", compresslevel=1) as tar:
                text = json.dumps(listing, indent=1).encode()
                entry = tarfile.TarInfo(LISTING)
                entry.size = len(text)
                tar.addfile(entry, io.BytesIO(text))
                for name in names:
                    tar.add(home.root / name, arcname=name, filter=_anonymous)
            temporary.replace(archive)
        finally:
            temporary.unlink(missing_ok=True)
    return len(names)


def restore(archive: Path, home: Home) -> int:
    """Unpack a backup into a new or empty home, and check every file's hash.

    Returns:
        The number of files restored.

    Raises:
        InputError: the home isn't empty, or the archive is damaged or isn't a backup.
    """
    if os.path.lexists(home.root) and (not home.root.is_dir() or any(home.root.iterdir())):
        raise InputError(
            code="home_not_empty",
            found=f"{home.root} 里已有内容",
            expected="一个空的或还没有的数据目录",
            action="用 --home 换一个目录，核对之后再替换",
        )
    home.root.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unpacked = Path(tempfile.mkdtemp(prefix=f"{home.root.name}.restoring-", dir=home.root.parent))
    try:
        count = _unpack(archive, unpacked)
        _check_manifests(archive, unpacked)
        refresh_tree(Home(unpacked))
        unpacked.replace(home.root)  # also replaces an empty folder
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)
    return count


def _unpack(archive: Path, folder: Path) -> int:
    """Write the files that the archive's listing names, and check that none is missing.

    Bytes are copied member by member, so that only plain files can be created.
    """
    try:
        with gzip.open(archive) as unpacked:
            # The type stubs don't allow a custom reader. `unpacked` is the only file to close.
            tar = tarfile.open(fileobj=_Bounded(unpacked), mode="r:")  # type: ignore[call-overload]  # noqa: SIM115
            wanted = _listing(archive, tar)
            missing = dict(wanted)
            while member := tar.next():
                data = tar.extractfile(member) if member.type in PLAIN else None
                sha256 = missing.pop(member.name, None)
                if data is None or sha256 is None:
                    raise _foreign(archive, member.name)
                if member.size > shutil.disk_usage(folder).free:
                    raise _wrong("damaged_backup", archive, "比磁盘的空余还大", ANOTHER)
                if _write(data, folder / member.name) != sha256:
                    raise _wrong(
                        "damaged_backup", archive, f"{member.name} 与清单的哈希不同", ANOTHER
                    )
    except (FileNotFoundError, IsADirectoryError) as error:
        raise _wrong("no_such_backup", archive, "没有这个文件", "改正文件名") from error
    except (
        *(gzip.BadGzipFile, EOFError, zlib.error, tarfile.TarError),
        # Malformed names and numbers; a file where another name needs a folder.
        *(ValueError, OverflowError, FileExistsError, NotADirectoryError),
    ) as error:
        raise _wrong("damaged_backup", archive, "读不到头", ANOTHER) from error
    if missing:
        raise _wrong("damaged_backup", archive, f"{min(missing)} 缺失", ANOTHER)
    return len(wanted)


def _check_manifests(archive: Path, folder: Path) -> None:
    """Check that each version's manifest belongs to the version whose folder it is in."""
    for path in (folder / "published" / "versions").glob("*/*/manifest.json"):
        try:
            manifest = json.loads(path.read_bytes())
            said = (manifest["quarter"], f"v{manifest['version']}")
        except (ValueError, KeyError, TypeError, RecursionError):
            said = ("", "")
        if said != path.parent.parts[-2:]:
            name = path.relative_to(folder)
            raise _wrong("damaged_backup", archive, f"{name} 不是这一版的清单", ANOTHER)


class _Bounded:
    """A file that refuses to read more than `MAX_PIECE` bytes at once, even if a header asks."""

    def __init__(self, file: gzip.GzipFile) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        """Read up to `size` bytes."""
        if not 0 <= size <= MAX_PIECE:
            raise tarfile.ReadError("too large")
        return self._file.read(size)


def _listing(archive: Path, tar: tarfile.TarFile) -> dict[str, str]:
    """The SHA-256 of each file by name, read from the archive's first member."""
    first = tar.next()
    data = tar.extractfile(first) if first and first.name == LISTING else None
    if data is None or first is None or first.size > MAX_PIECE:
        raise _wrong("not_a_backup", archive, "不是 hotline backup 写的文件", "换一个文件")
    listing = json.loads(data.read(), object_pairs_hook=_without_repetition)
    files = listing.get("files") if isinstance(listing, dict) else None
    if not isinstance(files, dict):
        raise _wrong("not_a_backup", archive, "不是 hotline backup 写的文件", "换一个文件")
    for name, sha256 in files.items():
        if not is_kept(name):
            raise _foreign(archive, name)
        if not isinstance(sha256, str) or not SHA256.fullmatch(sha256):
            raise _wrong("damaged_backup", archive, f"{name} 的哈希不成样子", ANOTHER)
    return files


def is_kept(name: str) -> bool:
    """Whether a backup may hold this name: a plain path in the lake or in `published`."""
    parts = name.split("/")
    return (
        len(parts) > 1
        and parts[0] in KEPT
        and all(PLAIN_NAME.fullmatch(part) and len(part.encode()) < 256 for part in parts)
        and parts[:2] != ["published", "parquet"]  # created again from the versions
    )


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a name twice")
    return values


def _write(data: IO[bytes], target: Path) -> str:
    """Write a new file and return its SHA-256."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with target.open("xb") as file:
        while chunk := data.read(CHUNK):
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


def _foreign(archive: Path, name: str) -> InputError:
    shown = name if len(name) <= 100 else f"{name[:100]}…"
    return _wrong("damaged_backup", archive, f"有备份里不会有的内容：{shown}", ANOTHER)


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Remove the account of the home's owner from an entry."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def _wrong(code: str, archive: Path, found: str, action: str) -> InputError:
    return InputError(
        code=code,
        file=archive.name,
        found=found,
        expected="hotline backup 写下的完整文件",
        action=action,
    )
