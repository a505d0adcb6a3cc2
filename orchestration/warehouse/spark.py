"""Spark as the engine: its input, the build on it, and the import of its tables into the home.

Spark runs the same models on the same raw lake. Afterwards the working warehouse has the readers'
tables as tables and all else as views over Spark's Parquet files, so that every later step
(expectations, gate, publication, pages) works as if DuckDB had built them. Business rules don't
belong here.
"""

import json
import logging
import os
import shlex
import shutil
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import fsspec
import polars as pl
from dbt.contracts.graph.manifest import Manifest

from orchestration.catalogue.tables import TableEntry, reader_tables
from orchestration.common.errors import InputError
from orchestration.common.settings import Home
from orchestration.ingest.lake import LakeFile, current_files
from orchestration.reading.columns import FILE_ORDER, LAKE_COLUMNS, canonical_columns
from orchestration.warehouse.connection import connect
from orchestration.warehouse.dbt import BuildResult, run_operation
from orchestration.warehouse.dbt import build as dbt_build
from orchestration.warehouse.history import APPEND_ONLY
from orchestration.warehouse.raw_schema import SCOPE

# The location of Spark's tables: a folder or URL that driver and workers can reach.
STORE = "HOTLINE_SPARK_STORE"
# The cluster of a session: `spark://host:port`, `yarn`, …; by default this machine alone.
MASTER = "HOTLINE_SPARK_MASTER"
RAW = "raw"
# Schemas that only models read: they aren't copied back into the home.
KEPT_ON_SPARK = ("staging", "intermediate", "controls", "semantic")
CONNECT_SECONDS = 5
# By substring of a failed statement's error: what was found, what is expected, what to do.
EXHAUSTED = {
    "No space left on device": (
        "磁盘空间不足",
        "Spark 的存放处和各节点临时目录（spark.local.dir）有足够空间",
        "清理磁盘，或把 spark.local.dir 指到空间够的盘",
    ),
    "OutOfMemoryError": (
        "内存不足",
        "执行器内存（spark.executor.memory）够用",
        "调大执行器内存，或增加分区数（spark.sql.shuffle.partitions）",
    ),
}

# Names and types, by `schema.table`.
Columns = Mapping[str, list[tuple[str, str]]]


def build(
    home: Home, manifest: Manifest, on_event: Callable[[dict[str, Any]], None]
) -> BuildResult:
    """Build seeds, models and data tests on Spark, check the contracts, import the tables.

    Args:
        home: a home with schema `raw` registered for the run; its working warehouse is written.
        manifest: from `parse_project("spark")`.
        on_event: called with dbt's log event for each node's result.

    Raises:
        InputError: the cluster can't be reached, or it ran out of disk or memory.
    """
    _check_cluster()
    store = _Store(home)
    os.environ.setdefault("PYSPARK_SUBMIT_ARGS", session_arguments(home))
    # PySpark logs each failed probe by dbt (does a table exist?) as an error of a page's length.
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)
    schemas = sorted({node.schema for node in _built_nodes(manifest)})
    statements = [
        f"create database if not exists {schema} location '{store.tables(schema)}'"
        for schema in (RAW, *schemas)
    ]
    statements += _raw_views(home, store)
    run_operation(home, manifest, "run_statements", {"statements": statements}, "spark")
    told = run_operation(home, manifest, "list_tables", {"schemas": schemas}, "spark")
    incremental = {n.name for n in _built_nodes(manifest) if n.config.materialized == "incremental"}
    store.remove_leftovers(json.loads(told), incremental)
    result = dbt_build(home, manifest, on_event, engine="spark")
    _check_resources(result)
    wanted = [
        f"{node.schema}.{node.name}"
        for node in _built_nodes(manifest)
        if node.config.materialized != "view" and node.schema not in KEPT_ON_SPARK
    ]
    told = run_operation(home, manifest, "list_columns", {"tables": wanted}, "spark")
    columns: Columns = {
        table: [(name, kind) for name, kind in found] for table, found in json.loads(told).items()
    }
    try:
        _bring_home(home, store, columns)
    except duckdb.ConstraintException as error:
        return BuildResult(result.run_results, error)
    return result


class _Store:
    """The place where Spark reads and writes; URLs are accessed through fsspec."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.root = (os.environ.get(STORE) or str(home.spark)).rstrip("/")
        self.is_local = "://" not in self.root
        self.files, self.path = fsspec.core.url_to_fs(self.root)

    def tables(self, schema: str) -> str:
        """The location of a schema's tables, in Spark's notation."""
        return f"{self.root}/tables/{schema}"

    def raw(self) -> str:
        """The location of the run's own tables (`SCOPE`), in Spark's notation."""
        return f"{self.root}/{RAW}"

    def lake_file(self, file: LakeFile) -> str:
        """A lake file's location for Spark: the file itself, or its copy in a remote store."""
        own = file.parquet(self.home)
        if self.is_local:
            return str(own)
        place = f"lake/{file.source}/{own.name}"
        if not self.files.exists(f"{self.path}/{place}"):
            self.files.makedirs(f"{self.path}/lake/{file.source}", exist_ok=True)
            self.files.put_file(str(own), f"{self.path}/{place}")
        return f"{self.root}/{place}"

    def put(self, folder: Path) -> None:
        """Replace the run's own tables in the store."""
        target = f"{self.path}/{RAW}"
        if self.files.exists(target):
            self.files.rm(target, recursive=True)
        self.files.makedirs(self.path, exist_ok=True)
        self.files.put(str(folder), target, recursive=True)

    def remove_leftovers(self, tables: Mapping[str, list[str]], incremental: set[str]) -> None:
        """Remove folders that belong to no table: the output of an interrupted build.

        Complete folders of incremental tables are kept, because they contain other quarters. They
        stop the run.
        """
        for schema, known in tables.items():
            place = f"{self.path}/tables/{schema}"
            folders = self.files.ls(place, detail=False) if self.files.exists(place) else []
            for folder in folders:
                name = folder.rstrip("/").rpartition("/")[2]
                is_whole = name in incremental and self.files.exists(f"{folder}/_SUCCESS")
                if name not in known and not is_whole:
                    self.files.rm(folder, recursive=True)

    def parquet(self, schema: str, table: str) -> list[str]:
        """A table's files on this machine, where DuckDB can read them."""
        place = f"{self.path}/tables/{schema}/{table}"
        if not self.is_local:
            copy = self.home.spark / "tables" / schema / table
            shutil.rmtree(copy, ignore_errors=True)
            copy.parent.mkdir(parents=True, exist_ok=True)
            self.files.get(place, str(copy), recursive=True)
            place = str(copy)
        return sorted(str(path) for path in Path(place).glob("**/*.parquet"))


def _check_cluster() -> None:
    """Fail at once if the cluster can't be reached; Spark itself would take minutes.

    Raises:
        InputError: nothing listens at the cluster's addresses.
    """
    if places := _cluster_places():
        for host, port in places:
            try:
                socket.create_connection((host, port), CONNECT_SECONDS).close()
                return
            except OSError:
                continue
        named = "、".join(f"{host}:{port}" for host, port in places)
        raise InputError(
            code="no_cluster",
            found=f"连不上 Spark 集群（{named}）",
            expected="集群在运行，本机能连到",
            action=f"启动集群，或改正 {MASTER}（会话）、HOTLINE_SPARK_HOST 和 PORT（Thrift）",
        )


def _cluster_places() -> list[tuple[str, int]]:
    """Host and port of the Thrift server or of each standalone master; others aren't checked."""
    if os.environ.get("HOTLINE_SPARK_METHOD") == "thrift":
        host = os.environ.get("HOTLINE_SPARK_HOST", "localhost")
        return [(host, int(os.environ.get("HOTLINE_SPARK_PORT", "10000")))]
    kind, _, masters = os.environ.get(MASTER, "").partition("://")
    if kind != "spark":
        return []
    return [
        (host, int(port or 7077))
        for host, _, port in (master.partition(":") for master in masters.split(","))
    ]


def session_arguments(home: Home) -> str:
    """The submit arguments of a session in this process: its cluster, a catalogue in the home."""
    home.spark.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings = {
        "spark.sql.warehouse.dir": home.spark / "tables",
        "spark.hadoop.javax.jdo.option.ConnectionURL": (
            f"jdbc:derby:;databaseName={home.spark}/catalogue;create=true"
        ),
        "spark.driver.defaultJavaOptions": f"-Dderby.stream.error.file={home.spark}/derby.log",
    }
    words = ["--master", os.environ.get(MASTER) or "local[*]"]
    for name, value in settings.items():
        words += ["--conf", f"{name}={value}"]
    return shlex.join([*words, "pyspark-shell"])


def _check_resources(result: BuildResult) -> None:
    told = " ".join(str(entry.get("message")) for entry in result.run_results["results"])
    for sign, (found, expected, action) in EXHAUSTED.items():
        if sign in told or sign in str(result.exception):
            raise InputError(
                code="spark_exhausted",
                found=f"Spark 集群{found}",
                expected=expected,
                action=f"{action}；然后重新运行",
            )


def _built_nodes(manifest: Manifest) -> list[Any]:
    """The seeds and models."""
    return [n for n in manifest.nodes.values() if n.resource_type in ("model", "seed")]


def _raw_views(home: Home, store: _Store) -> Iterator[str]:
    """SQL for schema `raw` on Spark: views over the run's own tables and over lake files."""
    folder = home.scratch / "spark-raw"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with connect(home) as connection:
        for table in SCOPE:
            connection.execute(f"copy raw.{table} to '{folder / table}.parquet' (format parquet)")
        row = connection.execute("select quarter from raw.run_scope").fetchone()
        read = {
            source for (source,) in connection.execute("select source from raw.contract").fetchall()
        }
    store.put(folder)
    for table in SCOPE:
        body = f"select * from {_parquet(f'{store.raw()}/{table}.parquet')}"  # noqa: S608 (our own paths)
        yield f"create or replace view {RAW}.{table} as {body}"
    current = current_files(home, row[0] if row else "")
    for source, columns in canonical_columns().items():
        files = [file for file in current if file.source == source and source in read]
        yield f"create or replace view {RAW}.{source} as {_lake_rows(store, files, columns)}"


def _lake_rows(store: _Store, files: Iterable[LakeFile], columns: Iterable[str]) -> str:
    """SQL for a source's rows and their file order; `raw_schema.raw_rows` is DuckDB's version."""
    selects = []
    for order, file in enumerate(files, start=1):
        kept = pl.read_parquet_schema(file.parquet(store.home))
        names = [name if name in kept else f"cast(null as string) as {name}" for name in columns]
        names += [
            f"cast({name} as {kind.replace('varchar', 'string')}) as {name}"
            for name, kind in LAKE_COLUMNS.items()
        ]
        rows = _parquet(store.lake_file(file))
        names.append(f"{order} as {FILE_ORDER}")
        selects.append(f"select {', '.join(names)} from {rows}")  # noqa: S608 (our own names)
    if selects:
        return " union all ".join(selects)
    kinds = dict.fromkeys(columns, "string") | LAKE_COLUMNS | {FILE_ORDER: "int"}
    nulls = (
        f"cast(null as {kind.replace('varchar', 'string')}) as {name}"
        for name, kind in kinds.items()
    )
    return f"select {', '.join(nulls)} where false"


def _parquet(place: str) -> str:
    escaped = place.replace("`", "``")
    return f"parquet.`{escaped}`"


def _bring_home(home: Home, store: _Store, columns: Columns) -> None:
    """Import what Spark built into the working warehouse, which enforces the tables' contracts.

    Raises:
        duckdb.ConstraintException: a column's type differs from the contract, or a value is null
            where the contract forbids it.
    """
    with connect(home) as connection:
        for table, found in columns.items():
            schema, _, name = table.partition(".")
            rows = _home_rows(store.parquet(schema, name), found)
            connection.execute(f"create schema if not exists {schema}")
            entry = reader_tables().get((schema, name))
            if entry is None:
                connection.execute(f"create or replace view {table} as {rows}")
                continue
            _check_types(entry, found)
            if name in APPEND_ONLY:
                connection.execute(entry.create_statement)
                rows += " where run_id in (select run_id from raw.run_scope)"
                connection.execute(
                    f"delete from {table} where run_id in (select run_id from raw.run_scope)"  # noqa: S608 (our own names)
                )
            else:
                connection.execute(f"drop table if exists {table}")
                connection.execute(entry.create_statement)
            connection.execute(f"insert into {table} by name {rows}")


def _home_rows(files: list[str], columns: list[tuple[str, str]]) -> str:
    """SQL for a table's rows in Parquet files, with columns in the order of the models.

    Spark writes the partition column last; in the models, the quarter comes first.
    """
    kinds = {name: kind.replace("timestamp_ntz", "timestamp") for name, kind in columns}
    names = list(kinds)
    if names[-1] == "quarter":
        names = ["quarter", *names[:-1]]
    casts = ", ".join(f"cast({n} as {kinds[n]}) as {n}" for n in names)
    if not files:
        nothing = ", ".join(f"null as {name}" for name in names)
        return f"select {casts} from (select {nothing}) where false"  # noqa: S608 (our own names)
    listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
    return (
        f"select {casts} from read_parquet([{listed}], hive_partitioning = true, "  # noqa: S608 (our own names)
        "hive_types_autocast = false)"
    )


def _check_types(entry: TableEntry, columns: list[tuple[str, str]]) -> None:
    """Compare column types with the contract; dbt misses a type that an incremental model changed.

    Raises:
        duckdb.ConstraintException: a type differs, or a column is missing or surplus.
    """
    declared = {
        column.name: column.data_type.replace("timestamp", "timestamp_ntz")
        for column in entry.columns
    }
    built = dict(columns)
    wrong = [
        f"{name} 为 {built.get(name, '（无）')}，契约为 {declared.get(name, '（无）')}"
        for name in sorted(declared.keys() | built.keys())
        if declared.get(name) != built.get(name)
    ]
    if wrong:
        raise duckdb.ConstraintException(f"{entry.schema}.{entry.name}：{'；'.join(wrong)}")
