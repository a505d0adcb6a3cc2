"""Keeping the append-only audit tables when a working warehouse has to be built anew."""

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
