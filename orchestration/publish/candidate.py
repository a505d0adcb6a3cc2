"""The candidate: a quarter as it was built, written once as Parquet, then checked, then published.

It holds the quarter's marts and facts, which become the version's files, and in `audit/` the audit
tables that describe them, which readers get too. `candidate.json` has the run that built it and the
version that it is compared with. `gate` decides whether it may be published.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from orchestration.checks.discrepancies import ids_in_force
from orchestration.common.errors import InputError
from orchestration.common.files import sha256_of
from orchestration.common.quarters import Quarter
from orchestration.common.settings import Home
from orchestration.ingest.lake import current_files
from orchestration.publish.publication_log import last_publication
from orchestration.publish.versions import (
    digest_of,
    export_outputs,
    file_hashes,
    input_sha256,
    write_parquet,
)
from orchestration.warehouse.connection import connect, query, tables_of
from orchestration.warehouse.provenance import program_sha256

NOTE = "candidate.json"
# The audit tables that describe a quarter's figures and rows; the others are append-only.
DESCRIPTIVE = ("anomaly", "rejected_row", "row_balance", "source_file", "unmapped_unit")


@dataclass(frozen=True)
class Candidate:
    """A built quarter. `outputs` holds the hashes of its marts and facts by table."""

    quarter: str
    folder: Path
    run_id: str
    compared_version: int | None
    outputs: dict[str, str]
    sha256: str
    """Over every byte of it."""

    @property
    def marts(self) -> dict[str, Path]:
        """The files of the marts by table."""
        return {
            table: self.folder / f"{table}.parquet"
            for table in self.outputs
            if not table.startswith("fct_")
        }


def build_basis(home: Home, quarter: str) -> str:
    """One hash over everything that decides what a run builds for a quarter, and if it passes.

    It covers the current files, the rules, the program, the version of the previous quarter that
    the quarter is compared with, and the known discrepancies that haven't expired.
    """
    return digest_of(
        {
            "inputs": input_sha256(home, quarter),
            "program": program_sha256(),
            "compared_version": compared_version(home, quarter),
            "discrepancies": ids_in_force(quarter, date.today()),
        }
    )


def compared_version(home: Home, quarter: str) -> int | None:
    """The version of the previous quarter that a quarter is now compared with, or None."""
    entry = last_publication(home, str(Quarter.parse(quarter).previous))
    return entry.version if entry else None


def require_scope(home: Home, quarter: str) -> str:
    """The run that registered the raw data of a quarter, if nothing has changed since.

    Raises:
        InputError: schema `raw` is registered for another quarter, or for other data.
    """
    rows = query(home, "select run_id, quarter, basis_sha256 from raw.run_scope")
    scope = rows[0] if rows else {"quarter": "", "basis_sha256": "", "run_id": ""}
    if (scope["quarter"], scope["basis_sha256"]) != (quarter, build_basis(home, quarter)):
        what = f"登记的是 {scope['quarter']}" if scope["quarter"] != quarter else "登记之后有变化"
        raise InputError(
            code="stale_scope",
            found=f"工作库{what}：来源文件、业务规则、程序或比较的上季度版本",
            expected=f"与 {quarter} 现在的文件、规则和程序一致的登记",
            action=f"完整运行 hotline run {quarter}（或在 Dagster 中从 raw/run_scope 起重跑）",
        )
    return str(scope["run_id"])


def discard_candidate(home: Home, quarter: str) -> None:
    """Delete a quarter's candidate, as before a new build."""
    shutil.rmtree(home.candidate(quarter), ignore_errors=True)


def export_candidate(home: Home, quarter: str, run_id: str) -> Candidate:
    """Write a built quarter as its candidate, which one rename puts in place.

    Args:
        home: the home whose working warehouse was built.
        quarter: such as 2022Q2.
        run_id: the run that built it.
    """
    folder = home.scratch / f"candidate-{quarter}"
    shutil.rmtree(folder, ignore_errors=True)
    export_outputs(home, quarter, folder)
    (folder / "audit").mkdir()
    with connect(home) as connection:
        built = tables_of(connection, "audit")
        for table in sorted(set(DESCRIPTIVE) & set(built)):
            rows = f"from audit.{table} where {of_quarters(table, [quarter], 'audit.source_file')}"
            write_parquet(connection, rows, folder / "audit" / f"{table}.parquet")
    note = {"run_id": run_id, "compared_version": compared_version(home, quarter)}
    (folder / NOTE).write_text(json.dumps(note) + "\n", encoding="utf-8")
    discard_candidate(home, quarter)
    home.candidate(quarter).parent.mkdir(mode=0o700, exist_ok=True)
    folder.rename(home.candidate(quarter))
    return read_candidate(home, quarter)


def read_candidate(home: Home, quarter: str) -> Candidate:
    """A quarter's candidate as it is on disk now.

    Raises:
        InputError: there is none.
    """
    folder = home.candidate(quarter)
    if not (folder / NOTE).is_file():
        raise InputError(
            code="no_candidate",
            found=f"{quarter} 没有建好而待发布的内容",
            expected="本季度建模一步写下的候选",
            action=f"完整运行 hotline run {quarter}",
        )
    note: Mapping[str, Any] = json.loads((folder / NOTE).read_text(encoding="utf-8"))
    outputs = file_hashes(folder)
    files = {"note": sha256_of(folder / NOTE), "audit": file_hashes(folder / "audit")}
    return Candidate(
        quarter,
        folder,
        note["run_id"],
        note["compared_version"],
        outputs,
        digest_of({"outputs": outputs, **files}),
    )


def of_quarters(table: str, quarters: Sequence[str], source_file: str) -> str:
    """The SQL condition for a descriptive table's rows of some quarters.

    Args:
        table: the table's name.
        quarters: such as 2022Q2; without any, no row matches.
        source_file: the `source_file` table to use, as rejected rows name only their file.
    """
    listed = f"list_contains({list(quarters)}::varchar[], quarter)"
    if table == "rejected_row":
        return f"file_sha256 in (select file_sha256 from {source_file} where {listed})"  # noqa: S608 (our own names)
    return listed


def has_bulletin(home: Home, quarter: str) -> bool:
    """Whether the quarter's bulletin is among its current files."""
    return any(file.source == "bulletin" for file in current_files(home, quarter))
