"""The append-only audit tables over time: kept through a rebuild, shown control by control."""

from contextlib import suppress
from pathlib import Path

import duckdb

from orchestration.dictionary.tables import reader_tables
from orchestration.settings import Home
from orchestration.warehouse import connect, transaction

APPEND_ONLY = ("reconciliation", "check_result")


def restore(home: Home) -> None:
    """Take past runs' results over into a new working warehouse; nothing if there are none.

    They come from the warehouse that was set aside, which also knows the runs since the last
    publication, else from the published copy. Everything else in the warehouse is rebuilt from the
    lake; what earlier runs found can't be.
    """
    # What was set aside may have a log of changes beside it, which only a writer can read.
    for source, mode in ((home.set_aside, ""), (home.published / "marts.duckdb", "(read_only)")):
        if source.exists():
            with connect(home) as connection, suppress(duckdb.Error):
                _take_over(connection, source, mode)
                return


def _take_over(connection: duckdb.DuckDBPyConnection, source: Path, mode: str) -> None:
    """Copy the append-only tables, whole or not at all; a column that the source lacks is null.

    Raises:
        duckdb.Error: the source can't be read, or never had them.
    """
    path = str(source).replace("'", "''")
    connection.execute(f"attach '{path}' as earlier {mode}")
    try:
        with transaction(connection):
            connection.execute("create schema if not exists audit")
            for table in APPEND_ONLY:
                known = connection.table(f"earlier.audit.{table}").columns
                columns = ", ".join(
                    column.name
                    if column.name in known
                    else f"cast(null as {column.duckdb_type}) as {column.name}"
                    for column in reader_tables()["audit", table].columns
                )
                connection.execute(
                    f"create table audit.{table} as "  # noqa: S608 (our own names)
                    f"select {columns} from earlier.audit.{table}"
                )
    finally:
        connection.execute("detach earlier")


def write_control_history(connection: duckdb.DuckDBPyConnection) -> None:
    """The view of how each control fared in each run, with what went into the run."""
    connection.execute(
        "create or replace view audit.control_history as select control_id, result.quarter, "
        "result.checked_at, result.run_id, input_sha256, code_version, count(*) as total_count, "
        "count(*) filter (where status = 'match') as match_count, "
        "count(*) filter (where status = 'explained') as explained_count, "
        "count(*) filter (where status not in ('match', 'explained')) as broken_count "
        "from audit.reconciliation as result left join (select run_id, "
        "max(input_sha256) as input_sha256, max(code_version) as code_version "
        "from audit.check_result group by run_id) as run using (run_id) group by all"
    )
