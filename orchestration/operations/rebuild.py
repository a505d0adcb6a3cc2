"""Rebuilds the working warehouse after an upgrade, a loss or an erasure.

It is rebuilt from the lake, quarter by quarter. Only the results of earlier runs are carried over.
The old file is kept under another name until the new one is complete, so that the next run can
resume after a crash. Published versions don't change.
"""

import hashlib
import json

import duckdb
import yaml

from orchestration.catalogue.tables import reader_tables
from orchestration.common.errors import InputError
from orchestration.common.quarters import Quarter
from orchestration.common.settings import DBT_PROJECT, Home, engine, rule_files
from orchestration.ingest.lake import all_files, current_files
from orchestration.publish.publication import compared_files
from orchestration.reading.contracts import Contract
from orchestration.warehouse.connection import connect
from orchestration.warehouse.history import restore
from orchestration.warehouse.raw_schema import register_raw

# Raised when tables that grow over quarters change in a way that their columns don't show.
LAYOUT = 1
# The smallest size of a DuckDB file with content; a run that died early leaves a smaller one.
HEADER_BYTES = 3 * 4096
RECORD = "raw.built_by"
# Models that append a run's results: a rebuild leaves them out.
KEPT_RESULTS = ("hotline.reconciliation.reconciliation",)


def schema_sha256() -> str:
    """One hash over the columns of every table that outlives a run: facts, marts, audit, seeds."""
    facts = (DBT_PROJECT / "models" / "facts" / "_facts.yml").read_text(encoding="utf-8")
    columns = {
        model["name"]: [column["name"] for column in model["columns"]]
        for model in yaml.load(facts, Loader=yaml.CSafeLoader)["models"]
    }
    columns |= {
        ".".join(key): [f"{column.name} {column.data_type}" for column in entry.columns]
        for key, entry in reader_tables().items()
    }
    for path in rule_files():
        if path.suffix == ".csv":
            with path.open(encoding="utf-8-sig") as seed:
                columns[path.name] = [seed.readline().strip()]
    return hashlib.sha256(json.dumps([LAYOUT, columns], sort_keys=True).encode()).hexdigest()


def why_rebuild(home: Home) -> str:
    """Why the working warehouse has to be rebuilt, in Chinese; empty if it is in order.

    A warehouse that can't be opened is not judged: the code that needs it reports why.
    """
    if engine() == "spark":  # its tables are in Spark's store, and its runs bring them home
        return ""
    if home.set_aside.exists():
        return "上一次重建没有完成"
    if not home.warehouse.exists():
        return "没有工作库" if all_files(home) else ""
    try:
        with duckdb.connect(str(home.warehouse), read_only=True) as connection:
            found = connection.execute(f"select schema_sha256 from {RECORD}").fetchone()  # noqa: S608 (our own name)
    except duckdb.CatalogException:
        found = None
    except duckdb.Error:
        return ""
    return "" if found == (schema_sha256(),) else "工作库由结构不同的版本写成"


def prepare(home: Home, contracts: dict[str, Contract]) -> None:
    """Make sure that the working warehouse fits this version; the caller holds the home.

    Raises:
        InputError: a quarter can't be built from the lake.
    """
    if home.warehouse.exists() and home.warehouse.stat().st_size < HEADER_BYTES:
        home.warehouse.unlink()
    why = why_rebuild(home)
    if why:
        set_aside(home)
    is_new = not home.warehouse.exists()
    restore(home)
    if why:
        _build_quarters(home, contracts)
    if is_new:
        _record(home)
    for path in (home.set_aside, home.set_aside.with_name(f"{home.set_aside.name}.wal")):
        path.unlink(missing_ok=True)


def set_aside(home: Home) -> None:
    """Rename the working warehouse; delete it instead if an earlier rename left a complete one."""
    wal, wal_aside = (
        path.with_name(path.name + ".wal") for path in (home.warehouse, home.set_aside)
    )
    if home.set_aside.exists():
        home.warehouse.unlink(missing_ok=True)
        wal.unlink(missing_ok=True)
    elif home.warehouse.exists():
        if wal.exists():
            wal.replace(wal_aside)
        home.warehouse.replace(home.set_aside)


def _build_quarters(home: Home, contracts: dict[str, Contract]) -> None:
    """Build every quarter whose files are all in the lake.

    The oldest comes first, because each quarter is compared with the one before.
    """
    from orchestration.warehouse.dbt import build, close_warehouse, parse_project  # slow to import

    quarters = sorted({file.quarter for file in all_files(home)})
    whole = [
        quarter
        for quarter in quarters
        if (files := current_files(home, quarter))
        and all(file.source in contracts and file.parquet(home).exists() for file in files)
    ]
    if not whole:
        return
    project = parse_project()
    for quarter in whole:
        compared = compared_files(home, quarter)
        register_raw(home, Quarter.parse(quarter), "rebuild", contracts, compared)
        result = build(home, project, lambda _: None, leave_out=["test"], exclude=KEPT_RESULTS)
        broken = [r["unique_id"] for r in result.run_results["results"] if r["status"] == "error"]
        if broken or result.exception:
            raise InputError(
                code="rebuild_failed",
                found=f"由原始层重建 {quarter} 时出错：{'、'.join(broken) or result.exception}",
                expected="这一版程序能读的原始层与业务规则",
                action="改正后重新运行；旧的工作库和已发布的版本都还在",
            )
    close_warehouse()


def _record(home: Home) -> None:
    with connect(home) as connection:
        connection.execute("create schema if not exists raw")
        connection.execute(
            f"create or replace table {RECORD} as select $1 as schema_sha256", [schema_sha256()]
        )
