"""Publishing a quarter: versions, restatements, and the copies that readers see.

A version is a folder that appears whole by one rename; everything else that readers see is derived
from the versions and can be made again. `audit.publication` and `audit.restatement` are read off
the versions' manifests, so that a run that was cut off leaves nothing half-told.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from orchestration import __version__
from orchestration.errors import InputError
from orchestration.ingest.lake import LakeFile, all_files, current_files, sha256_of
from orchestration.quarters import Quarter
from orchestration.settings import Home, rule_files
from orchestration.warehouse import connect

# What tells the rows of a mart apart within a quarter; a mart has one or two of these.
KEY_COLUMNS = ("unit_code", "mailbox", "component", "channel", "request_type", "category")
READER_SCHEMAS = ("marts", "audit")
# Facts go along as Parquet, so that a published figure leads back to its source rows.
EXPORTED_SCHEMAS = ("marts", "facts")
FACT_PREFIX = "fct_"
# Readers' tools still ship DuckDB 1.x, which can't open the newest storage version.
READER_STORAGE_VERSION = "v1.0.0"


@dataclass(frozen=True)
class Publication:
    """The outcome of a publication: `is_new` is false where no figure or source row changed."""

    quarter: str
    version: int
    is_new: bool
    restatement_count: int


def input_sha256(home: Home, quarter: str) -> str:
    """One hash over what decides a quarter's figures: its current files and the rules."""
    return _digest({"files": _input_hashes(home, quarter), "rules": rules_sha256()})


def publish(home: Home, quarter: str, run_id: str) -> Publication:
    """Publish a quarter's marts and facts as they stand in the working warehouse.

    A new version is made only if a figure or the rows behind it changed; its restatements say which
    figures (none where an export only arrived in another form). The copies for readers are
    refreshed in either case, because the audit tables grow with every run.
    """
    versions = home.published / "versions" / quarter
    previous = _latest_manifest(home, quarter)
    staging = home.scratch / f"version-{quarter}"
    shutil.rmtree(staging, ignore_errors=True)
    outputs = export_outputs(home, quarter, staging)
    if previous is not None and previous["outputs"] == outputs:
        manifest, is_new = previous, False
        shutil.rmtree(staging)
    else:
        manifest, is_new = _manifest(home, quarter, run_id, outputs, previous), True
        manifest["restatements"] = _restatements(versions, previous, staging, manifest)
        (staging / "manifest.json").write_text(
            json.dumps(manifest, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
        )
        versions.mkdir(parents=True, exist_ok=True)
        staging.rename(versions / f"v{manifest['version']}")
    _refresh_parquet(home, quarter, versions / f"v{manifest['version']}")
    _refresh_duckdb(home)
    return Publication(
        quarter, manifest["version"], is_new, len(manifest["restatements"]) if is_new else 0
    )


def manifests(home: Home) -> list[dict[str, Any]]:
    """All manifests, by quarter and version."""
    paths = (home.published / "versions").glob("*/v*/manifest.json")
    found = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    return sorted(found, key=lambda manifest: (manifest["quarter"], manifest["version"]))


def published_manifest(home: Home, quarter: str) -> dict[str, Any]:
    """The manifest of a quarter's latest version.

    Raises:
        InputError: no quarter is written so, or it was never published in this home.
    """
    Quarter.parse(quarter)
    manifest = _latest_manifest(home, quarter)
    if manifest is None:
        known = sorted({entry["quarter"] for entry in manifests(home)})
        raise InputError(
            code="not_published",
            found=f"{quarter} 还没有发布过",
            expected=f"已发布的季度：{'、'.join(known) or '（还没有）'}",
            action=f"先运行 hotline run {quarter}，或改正季度或 --home",
        )
    return manifest


def readers_parquet(home: Home, quarter: str, table: str) -> Path:
    """Where readers find a quarter of a mart or a fact."""
    return home.published / "parquet" / table / f"quarter={quarter}" / f"{table}.parquet"


def _latest_manifest(home: Home, quarter: str) -> dict[str, Any] | None:
    return next((m for m in reversed(manifests(home)) if m["quarter"] == quarter), None)


def export_outputs(home: Home, quarter: str, folder: Path) -> dict[str, str]:
    """Write a quarter of each mart and fact to Parquet in a total order; hashes by table.

    Each goes through a table of its own: the writer spends bytes on what a table's statistics say
    could be there, such as nulls in another quarter, and the bytes may depend on the quarter alone.
    """
    folder.mkdir(parents=True)
    with connect(home) as connection:
        for schema in EXPORTED_SCHEMAS:
            for table in _tables(connection, schema):
                target = str(folder / f"{table}.parquet").replace("'", "''")
                connection.execute(
                    f"create or replace temp table export as select * from {schema}.{table} "  # noqa: S608 (our own names)
                    "where quarter = ? order by all",
                    [quarter],
                )
                connection.execute(f"copy export to '{target}' (format parquet, compression zstd)")
    return {path.stem: sha256_of(path) for path in sorted(folder.glob("*.parquet"))}


def _manifest(
    home: Home,
    quarter: str,
    run_id: str,
    outputs: Mapping[str, str],
    previous: Mapping[str, Any] | None,
) -> dict[str, Any]:
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
        "code_version": __version__,
        "policy_version": row[0] if row else "",
        "rules_sha256": rules_sha256(),
        "inputs": [_input(file) for file in current_files(home, quarter)],
        "previous_inputs": [_input(file) for file in _previous_files(home, quarter)],
        "input_sha256": input_sha256(home, quarter),
        "outputs": dict(outputs),
        "output_sha256": _digest(outputs),
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
    return [
        file
        for file in all_files(home)
        if file.quarter == previous and (file.source, file.file_sha256) in rows
    ]


def _restatements(
    versions: Path, previous: Mapping[str, Any] | None, staging: Path, manifest: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Every figure that differs from the last version, with what made it differ."""
    if previous is None:
        return []
    old_folder = versions / f"v{previous['version']}"
    old_hashes = {entry["file_sha256"] for entry in previous["inputs"]}
    changed = dict.fromkeys(  # a workbook of several sources is named once
        entry["file_name"] for entry in manifest["inputs"] if entry["file_sha256"] not in old_hashes
    )
    reason = f"来源文件变更：{'、'.join(changed)}" if changed else "业务规则、程序或上季度数据变更"
    rows = []
    for table in (name for name in manifest["outputs"] if not name.startswith(FACT_PREFIX)):
        old, new = (_long(folder / f"{table}.parquet") for folder in (old_folder, staging))
        for key in sorted(old.keys() | new.keys()):
            if old.get(key) != new.get(key):
                unit_code, measure = key
                rows.append(
                    {
                        "table_name": table,
                        "unit_code": unit_code,
                        "measure": measure,
                        "old_value": old.get(key),
                        "new_value": new.get(key),
                        "reason": reason,
                    }
                )
    return rows


def _long(path: Path) -> dict[tuple[str, str], str]:
    """A mart as {(unit code or empty, measure): value as text}; other keys prefix the measure."""
    if not path.exists():
        return {}
    frame = pl.read_parquet(path)
    keys = [column for column in frame.columns if column in KEY_COLUMNS]
    figures = {}
    for row in frame.iter_rows(named=True):
        prefix = "".join(f"{row[key]}." for key in keys if key != "unit_code")
        for column, value in row.items():
            if column not in keys and column != "quarter" and value is not None:
                figures[str(row.get("unit_code", "")), prefix + column] = str(value)
    return figures


def _refresh_parquet(home: Home, quarter: str, version: Path) -> None:
    for path in sorted(version.glob("*.parquet")):
        target = readers_parquet(home, quarter, path.stem)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{path.name}.tmp")
        shutil.copyfile(path, temporary)
        temporary.replace(target)


def _refresh_duckdb(home: Home) -> None:
    """Copy the readers' schemas into a new file and swap it in; open readers keep the old one."""
    temporary = home.scratch / "marts.duckdb"
    temporary.unlink(missing_ok=True)
    told = manifests(home)
    with connect(home) as connection:
        _write_publication_tables(connection, told)
        path = str(temporary).replace("'", "''")
        connection.execute(
            f"attach '{path}' as readers (storage_version '{READER_STORAGE_VERSION}')"
        )
        for schema in READER_SCHEMAS:
            connection.execute(f"create schema readers.{schema}")
            for table in _tables(connection, schema):
                connection.execute(
                    f"create table readers.{schema}.{table} as "  # noqa: S608 (our own names)
                    f"select * from {schema}.{table} order by all"
                )
        _copy_comments(connection)
        connection.execute("detach readers")
    temporary.replace(home.published / "marts.duckdb")


def _write_publication_tables(
    connection: duckdb.DuckDBPyConnection, told: list[dict[str, Any]]
) -> None:
    connection.execute(
        "create or replace table audit.publication (quarter varchar, version bigint, "
        "published_at timestamp, code_version varchar, policy_version varchar, "
        "input_sha256 varchar, output_sha256 varchar)"
    )
    connection.execute(
        "create or replace table audit.restatement (quarter varchar, version bigint, "
        "previous_version bigint, table_name varchar, unit_code varchar, measure varchar, "
        "old_value varchar, new_value varchar, reason varchar)"
    )
    for manifest in told:
        columns = ("published_at", "code_version", "policy_version", "input_sha256")
        connection.execute(
            "insert into audit.publication values (?, ?, ?, ?, ?, ?, ?)",
            [
                manifest["quarter"],
                manifest["version"],
                *(manifest[column] for column in columns),
                manifest["output_sha256"],
            ],
        )
        for row in manifest["restatements"]:
            connection.execute(
                "insert into audit.restatement values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    manifest["quarter"],
                    manifest["version"],
                    manifest["version"] - 1,
                    *row.values(),
                ],
            )


def _copy_comments(connection: duckdb.DuckDBPyConnection) -> None:
    """Carry the columns' Chinese labels over, so that a BI tool can show them."""
    commented = connection.execute(
        "select schema_name, table_name, column_name, comment from duckdb_columns() "
        "where database_name = current_database() and schema_name in ('marts', 'audit') "
        "and comment is not null order by all"
    ).fetchall()
    for schema, table, column, comment in commented:
        text = comment.replace("'", "''")
        connection.execute(f"comment on column readers.{schema}.{table}.{column} is '{text}'")


def _tables(connection: duckdb.DuckDBPyConnection, schema: str) -> list[str]:
    rows = connection.execute(
        "select table_name from information_schema.tables where table_schema = ? "
        "and table_catalog = current_database() order by table_name",
        [schema],
    ).fetchall()
    return [name for (name,) in rows]


def _input_hashes(home: Home, quarter: str) -> list[str]:
    return sorted(f"{f.source}:{f.file_sha256}" for f in current_files(home, quarter))


def rules_sha256() -> str:
    """One hash over the dated business rules and the contracts."""
    return _digest({f"{path.parent.name}/{path.name}": sha256_of(path) for path in rule_files()})


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
