"""The working DuckDB file: connections, queries and inserts.

Every connection is opened and closed in one `with` block, because no other process can read the
file while it is open.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from orchestration.common.errors import InputError
from orchestration.common.settings import Home

ROWS_A_STATEMENT = 1000
# Seconds to wait for another process that has the file open.
PATIENCE_SECONDS = 3.0


@contextmanager
def connect(home: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the working warehouse, closed at the end of the block.

    Raises:
        InputError: another process still has the file open after `PATIENCE_SECONDS`.
    """
    home.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            opened = duckdb.connect(str(home.warehouse), config=home.duckdb_config)
            break
        except duckdb.IOException as error:
            if "lock" not in str(error):
                raise
            if time.monotonic() < deadline:  # commands that only read hold it for a moment
                time.sleep(0.1)
                continue
            raise InputError(
                code="home_busy",
                file=home.warehouse.name,
                found="工作库正被另一个程序打开",
                expected="同一时间只有一个程序打开工作库；读者用 published/marts.duckdb",
                action="关闭打开它的程序（如 DuckDB 客户端、BI 工具），或等那次运行结束后重试",
            ) from error
    with opened as connection:
        yield connection


@contextmanager
def bare_connection(home: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection without a database file, for queries on files; it spills to the scratch."""
    with duckdb.connect(config=home.duckdb_config) as connection:
        yield connection


def quoted(path: Path) -> str:
    """A path, escaped for use between single quotes in SQL."""
    return str(path).replace("'", "''")


def query(
    home: Home, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
) -> list[dict[str, Any]]:
    """Rows of a query on the working warehouse, as dictionaries by column name."""
    with connect(home) as connection:
        cursor = connection.execute(sql, parameters)
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def is_built(home: Home, table: str) -> bool:
    """Whether the working warehouse has a table yet, such as `audit.reconciliation`."""
    with connect(home) as connection:
        return _has(connection, table)


def tables_of(connection: duckdb.DuckDBPyConnection, schema: str) -> list[str]:
    """The names of a schema's tables in the database in use, in order."""
    rows = connection.execute(
        "select table_name from information_schema.tables where table_schema = ? "
        "and table_catalog = current_database() order by table_name",
        [schema],
    ).fetchall()
    return [name for (name,) in rows]


def time_on_record(connection: duckdb.DuckDBPyConnection, run_id: str) -> datetime:
    """The current time, but after every time that other runs recorded (the clock may be set back).

    This time determines which run of a quarter is the last.
    """
    moments = [datetime.now().replace(microsecond=0)]
    for table in filter(partial(_has, connection), ("audit.reconciliation", "audit.check_result")):
        row = connection.execute(
            f"select max(checked_at) from {table} where run_id <> ?",  # noqa: S608 (our own names)
            [run_id],
        ).fetchone()
        if row and row[0]:
            moments.append(row[0] + timedelta(seconds=1))
    return max(moments)


def _has(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    found = connection.execute(
        "select 1 from information_schema.tables where table_schema = ? and table_name = ?",
        table.split("."),
    )
    return found.fetchone() is not None


def insert_rows(
    connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Sequence[Any]]
) -> None:
    """Insert rows in batches: DuckDB takes a millisecond per statement."""
    for start in range(0, len(rows), ROWS_A_STATEMENT):
        batch = rows[start : start + ROWS_A_STATEMENT]
        marks = ", ".join(f"({', '.join('?' for _ in row)})" for row in batch)
        values = [value for row in batch for value in row]
        connection.execute(f"insert into {table} values {marks}", values)  # noqa: S608 (our own names)
