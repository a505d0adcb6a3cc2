"""The raw lake: one immutable Parquet file of text a source file, named by its SHA-256.

An index per quarter and source (`index/<quarter>/<source>.json`) says which files arrived, in
order, and which superseded which; the warehouse's list of files is rebuilt from it.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

import polars as pl

from orchestration.errors import InputError
from orchestration.ingest.contracts import Contract
from orchestration.ingest.readers import ROW_NUMBER, SUFFIXES, Table, count_rows, open_table
from orchestration.quarters import Quarter
from orchestration.settings import Home


@dataclass(frozen=True)
class LakeFile:
    """One source file as received, and where its rows are."""

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

    def parquet(self, home: Home) -> Path:
        """Where the rows are."""
        return home.lake / self.source / f"{self.file_sha256}.parquet"


def ingest_source(
    home: Home, exports: Path, quarter: Quarter, contracts: dict[str, Contract], source: str
) -> list[LakeFile]:
    """Bring a source's exports of a quarter into the lake; the same file again changes nothing.

    Returns:
        The current files, by file name; empty only where the contract is optional.

    Raises:
        InputError: no folder, no export, a header that fits no contract, an unreadable file.
    """
    contract = contracts[source]
    found = find_exports(exports, quarter, contracts, home.scratch).get(source, [])
    if not found and not contract.optional:
        raise InputError(
            code="missing_export",
            file=f"{quarter}/",
            found=f"没有「{contract.label}」的导出文件",
            expected="一个含有这些列的 .csv 或 .xlsx："
            + "、".join(column.label for column in contract.columns if not column.optional),
            action=f"把导出文件放进 {exports.name}/{quarter}/ 后重新运行",
        )
    index = home.lake / "index" / str(quarter) / f"{source}.json"
    known = {file.file_sha256: file for file in read_index(index)}
    current = [_store(home, path, quarter, contract, known) for path in found]
    _write_index(index, known, current)
    return current


def find_exports(
    exports: Path, quarter: Quarter, contracts: dict[str, Contract], scratch: Path
) -> dict[str, list[Path]]:
    """Sort the files of a quarter's folder by the contract that their header fits.

    Raises:
        InputError: no folder, or a file whose header fits no contract.
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
    sorted_files: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES and not path.name.startswith((".", "~$")):
            with open_table(path, scratch) as table:
                source = _fitting_source(path, table.header, contracts)
            sorted_files.setdefault(source, []).append(path)
    return sorted_files


def read_index(path: Path) -> list[LakeFile]:
    """The files that one index lists, in order of arrival."""
    if not path.exists():
        return []
    return [LakeFile(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))]


def all_files(home: Home) -> list[LakeFile]:
    """Every file that was ever registered, all quarters and sources, in a fixed order."""
    indexes = sorted((home.lake / "index").glob("*/*.json"))
    return [file for index in indexes for file in read_index(index)]


def current_files(home: Home, quarter: str) -> list[LakeFile]:
    """The files that a quarter's figures come from, in a fixed order."""
    return [file for file in all_files(home) if file.quarter == quarter and not file.superseded_by]


def sha256_of(path: Path) -> str:
    """A file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomically(path: Path, text: str) -> None:
    """Replace a small text file in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def _fitting_source(path: Path, header: Sequence[str], contracts: dict[str, Contract]) -> str:
    misfits = {source: contract.misfit(header) for source, contract in contracts.items()}
    fitting = [source for source, misfit in misfits.items() if misfit == ([], [])]
    if len(fitting) == 1:
        return fitting[0]
    closest = max(contracts.values(), key=lambda contract: _likeness(contract, header))
    missing, surplus = misfits[closest.source]
    # A first row that isn't a header may hold personal values: name its cells only if most fit.
    shown = surplus if len(surplus) * 2 < len(header) else [f"{len(surplus)} 列（内容不显示）"]
    found = "；".join(
        text
        for text in (
            f"缺少列：{'、'.join(missing)}" if missing else "",
            f"多出或重复的列：{'、'.join(shown)}" if surplus else "",
        )
        if text
    )
    raise InputError(
        code="unknown_header",
        file=path.name,
        row=1,
        column="、".join((missing + shown)[:3]),
        found=found or f"同时符合 {'、'.join(fitting)} 的契约",
        expected=f"最接近的契约「{closest.label}」（contracts/{closest.source}.yml）的列名，逐字相同",
        action="改正列名重新导出；若来源系统改了列名，在契约的 aliases 里登记新列名",
    )


def _likeness(contract: Contract, header: Sequence[str]) -> tuple[int, int]:
    """Shared headers, then likeness in width (a file without a header still has its columns)."""
    known = {text for column in contract.columns for text in column.headers}
    return len(known & set(header)), -abs(len(contract.columns) - len(header))


def _store(
    home: Home, path: Path, quarter: Quarter, contract: Contract, known: dict[str, LakeFile]
) -> LakeFile:
    before = path.stat()
    sha256 = sha256_of(path)
    old = known.get(sha256)
    if old and old.contract_sha256 == contract.fingerprint and old.parquet(home).exists():
        return replace(old, file_name=path.name, superseded_by=None)
    counted = count_rows(path)
    with open_table(path, home.scratch) as table:
        target = home.lake / contract.source / f"{sha256}.parquet"
        row_count = _write_parquet(table, contract, sha256, target)
        encoding = table.encoding
    if (after := path.stat()).st_mtime_ns != before.st_mtime_ns or after.st_size != before.st_size:
        raise InputError(
            code="file_changed",
            file=path.name,
            found="文件在读取时被改动",
            expected="读取期间不变的文件",
            action="等文件写完后重新运行",
        )
    return LakeFile(
        file_sha256=sha256,
        quarter=str(quarter),
        source=contract.source,
        file_name=path.name,
        byte_count=before.st_size,
        encoding=encoding,
        row_count=row_count,
        counted_row_count=counted,
        received_at=old.received_at if old else f"{datetime.now():%Y-%m-%d %H:%M:%S}",
        contract_sha256=contract.fingerprint,
    )


def _write_parquet(table: Table, contract: Contract, sha256: str, target: Path) -> int:
    """Write the kept columns by canonical name, the hash and the row number; give the row count."""
    position = {text: str(number) for number, text in enumerate(table.header)}

    def column_of(name: str) -> pl.Expr:
        headers = next(column.headers for column in contract.columns if column.name == name)
        present = [position[text] for text in headers if text in position]
        return (pl.col(present[0]) if present else pl.lit(None, pl.String)).alias(name)

    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_suffix(".tmp")
    table.frame.select(
        *(column_of(name) for name in contract.kept_columns),
        pl.lit(sha256).alias("file_sha256"),
        pl.col(ROW_NUMBER).cast(pl.Int64),
        pl.lit(None, pl.String).alias("row_defect"),
    ).sink_parquet(temporary, compression="zstd", maintain_order=True)
    temporary.replace(target)
    return int(pl.scan_parquet(target).select(pl.len()).collect().item())


def _write_index(path: Path, known: dict[str, LakeFile], current: Sequence[LakeFile]) -> None:
    """Record what is current; a known file that isn't any more is superseded by its successor.

    The successor is the current file of the same name, else the first current file; a source whose
    files are all gone leaves them superseded by nothing that has a hash.
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
    text = json.dumps([asdict(file) for file in entries.values()], ensure_ascii=False, indent=1)
    write_atomically(path, text + "\n")
