"""The working DuckDB file: the raw schema that dbt reads, and reading results back.

Every connection is opened and closed in one `with`: while it is open no other process can read.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import duckdb

from orchestration import __version__
from orchestration.ingest.contracts import Contract
from orchestration.ingest.lake import LakeFile, all_files, current_files
from orchestration.quarters import Quarter
from orchestration.settings import Home


@contextmanager
def connect(home: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the working warehouse, closed at the end of the block."""
    home.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    with duckdb.connect(str(home.warehouse)) as connection:
        yield connection


def query(home: Home, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
    """Rows of a query on the working warehouse, as dictionaries by column name."""
    with connect(home) as connection:
        cursor = connection.execute(sql, list(parameters))
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def is_built(home: Home, table: str) -> bool:
    """Whether the working warehouse has a table yet, such as `audit.reconciliation`."""
    schema, name = table.split(".")
    found = query(
        home,
        "select 1 from information_schema.tables where table_schema = ? and table_name = ?",
        [schema, name],
    )
    return bool(found)


def register_raw(
    home: Home, quarter: Quarter, run_id: str, contracts: dict[str, Contract]
) -> dict[str, int]:
    """Make schema `raw` for a run: its scope, the list of files, code values, views on the lake.

    dbt reads the quarter from `raw.run_scope`, not from a var, because a changed var makes dbt
    parse the whole project again.

    Returns:
        Current rows by source.
    """
    files, current = all_files(home), current_files(home, str(quarter))
    with connect(home) as connection:
        connection.execute("create schema if not exists raw")
        _replace_table(
            connection,
            "run_scope",
            "run_id varchar, quarter varchar, quarter_start date, quarter_end date, "
            "previous_quarter varchar, has_bulletin boolean, started_at timestamp, "
            "code_version varchar",
            [
                (
                    run_id,
                    str(quarter),
                    quarter.start,
                    quarter.end,
                    str(quarter.previous),
                    any(file.source == "bulletin" for file in current),
                    datetime.now().replace(microsecond=0),
                    __version__,
                )
            ],
        )
        _replace_table(
            connection,
            "source_file",
            "file_sha256 varchar, quarter varchar, source varchar, file_name varchar, "
            "byte_count bigint, encoding varchar, row_count bigint, counted_row_count bigint, "
            "received_at timestamp, superseded_by varchar",
            [
                (
                    file.file_sha256,
                    file.quarter,
                    file.source,
                    file.file_name,
                    file.byte_count,
                    file.encoding,
                    file.row_count,
                    file.counted_row_count,
                    file.received_at,
                    file.superseded_by,
                )
                for file in files
            ],
        )
        _replace_table(
            connection,
            "contract_value",
            "source varchar, column_name varchar, written_value varchar, code varchar",
            [
                (contract.source, column.name, written, code)
                for contract in contracts.values()
                for column in contract.columns
                for written, code in column.values.items()
            ],
        )
        for contract in contracts.values():
            _create_view(connection, home, contract, current)
    return {
        source: sum(file.row_count for file in current if file.source == source)
        for source in contracts
    }


def _replace_table(
    connection: duckdb.DuckDBPyConnection, name: str, columns: str, rows: list[tuple[Any, ...]]
) -> None:
    connection.execute(f"create or replace table raw.{name} ({columns})")
    if rows:
        marks = ", ".join("?" for _ in rows[0])
        connection.executemany(f"insert into raw.{name} values ({marks})", rows)  # noqa: S608 (fixed names)


def _create_view(
    connection: duckdb.DuckDBPyConnection,
    home: Home,
    contract: Contract,
    current: Sequence[LakeFile],
) -> None:
    """A view over the source's current lake files; without any, an empty one of the same shape."""
    paths = [str(file.parquet(home)) for file in current if file.source == contract.source]
    if paths:
        listed = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
        body = f"select * from read_parquet([{listed}])"  # noqa: S608 (paths named by hash)
    else:
        empty = [f"null::varchar as {name}" for name in contract.kept_columns]
        empty += ["null::varchar as file_sha256", "null::bigint as row_number"]
        body = f"select {', '.join(empty)} where false"
    connection.execute(f"create or replace view raw.{contract.source} as {body}")
