"""Backup and restore of a home: one archive that says of each file what it must be.

The lake and what is published are kept: everything else in a home is rebuilt from them by the next
run, and the audit's history is part of what is published. The Parquet tree is links to the files of
the versions, made again by the restore.
"""

import io
import json
import shutil
import tarfile
from pathlib import Path

from orchestration.errors import InputError
from orchestration.ingest.lake import sha256_of
from orchestration.lock import writer
from orchestration.readers import TREE, refresh_tree
from orchestration.settings import Home

LISTING = "backup.json"
ANOTHER = "换一份备份"


def backup(home: Home, archive: Path) -> int:
    """Write a home's lake and publications to a new archive; no run writes meanwhile.

    Args:
        home: what to save.
        archive: a .tar.gz that doesn't exist yet; appears whole by a rename.

    Returns:
        How many files it holds.

    Raises:
        InputError: nothing was published yet, or the archive exists.
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
            for folder in (home.lake, home.published)
            for path in folder.rglob("*")
            if path.is_file() and not path.relative_to(home.root).parts[1].startswith(TREE)
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
    """Unpack a backup into a home that doesn't exist yet, proving every file by its hash.

    Returns:
        How many files were restored.

    Raises:
        InputError: the home isn't empty, or the archive is damaged, or isn't a backup.
    """
    if home.root.exists() and any(home.root.iterdir()):
        raise InputError(
            code="home_not_empty",
            found=f"{home.root} 里已有内容",
            expected="一个空的或还没有的数据目录",
            action="用 --home 换一个目录，核对之后再替换",
        )
    unpacked = home.root.with_name(home.root.name + ".restoring")
    shutil.rmtree(unpacked, ignore_errors=True)
    unpacked.mkdir(mode=0o700, parents=True)
    try:
        count = _unpack(archive, unpacked)
        refresh_tree(Home(unpacked))
        unpacked.replace(home.root)  # takes the place of an empty folder too
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)
    return count


def _unpack(archive: Path, folder: Path) -> int:
    """Unpack what the archive's own listing names, and prove that all of it is there."""
    wanted: dict[str, str] = {}
    try:
        with tarfile.open(archive, "r:gz") as tar:
            first = tar.next()
            listing = tar.extractfile(first) if first and first.name == LISTING else None
            if listing is None:
                raise _wrong("not_a_backup", archive, "不是 hotline backup 写的文件", "换一个文件")
            wanted = json.load(listing)["files"]
            while member := tar.next():
                if member.name not in wanted or not member.isfile():
                    raise _wrong("damaged_backup", archive, "有清单之外的内容", ANOTHER)
                # The standard filter refuses absolute names, names with .. and special files.
                tar.extract(member, folder, filter="data")
    except (OSError, EOFError, tarfile.TarError, ValueError) as error:
        raise _wrong("damaged_backup", archive, "读不到头", ANOTHER) from error
    for name, sha256 in wanted.items():
        path = folder / name
        if not path.is_file() or sha256_of(path) != sha256:
            raise _wrong("damaged_backup", archive, f"{name} 缺失，或与清单的哈希不同", ANOTHER)
    return len(wanted)


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without the account that wrote the home."""
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
