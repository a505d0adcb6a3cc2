"""A restore takes what a backup can hold and nothing else, with any Python from 3.11.

The whole command, with the figures of a real home, is tried in `integration/test_operations.py`.
"""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration.common.errors import InputError
from orchestration.common.settings import Home
from orchestration.operations.backup import LISTING, backup, restore

GOOD = {
    "lake/index/2022Q2/ticket.json": b"[]",
    "lake/ticket/ab.parquet": b"PAR1",
    "published/versions/2022Q2/v1/manifest.json": b'{"quarter": "2022Q2", "version": 1}',
    "published/versions/2022Q2/v1/hotline_unit.parquet": b"PAR1",
    "published/marts.duckdb": b"readers",
}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def write(
    path: Path,
    members: list[tuple[str, bytes]] | None = None,
    listed: object = None,
    entries: list[tarfile.TarInfo] | None = None,
) -> Path:
    """An archive of members, each listed with its right hash, and of entries without data."""
    members = list(GOOD.items()) if members is None else members
    if listed is None:
        names = {name: sha256(data) for name, data in members}
        listed = {"files": names | {entry.name: sha256(b"") for entry in entries or []}}
    text = listed if isinstance(listed, bytes) else json.dumps(listed).encode()
    with tarfile.open(path, "w:gz") as tar:
        for name, data in [(LISTING, text), *members]:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
        for entry in entries or []:  # the header alone, which `addfile` no longer writes
            tar.fileobj.write(entry.tobuf(tar.format, tar.encoding, tar.errors))
            tar.offset += tarfile.BLOCKSIZE
    return path


def test_a_backup_comes_back_without_the_filters_of_newer_pythons(tmp_path, monkeypatch):
    """Python 3.11.2, which Debian 12 has, knows no `filter`: nothing of `extract` is used."""
    first = Home(tmp_path / "first")
    for name, data in GOOD.items():
        (first.root / name).parent.mkdir(parents=True, exist_ok=True)
        (first.root / name).write_bytes(data)
    for name in ("hotline.duckdb", "published/.parquet-1", "published/.DS_Store", "other/x"):
        (first.root / name).parent.mkdir(exist_ok=True)
        (first.root / name).write_bytes(b"not kept")
    for name in ("extract", "extractall"):
        monkeypatch.setattr(tarfile.TarFile, name, None)
    monkeypatch.delattr(tarfile, "data_filter", raising=False)
    assert backup(first, tmp_path / "b.tar.gz") == len(GOOD)
    second = Home(tmp_path / "second")
    assert restore(tmp_path / "b.tar.gz", second) == len(GOOD)
    for name, data in GOOD.items():
        assert (second.root / name).read_bytes() == data
    assert sorted(path.name for path in second.root.iterdir()) == ["lake", "published"]
    assert (second.published / "parquet/hotline_unit/quarter=2022Q2").is_dir()


def entry(name: str, kind: bytes, link: str = "", size: int = 0) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.size = kind, link, size
    return made


PLANTED = [
    "hotline.duckdb", "hotline.duckdb.wal", "last-run.json", "dagster/dagster.yaml",
    "dbt/target/manifest.json", "logs/hotline.jsonl", "scratch/x", "lake", "published", "lakes/x",
    "/lake/x", "/etc/cron.d/x", "../x", "lake/../hotline.duckdb", "lake/../../x", "lake//x",
    "lake/./x", "./lake/x", "lake/x/", "lake/.x", "published/parquet/t/x.parquet",
    "published/.parquet-1/t/x.parquet", "lake\\x", "lake/a\nb", "lake/a\x1b[2J", "lake/\u202ex", "",
    "LAKE/x", "lake/" + "x" * 300, "lake/\udc80",
]  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_what_no_backup_holds_is_refused_by_name(tmp_path, name):
    bad = write(tmp_path / "b.tar.gz", [*GOOD.items(), (name, b"planted")])
    with pytest.raises(InputError, match=r"damaged_backup.*不会有的内容") as refused:
        restore(bad, Home(tmp_path / "place" / "home"))
    if name.isprintable() and 0 < len(name) < 100 and not name.endswith("/"):
        assert name in str(refused.value)
    assert list((tmp_path / "place").iterdir()) == [], "nothing is left, nor put beside it"


def duplicate(path: Path) -> None:
    write(path, [*GOOD.items(), ("lake/ticket/ab.parquet", b"PAR1")])


def duplicate_in_the_listing(path: Path) -> None:
    name = "lake/ticket/ab.parquet"
    pair = f'"{name}": "{sha256(b"PAR1")}"'
    write(path, [(name, b"PAR1")], f'{{"files": {{{pair}, {pair}}}}}'.encode())


def unlisted(path: Path) -> None:
    write(path, [*GOOD.items()], {"files": {name: sha256(GOOD[name]) for name in list(GOOD)[1:]}})


def missing(path: Path) -> None:
    listed = {name: sha256(data) for name, data in GOOD.items()} | {"lake/b": sha256(b"")}
    write(path, listed={"files": listed})


def another_hash(path: Path) -> None:
    write(path, listed={"files": dict.fromkeys(GOOD, sha256(b"?"))})


def no_hash(path: Path) -> None:
    write(path, listed={"files": dict.fromkeys(GOOD, 1)})


def a_list_of_names(path: Path) -> None:
    write(path, listed={"files": list(GOOD)})


def no_listing(path: Path) -> None:
    write(path, listed=[])


def a_symbolic_link(path: Path) -> None:
    write(path, entries=[entry("lake/a", tarfile.SYMTYPE, "/etc/passwd")])


def a_link_to_a_folder_outside(path: Path) -> None:
    write(path, [], entries=[entry("lake/a", tarfile.SYMTYPE, "/tmp"), entry("lake/a/b", b"0")])


def a_hard_link(path: Path) -> None:
    write(path, entries=[entry("lake/a", tarfile.LNKTYPE, "lake/ticket/ab.parquet")])


def a_device(path: Path) -> None:
    write(path, entries=[entry("lake/a", tarfile.CHRTYPE)])


def a_pipe(path: Path) -> None:
    write(path, entries=[entry("lake/a", tarfile.FIFOTYPE)])


def a_folder(path: Path) -> None:
    write(path, entries=[entry("lake/a", tarfile.DIRTYPE)])


def an_unknown_type(path: Path) -> None:
    write(path, entries=[entry("lake/a", b"Q")])


def a_sparse_file(path: Path) -> None:
    write(path, entries=[entry("lake/a", tarfile.GNUTYPE_SPARSE)])


def a_file_as_folder(path: Path) -> None:
    write(path, [("lake/a", b""), ("lake/a/b", b"")])


def a_size_beyond_any_disk(path: Path) -> None:
    write(path, entries=[entry("lake/a", b"0", size=1 << 60)])


def a_negative_size(path: Path) -> None:
    write(path, entries=[entry("lake/a", b"0", size=-512)])


def a_header_of_gigabytes(path: Path) -> None:
    """Its names would be read into memory in one piece."""
    listing = json.dumps({"files": {}}).encode()
    first = tarfile.TarInfo(LISTING)
    first.size = len(listing)
    head = entry("long", tarfile.XHDTYPE, size=1 << 32)
    with gzip.open(path, "wb") as file:
        file.write(first.tobuf() + listing.ljust(512, b"\0") + head.tobuf(tarfile.GNU_FORMAT))


def a_manifest_of_another_place(path: Path) -> None:
    """Its quarter is part of a path that the restore makes."""
    manifest = b'{"quarter": "../../../../planted", "version": 1}'
    write(path, list((GOOD | {"published/versions/2022Q2/v1/manifest.json": manifest}).items()))


def a_manifest_that_is_none(path: Path) -> None:
    write(path, list((GOOD | {"published/versions/2022Q2/v1/manifest.json": b"[]"}).items()))


def no_archive(path: Path) -> None:
    del path


@pytest.mark.parametrize(
    "make",
    [
        duplicate, duplicate_in_the_listing, unlisted, missing, another_hash, no_hash,
        a_list_of_names, no_listing, a_symbolic_link, a_link_to_a_folder_outside, a_hard_link,
        a_device, a_pipe, a_folder, an_unknown_type, a_sparse_file, a_file_as_folder,
        a_size_beyond_any_disk, a_negative_size, a_header_of_gigabytes,
        a_manifest_of_another_place, a_manifest_that_is_none, no_archive, Path.mkdir,
    ],
    ids=lambda make: make.__name__,
)  # fmt: skip
def test_an_archive_that_isnt_a_whole_backup_is_refused(
    tmp_path: Path, make: Callable[[Path], None]
):
    make(tmp_path / "b.tar.gz")
    with pytest.raises(InputError, match=r"damaged_backup|not_a_backup|no_such_backup"):
        restore(tmp_path / "b.tar.gz", Home(tmp_path / "place" / "home"))
    assert list((tmp_path / "place").iterdir()) == []


def test_what_is_beside_the_home_stays(tmp_path):
    beside = tmp_path / "home.restoring" / "mine.txt"
    beside.parent.mkdir()
    beside.write_text("mine")
    restore(write(tmp_path / "b.tar.gz"), Home(tmp_path / "home"))
    assert beside.read_text() == "mine"


def test_a_file_isnt_taken_for_an_empty_home(tmp_path):
    (tmp_path / "home").write_text("mine")
    with pytest.raises(InputError, match="home_not_empty"):
        restore(write(tmp_path / "b.tar.gz"), Home(tmp_path / "home"))
