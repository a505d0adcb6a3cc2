"""The append-only audit tables: keeping them through a rebuild, and their history by control.

Recording results doesn't belong here.
"""

from pathlib import Path

import duckdb

from orchestration.catalogue.tables import reader_tables
from orchestration.common.errors import InputError
from orchestration.common.settings import Home
from orchestration.warehouse.connection import quoted

APPEND_ONLY = ("reconciliation", "check_result")


def restore(home: Home) -> None:
    """Create a missing working warehouse with the results of past runs, if there are any.

    They come from the previous warehouse (`Home.set_aside`), which also has the runs since the last
    publication, else from the published copy. Everything else in the warehouse can be rebuilt from
    the lake. The new file appears only once it is complete: a partial one would look like a
    warehouse with a short history.

    Raises:
        InputError: there are past results, but no copy of them is readable.
    """
    if home.warehouse.exists():
        return
    # A WAL left by a run that died belongs to the missing file and fits no other.
    home.warehouse.with_name(home.warehouse.name + ".wal").unlink(missing_ok=True)
    # The previous warehouse may have a WAL, which only a writable connection can read.
    places = ((home.set_aside, ""), (home.published / "marts.duckdb", "(read_only)"))
    unreadable: duckdb.Error | None = None
    for place, mode in places:
        if not place.exists():
            continue
        built = home.scratch / home.warehouse.name
        built.unlink(missing_ok=True)
        try:
            _take_over(built, place, mode)
        except duckdb.CatalogException:
            continue  # a run died before it recorded any result
        except duckdb.Error as error:
            unreadable = error
            continue
        built.replace(home.warehouse)
        return
    if unreadable:
        raise InputError(
            code="damaged_copy",
            file="published/marts.duckdb",
            found="没有工作库 hotline.duckdb，发布的副本也读不出来，历次核对的记录无处可取",
            expected="两者至少有一个完好",
            action="从备份（hotline backup）中取回 published/marts.duckdb 后重新运行；"
            "没有备份就把它移走再运行，记录从这一次重新开始",
        ) from unreadable


def _take_over(built: Path, place: Path, mode: str) -> None:
    """Copy another database's append-only tables to a new one; columns that it lacks are null.

    Raises:
        duckdb.CatalogException: the other database never had these tables.
        duckdb.Error: the other database can't be read.
    """
    with duckdb.connect(str(built)) as connection:
        connection.execute(f"attach '{quoted(place)}' as earlier {mode}")
        connection.execute("create schema audit")
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
        connection.execute("checkpoint")  # raises if the disk is full; closing would ignore it


def write_control_history(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the view of each control's results per run, with the run's inputs and code version."""
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
