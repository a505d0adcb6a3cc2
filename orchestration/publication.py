"""Publishing a quarter: what would be published, whether it changes anything, and doing it.

A version is a folder that appears whole by one rename; everything else that readers see is derived
from the versions and can be made again. All of it is written aside first; then three renames put
the version, the Parquet tree and `marts.duckdb` in their places, so that a full disk or a kill
leaves each of them as it was or as it will be. `audit.publication` and `audit.restatement` are read
off the versions' manifests, so that a run that was cut off leaves nothing half-told.
"""

import json
import logging
import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from orchestration.audit import check_results, reconciliation
from orchestration.errors import InputError
from orchestration.ingest.lake import LakeFile, all_files, current_files
from orchestration.provenance import code_version, lock_sha256
from orchestration.quarters import Quarter
from orchestration.readers import export_readers_marts, readers_parquet, refresh_readers
from orchestration.settings import Home
from orchestration.versions import (
    FACT_PREFIX,
    digest_of,
    export_outputs,
    input_sha256,
    is_sound,
    latest_manifest,
    manifests,
    rules_sha256,
)
from orchestration.warehouse import DUE_ITEMS, KEY_COLUMNS, connect, quoted, tables_of

# The check that a changed version comes with a reason.
UNREASONED = "restated_without_reason"
DAYS_OF_A_YEAR = 366
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Publication:
    """The outcome of a publication: `is_new` is false where no figure or source row changed."""

    quarter: str
    version: int
    is_new: bool
    restatement_count: int


@dataclass(frozen=True)
class Draft:
    """A quarter as it would be published: Parquet files aside, their hashes, the last manifest."""

    quarter: str
    folder: Path
    outputs: dict[str, str]
    previous: dict[str, Any] | None

    @property
    def is_new(self) -> bool:
        """Whether it differs from the last version, or is the first."""
        return self.previous is None or self.previous["outputs"] != self.outputs

    @property
    def needs_reason(self) -> bool:
        """Whether it changes what was published, which nobody may do without saying why."""
        return self.previous is not None and self.is_new


def draft(home: Home, quarter: str) -> Draft:
    """Write what would be published, aside, and hold it against the quarter's last version."""
    folder = home.scratch / f"version-{quarter}"
    shutil.rmtree(folder, ignore_errors=True)
    return Draft(
        quarter, folder, export_outputs(home, quarter, folder), latest_manifest(home, quarter)
    )


def publish(home: Home, drafted: Draft, run_id: str, reason: str) -> Publication:
    """Publish a quarter's marts and facts as they stand in the working warehouse.

    A new version is made only if a figure or the rows behind it changed; its restatements say which
    figures (none where an export only arrived in another form). The copies for readers are
    refreshed in either case, because the audit tables grow with every run.

    Args:
        home: whose working warehouse is published.
        drafted: from `draft`.
        run_id: the run that built it.
        reason: why the quarter changes, as the operator says; needed where the draft says so.
    """
    quarter, previous = drafted.quarter, drafted.previous
    if drafted.needs_reason and not reason:
        raise ValueError("a changed version needs a reason")
    versions = home.published / "versions" / quarter
    if previous is not None and not drafted.is_new:
        manifest = previous
        _mend(drafted, versions / f"v{manifest['version']}")
        refresh_readers(home)
        shutil.rmtree(drafted.folder)
    else:
        manifest = _manifest(home, drafted, run_id, reason)
        (drafted.folder / "manifest.json").write_text(
            json.dumps(manifest, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
        )
        versions.mkdir(parents=True, exist_ok=True)
        refresh_readers(home, drafted.folder, versions / f"v{manifest['version']}")
    restatements = len(manifest["restatements"]) if drafted.is_new else 0
    return Publication(quarter, manifest["version"], drafted.is_new, restatements)


def changed_figures(home: Home, quarter: str) -> list[dict[str, str | None]]:
    """Every figure of the working warehouse that differs from the quarter's last version.

    Returns:
        One entry a figure: table_name, unit_code (empty where no unit is meant), measure (with the
        other keys before it, ranks included), old_value and new_value (null: not there).
    """
    previous = latest_manifest(home, quarter)
    if previous is None:
        return []
    old_folder = home.version_manifest(quarter, previous["version"]).parent
    changed = []
    with connect(home) as connection:
        for table in tables_of(connection, "marts"):
            old_file = old_folder / f"{table}.parquet"
            old = _figures(connection, f"read_parquet('{quoted(old_file)}')", quarter)
            new = _figures(connection, f"marts.{table}", quarter)
            changed += [
                {
                    "table_name": table,
                    "unit_code": unit_code,
                    "measure": measure,
                    "old_value": old.get((unit_code, measure)),
                    "new_value": new.get((unit_code, measure)),
                }
                for unit_code, measure in sorted(old.keys() | new.keys())
                if old.get((unit_code, measure)) != new.get((unit_code, measure))
            ]
    return changed


def last_version_marts(home: Home, quarter: str) -> list[Path]:
    """The marts' Parquet files of a quarter's last version; none where it was never published.

    A damaged one is first written anew from `marts.duckdb`, whose rows give the same bytes.

    Raises:
        InputError: one is damaged, and so is its table in `marts.duckdb`.
    """
    previous = latest_manifest(home, quarter)
    if previous is None:
        return []
    folder = home.version_manifest(quarter, previous["version"]).parent
    marts = {
        folder / f"{table}.parquet": sha256
        for table, sha256 in sorted(previous["outputs"].items())
        if not table.startswith(FACT_PREFIX)
    }
    damaged = [path for path, sha256 in marts.items() if not is_sound(path, sha256)]
    if damaged:
        aside = home.scratch / "mended"
        shutil.rmtree(aside, ignore_errors=True)
        found = export_readers_marts(home, quarter, aside)
    for path in damaged:
        if found.get(path.stem) != marts[path]:
            raise InputError(
                code="damaged_version",
                file=str(path.relative_to(home.root)),
                found="已发布的文件损坏，marts.duckdb 里的这个表也与发布时不同",
                expected="两者至少有一个是发布时的内容",
                action="从备份（hotline backup）中取回这一个文件后重新运行",
            )
        (aside / path.name).replace(path)
        _log.warning("已发布的 %s 损坏或丢失，已由 marts.duckdb 重写", path.relative_to(home.root))
    return list(marts)


def published_facts(home: Home, quarter: Quarter) -> list[Path]:
    """The facts' Parquet files of the latest versions of other quarters within a year.

    A damaged one is replaced by its copy in the readers' tree.

    Raises:
        InputError: one is damaged, and so is its copy.
    """
    found = []
    latest = {manifest["quarter"]: manifest for manifest in manifests(home)}
    for name, manifest in latest.items():
        other = Quarter.parse(name)
        if other == quarter or abs((other.start - quarter.start).days) > DAYS_OF_A_YEAR:
            continue
        version = home.version_manifest(name, manifest["version"])
        for table in sorted(DUE_ITEMS.keys() & manifest["outputs"].keys()):
            sha256 = manifest["outputs"][table]
            paths = (version.with_name(f"{table}.parquet"), readers_parquet(home, name, table))
            sound = next((path for path in paths if is_sound(path, sha256)), None)
            if sound is None:
                raise InputError(
                    code="damaged_version",
                    file=str(paths[0].relative_to(home.root)),
                    found="已发布的文件损坏或丢失，读者的那一份也不是发布时的内容",
                    expected="两者至少有一个是发布时的内容",
                    action="从备份（hotline backup）中取回这一个文件后重新运行",
                )
            found.append(sound)
    return found


def changed_files(home: Home, quarter: str) -> list[str]:
    """The names of the current files that the quarter's last version wasn't made from."""
    previous = latest_manifest(home, quarter)
    used = {entry["file_sha256"] for entry in previous["inputs"]} if previous else set()
    files = [f.file_name for f in current_files(home, quarter) if f.file_sha256 not in used]
    return list(dict.fromkeys(files))  # a workbook of several sources is named once


def _manifest(home: Home, drafted: Draft, run_id: str, reason: str) -> dict[str, Any]:
    quarter, previous = drafted.quarter, drafted.previous
    with connect(home) as connection:
        row = connection.execute(
            "select max(policy_version) from marts.hotline_unit_quarter where quarter = ?",
            [quarter],
        ).fetchone()
    return {
        "quarter": quarter,
        "version": previous["version"] + 1 if previous else 1,
        "run_id": run_id,
        "published_at": f"{datetime.now():%Y-%m-%d %H:%M:%S}",
        "as_of": str(Quarter.parse(quarter).end - timedelta(days=1)),
        "code_version": code_version(),
        "lock_sha256": lock_sha256(),
        "policy_version": row[0] if row else "",
        "rules_sha256": rules_sha256(),
        "inputs": [_input(file) for file in current_files(home, quarter)],
        "previous_inputs": [_input(file) for file in _previous_files(home, quarter)],
        "input_sha256": input_sha256(home, quarter),
        "outputs": drafted.outputs,
        "output_sha256": digest_of(drafted.outputs),
        "checks": check_results.counts(home, run_id),
        "controls": {
            group.control_group: {"match": group.match, "explained": group.explained}
            for group in reconciliation.summarise(reconciliation.controls(home, run_id))
        },
        "restatements": _restatements(home, quarter, reason) if previous else [],
    }


def _input(file: LakeFile) -> dict[str, str]:
    return {"source": file.source, "file_name": file.file_name, "file_sha256": file.file_sha256}


def _previous_files(home: Home, quarter: str) -> list[LakeFile]:
    """What the quarter before was built from, where it is loaded: comparisons with it need it."""
    previous = str(Quarter.parse(quarter).previous)
    with connect(home) as connection:
        rows = connection.execute(
            "select source, file_sha256 from audit.row_balance where quarter = $previous "
            "and exists (from facts.fct_ticket where quarter = $previous)",
            {"previous": previous},
        ).fetchall()
    return [file for file in all_files(home, previous) if (file.source, file.file_sha256) in rows]


def _restatements(home: Home, quarter: str, reason: str) -> list[dict[str, Any]]:
    """Every figure that differs from the last version, with the operator's reason and the cause."""
    files = changed_files(home, quarter)
    cause = f"来源文件变更：{'、'.join(files)}" if files else "业务规则、程序或上季度数据变更"
    told = {"reason": f"{reason}（{cause}）"}
    return [figure | told for figure in changed_figures(home, quarter)]


def _figures(
    connection: duckdb.DuckDBPyConnection, relation: str, quarter: str
) -> dict[tuple[str, str], str]:
    """A mart as {(unit code or empty, measure): value as text}; other keys prefix the measure."""
    cursor = connection.execute(f"select * from {relation} where quarter = ?", [quarter])  # noqa: S608 (our own names)
    columns = [column[0] for column in cursor.description or []]
    figures = {}
    for values in cursor.fetchall():
        row = dict(zip(columns, values, strict=True))
        prefix = "".join(f"{row[key]}." for key in KEY_COLUMNS[1:] if key in row)
        for column, value in row.items():
            if column not in KEY_COLUMNS and column != "quarter" and value is not None:
                figures[str(row.get("unit_code", "")), prefix + column] = str(value)
    return figures


def _mend(drafted: Draft, version: Path) -> None:
    """Put back a file of a version that was damaged or lost: the draft has the same bytes."""
    for table, sha256 in drafted.outputs.items():
        path = version / f"{table}.parquet"
        if not is_sound(path, sha256):
            (drafted.folder / path.name).replace(path)
