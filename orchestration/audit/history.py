"""The append-only audit tables over time: kept through a rebuild, shown control by control."""

import duckdb

from orchestration.errors import InputError
from orchestration.settings import Home

APPEND_ONLY = ("reconciliation", "check_result")


def restore(home: Home) -> None:
    """Take past runs' results over from the published copy into a new working warehouse.

    Everything else in the warehouse is rebuilt from the lake; what earlier runs found can't be. It
    appears whole: one that was half filled would pass for a warehouse with a short history.

    Raises:
        InputError: the published copy can't be read.
    """
    published = home.published / "marts.duckdb"
    if home.warehouse.exists():
        return
    # What a run that died hadn't written into the file that is gone yet: it fits no other.
    home.warehouse.with_name(home.warehouse.name + ".wal").unlink(missing_ok=True)
    if not published.exists():
        return
    built = home.scratch / home.warehouse.name
    path = str(published).replace("'", "''")
    with duckdb.connect(str(built)) as connection:
        try:
            connection.execute(f"attach '{path}' as published (read_only)")
        except duckdb.Error as error:
            raise InputError(
                code="damaged_copy",
                file="published/marts.duckdb",
                found="没有工作库 hotline.duckdb，发布的副本也读不出来，历次核对的记录无处可取",
                expected="两者至少有一个完好",
                action="从备份（hotline backup）中取回 published/marts.duckdb 后重新运行；"
                "没有备份就把它移走再运行，记录从这一次重新开始",
            ) from error
        connection.execute("create schema audit")
        for table in APPEND_ONLY:  # our own names, so that the SQL below is safe
            connection.execute(
                f"create table audit.{table} as select * from published.audit.{table}"  # noqa: S608
            )
        connection.execute("checkpoint")  # a full disk is told here, and not passed over by closing
    built.replace(home.warehouse)


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
