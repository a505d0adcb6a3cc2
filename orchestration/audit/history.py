"""The append-only audit tables over time: kept through a rebuild, shown control by control."""

import duckdb

from orchestration.settings import Home
from orchestration.warehouse import connect

APPEND_ONLY = ("reconciliation", "check_result")


def restore(home: Home) -> None:
    """Take past runs' results over from the published copy into a new working warehouse.

    Everything else in the warehouse is rebuilt from the lake; what earlier runs found can't be.
    """
    published = home.published / "marts.duckdb"
    if home.warehouse.exists() or not published.exists():
        return
    with connect(home) as connection:
        path = str(published).replace("'", "''")
        connection.execute(f"attach '{path}' as published (read_only)")
        connection.execute("create schema if not exists audit")
        for table in APPEND_ONLY:  # our own names, so that the SQL below is safe
            connection.execute(
                f"create table audit.{table} as select * from published.audit.{table}"  # noqa: S608
            )


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
