"""The raw lake: one Parquet file of text columns per export, named by the export's SHA-256.

An index per quarter and source (`index/<quarter>/<source>.json`) lists the files in order of
arrival, and which file superseded which. The warehouse's list of files is rebuilt from it. Erasures
(see `erasure`) are applied to every file that is written here. A file is written again only if it
is damaged, or if its contract, the unit aliases or the erasures change.
"""

import hashlib
import hmac
import json
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

import polars as pl
from polars.io.plugins import register_io_source

from orchestration.common import progress
from orchestration.common.errors import InputError
from orchestration.common.files import sha256_of, write_atomically
from orchestration.common.quarters import Quarter
from orchestration.common.settings import Home, seeds_root
from orchestration.ingest.arrival import exports_in, prove_unchanged
from orchestration.ingest.erasure import read_erasures, rule_for
from orchestration.ingest.guards import Guards, guards_for
from orchestration.ingest.spoiled import SpoiledCells
from orchestration.reading.canonical import clean_text
from orchestration.reading.contracts import Column, Contract, hash_key
from orchestration.reading.exports import find_parts, open_table
from orchestration.reading.tables import ROW_DEFECT, ROW_NUMBER, Part

# Raised when the same export and contract would give a different lake file.
LAYOUT = "4"
# Threads that parse rows while others are written; each keeps one or two blocks of text in memory.
PARSERS = 2
_log = logging.getLogger(__name__)
_PARTS: dict[tuple[object, ...], list[Part]] = {}


@dataclass(frozen=True)
class LakeFile:
    """One export as received; `parquet_sha256` is the hash of the lake file with its rows."""

    file_sha256: str
    quarter: str
    source: str
    file_name: str
    byte_count: int
    encoding: str
    row_count: int
    counted_row_count: int
    received_at: str
    contract_sha256: str
    superseded_by: str | None = None
    parquet_sha256: str = ""
    line_break_count: int = 0
    """Line breaks inside the cells of a text file."""
    headers: dict[str, str] = field(default_factory=dict, compare=False)
    """The export's own header of each column that is kept; none in an older index."""

    def parquet(self, home: Home) -> Path:
        """The lake file with the rows."""
        return home.lake / self.source / f"{self.file_sha256}.parquet"

    def is_sound(self, home: Home) -> bool:
        """Whether the lake file exists unchanged (or, if written before 0.2, exists at all)."""
        path = self.parquet(home)
        return path.is_file() and self.parquet_sha256 in ("", sha256_of(path))


def ingest_source(
    home: Home, exports: Path, quarter: Quarter, contracts: dict[str, Contract], source: str
) -> list[LakeFile]:
    """Write a source's exports of a quarter to the lake; a file that is already there is kept.

    Returns:
        The current files in order of name; empty only if the contract is optional.

    Raises:
        InputError: there is no folder or no export, a header fits no contract, a file is
            unreadable, or the contract pseudonymises and there is no key.
    """
    contract = contracts[source]
    found = find_exports(exports, quarter, contracts).get(source, [])
    if not found and not contract.optional:
        raise InputError(
            code="missing_export",
            file=f"{quarter}/",
            found=f"没有「{contract.label}」的导出文件",
            expected="一个含有这些列的文件（CSV、TSV、XLSX、XLS 或 ODS）："
            + "、".join(column.label for column in contract.columns if not column.optional),
            action=f"把导出文件放进 {exports.name}/{quarter}/ 后重新运行",
        )
    index = home.lake / "index" / str(quarter) / f"{source}.json"
    known = {file.file_sha256: file for file in read_index(index)}
    current = [_store(home, path, parts, quarter, contract, known) for path, parts in found]
    _write_index(index, known, current)
    return current


def find_exports(
    exports: Path, quarter: Quarter, contracts: dict[str, Contract]
) -> dict[str, list[tuple[Path, list[Part]]]]:
    """Group the files of a quarter's folder by the contract that their header fits.

    Returns:
        By source: each file with its tables of that source (a workbook may have several).

    Raises:
        InputError: there is no folder, or the header of a file fits no contract.
    """
    folder = quarter_folder(exports, quarter)
    sorted_files: dict[str, list[tuple[Path, list[Part]]]] = {}
    for path in exports_in(folder):
        parts = _parts_of(path, contracts)
        for source in dict.fromkeys(part.source for part in parts):
            own = [part for part in parts if part.source == source]
            sorted_files.setdefault(source, []).append((path, own))
    return sorted_files


def quarter_folder(exports: Path, quarter: Quarter) -> Path:
    """The folder with a quarter's exports.

    Raises:
        InputError: there is no such folder.
    """
    folder = exports / str(quarter)
    if not folder.is_dir():
        raise InputError(
            code="missing_quarter",
            file=f"{quarter}/",
            found="没有这个季度的文件夹",
            expected=f"{exports.name}/{quarter}/，内有各来源的导出文件",
            action="建好文件夹并放入导出文件，或改正季度",
        )
    return folder


def read_index(path: Path) -> list[LakeFile]:
    """The files that one index lists, in order of arrival.

    Raises:
        InputError: the index can't be read.
    """
    if not path.exists():
        return []
    try:
        return [LakeFile(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))]
    except (ValueError, TypeError) as error:
        raise InputError(
            code="damaged_index",
            file="/".join(path.parts[-4:]),
            found="原始湖的目录已损坏，读不出来",
            expected="接收时写下的目录",
            action="从备份（hotline backup）中取回这一个文件后重新运行；没有备份就删去它再运行，"
            "由现有的导出文件重新登记",
        ) from error


def prove_again(home: Home, file: LakeFile) -> None:
    """Record the new hash of a lake file after rows in it were erased.

    The same export may be in the folders of several quarters, and so in several indexes.
    """
    proof = sha256_of(file.parquet(home))
    for index in sorted((home.lake / "index").glob(f"*/{file.source}.json")):
        entries = read_index(index)
        proved = [
            replace(entry, parquet_sha256=proof) if entry.file_sha256 == file.file_sha256 else entry
            for entry in entries
        ]
        if proved != entries:
            _write_entries(index, proved)


def all_files(home: Home, quarter: str = "*") -> list[LakeFile]:
    """Every file that was ever registered, for one quarter or for all, in a fixed order."""
    indexes = sorted((home.lake / "index").glob(f"{quarter}/*.json"))
    return [file for index in indexes for file in read_index(index)]


def current_files(home: Home, quarter: str) -> list[LakeFile]:
    """The files that a quarter's figures come from, by source and name, not by arrival."""
    return sorted(
        (file for file in all_files(home, quarter) if not file.superseded_by),
        key=lambda file: (file.source, file.file_name, file.file_sha256),
    )


def _parts_of(path: Path, contracts: dict[str, Contract]) -> list[Part]:
    """As `find_parts`, but cached while a file is unchanged: each source asks for all files."""
    status = path.stat()
    marks = tuple(contract.fingerprint for contract in contracts.values())
    key = (path, status.st_size, status.st_mtime_ns, marks)
    if key not in _PARTS:
        if len(_PARTS) > 100:  # bounds the cache of a server that runs for months
            _PARTS.clear()
        _PARTS[key] = find_parts(path, contracts)
    return _PARTS[key]


def _store(
    home: Home,
    path: Path,
    parts: list[Part],
    quarter: Quarter,
    contract: Contract,
    known: dict[str, LakeFile],
) -> LakeFile:
    before = path.stat()
    sha256 = sha256_of(path)
    guards = guards_for(contract, path.name, seeds_root())
    made_by = _made_by(contract, guards)
    old = known.get(sha256)
    if old and old.contract_sha256 == made_by:
        if old.is_sound(home):
            return _known_before(home, old, path.name, _headers(parts, contract))
        _log.warning("原始湖里 %s 的行损坏或丢失，已由导出文件重新生成", path.name)
    tables = [open_table(path, part, contract) for part in parts]
    frames = (
        _kept(frame, part, contract, sha256)
        for part, table in zip(parts, tables, strict=True)
        for frame in table.frames
    )
    rule = rule_for(read_erasures(home), contract, str(quarter))

    spoiled, one_at_a_time = SpoiledCells(path, parts, contract), Lock()

    def finished(frame: pl.LazyFrame) -> pl.DataFrame:
        read = frame.collect()
        with one_at_a_time:
            spoiled.check(read)
        guarded = guards(read)
        return rule.erase(guarded.lazy()).collect() if rule else guarded

    def prove(rows: Path) -> None:
        spoiled.finish()
        guards.prove(rows)
        prove_unchanged(path, before)

    target = home.lake / contract.source / f"{sha256}.parquet"
    with progress.reading(path.name, before.st_size):
        row_count = _write_rows(frames, finished, contract, target, home.scratch, prove)
    return LakeFile(
        file_sha256=sha256,
        quarter=str(quarter),
        source=contract.source,
        file_name=path.name,
        byte_count=before.st_size,
        encoding=tables[-1].encoding,
        row_count=row_count,
        counted_row_count=sum(table.counted() for table in tables),
        received_at=old.received_at if old else f"{datetime.now():%Y-%m-%d %H:%M:%S}",
        contract_sha256=made_by,
        parquet_sha256=sha256_of(target),
        line_break_count=sum(table.line_breaks() for table in tables),
        headers=_headers(parts, contract),
    )


def _known_before(home: Home, old: LakeFile, name: str, headers: dict[str, str]) -> LakeFile:
    proof = old.parquet_sha256 or sha256_of(old.parquet(home))
    return replace(old, file_name=name, superseded_by=None, parquet_sha256=proof, headers=headers)


def _headers(parts: Sequence[Part], contract: Contract) -> dict[str, str]:
    """The export's own header of each kept column."""
    return {
        column.name: text
        for part in parts
        for column in contract.columns
        for text in part.header
        if column.name in contract.kept_columns and text in column.headers
    }


def _kept(frame: pl.LazyFrame, part: Part, contract: Contract, sha256: str) -> pl.LazyFrame:
    """A frame's kept columns under their canonical names, with file hash, row number and defect."""
    position = {text: str(number) for number, text in enumerate(part.header)}

    def cell(column: Column) -> pl.Expr:
        present = [position[text] for text in column.headers if text in position]
        written = pl.col(present[0]) if present else pl.lit(None, pl.String)
        if column.personal == "pseudonymise":
            written = written.map_elements(partial(pseudonym, hash_key()), return_dtype=pl.String)
        return written.alias(column.name)

    return frame.select(
        *(cell(column) for column in contract.columns if column.personal != "drop"),
        pl.lit(sha256).alias("file_sha256"),
        pl.col(ROW_NUMBER).cast(pl.Int64),
        pl.col(ROW_DEFECT),
    )


def _write_rows(
    frames: Iterable[pl.LazyFrame],
    finished: Callable[[pl.LazyFrame], pl.DataFrame],
    contract: Contract,
    target: Path,
    scratch: Path,
    prove: Callable[[Path], None],
) -> int:
    """Write frames to a lake file that appears only once `prove` passes; return its row count.

    `finished` reads a frame and either refuses it or returns it as it is to be written. Only a few
    frames are read ahead of the one being written, so that memory doesn't grow with their number.
    """

    def done(frame: pl.DataFrame) -> pl.DataFrame:
        progress.step(rows=frame.height)
        return frame

    def parsed(*_pushed_down: object) -> Iterator[pl.DataFrame]:
        with ThreadPoolExecutor(PARSERS) as pool:
            ahead: deque[Future[pl.DataFrame]] = deque()
            for frame in frames:
                ahead.append(pool.submit(finished, frame))
                if len(ahead) > PARSERS:
                    yield done(ahead.popleft().result())
            while ahead:
                yield done(ahead.popleft().result())

    columns = [*contract.kept_columns, "file_sha256", ROW_NUMBER, ROW_DEFECT]
    schema = {name: pl.Int64 if name == ROW_NUMBER else pl.String for name in columns}
    with TemporaryDirectory(dir=_made(scratch)) as folder:  # a failure leaves no partial file
        temporary = Path(folder) / target.name
        register_io_source(parsed, schema=schema).sink_parquet(
            temporary, compression="zstd", compression_level=1, maintain_order=True
        )
        prove(temporary)
        temporary.replace(_made(target.parent) / target.name)
    return int(pl.scan_parquet(target).select(pl.len()).collect().item())


def pseudonym(key: bytes, value: str) -> str | None:
    """A keyed hash of a value; without the key, nobody can find the value by trying candidates.

    The same person always has the same pseudonym. Blanks around a value and invisible characters
    don't change it. An empty value has none.
    """
    text = clean_text(value)
    return hmac.digest(key, text.encode(), "sha256").hex() if text else None


def _made_by(contract: Contract, guards: Guards) -> str:
    """A hash of what a lake file depends on besides the export; a new hash means a new file."""
    text = "\n".join([LAYOUT + contract.fingerprint, *sorted(guards.aliases)])
    if any(column.personal == "pseudonymise" for column in contract.columns):
        return hmac.digest(hash_key(), text.encode(), "sha256").hex()
    return hashlib.sha256(text.encode()).hexdigest()


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write_index(path: Path, known: dict[str, LakeFile], current: Sequence[LakeFile]) -> None:
    """Record the current files; a known file that is no longer current is superseded.

    Its successor is the current file of the same name, else the first current file. If the source
    has no current file any more, `superseded_by` is `withdrawn` instead of a hash.
    """
    hashes = {file.file_sha256 for file in current}
    by_name = {file.file_name: file.file_sha256 for file in current}
    fallback = current[0].file_sha256 if current else "withdrawn"
    entries = {
        sha: file
        if sha in hashes or file.superseded_by
        else replace(file, superseded_by=by_name.get(file.file_name, fallback))
        for sha, file in known.items()
    } | {file.file_sha256: file for file in current}
    _write_entries(path, list(entries.values()))


def _write_entries(path: Path, entries: Sequence[LakeFile]) -> None:
    text = json.dumps([asdict(file) for file in entries], ensure_ascii=False, indent=1)
    write_atomically(path, text + "\n")
