"""Publishing to a real PostgreSQL server, started for this module from Debian's package."""

import shutil
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import dagster as dg
import duckdb
import psycopg
import pytest
from conftest import published
from postgres_server import PASSWORD, QUOTED, Server, running_server

from orchestration.catalogue.tables import reader_tables
from orchestration.common.errors import InputError
from orchestration.common.settings import Home
from orchestration.publish.tables.postgres import publish_postgres


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture
def database(server: Server, request: pytest.FixtureRequest) -> str:
    """A new database with the test's name."""
    return server.create(request.node.name)


def table_rows(home: Path) -> dict[str, list[tuple]]:
    """Every table of the readers' copy, in an order of its own."""
    with published(home) as copy:
        tables = copy.execute(
            "select schema_name || '.' || table_name from duckdb_tables() "
            "where database_name = 'published'"
        ).fetchall()
        return {
            table: sorted(copy.execute(f"from {table}").fetchall(), key=repr) for (table,) in tables
        }


def changed(home: Path, target: Path) -> Home:
    """A home that published the same quarter with every unit's tickets doubled."""
    (target / "published").mkdir(parents=True)
    copy = shutil.copyfile(
        home / "published" / "marts.duckdb", target / "published" / "marts.duckdb"
    )
    with duckdb.connect() as connection:
        connection.execute(f"attach '{copy}' as copy")
        for table in ("hotline_unit_quarter", "hotline_district_quarter"):
            connection.execute(f"update copy.marts.{table} set due_count = 2 * due_count")
    return Home(target)


def test_every_table_arrives_whole(server, database, published_home):
    outcome = publish_postgres(Home(published_home), server.url(database))
    expected = table_rows(published_home)
    assert outcome.row_counts == {table: len(rows) for table, rows in expected.items()}
    assert len(expected) >= 18
    with server.connected(database) as connection:
        for table, rows in expected.items():
            found = connection.execute(f"select * from {table}").fetchall()
            assert sorted(found, key=repr) == rows, table


def test_types_keys_and_labels_are_the_contracts(server, database, published_home):
    publish_postgres(Home(published_home), server.url(database))
    with server.connected(database) as connection:
        columns = {
            (name, column): (kind, label)
            for name, column, kind, label in connection.execute(
                "select attrelid::regclass::text, attname, format_type(atttypid, atttypmod), "
                "col_description(attrelid, attnum) from pg_attribute join pg_class "
                "on pg_class.oid = attrelid where attnum > 0 and relkind = 'r' "
                "and relnamespace in ('marts'::regnamespace, 'audit'::regnamespace)"
            )
        }
        keys = dict(
            connection.execute(
                "select conrelid::regclass::text, pg_get_constraintdef(oid) from pg_constraint "
                "where contype = 'p' and connamespace in "
                "('marts'::regnamespace, 'audit'::regnamespace)"
            ).fetchall()
        )
        (comment,) = connection.execute(
            "select obj_description('marts.channel_quarter'::regclass)"
        ).fetchone()
    mart = "marts.hotline_unit_quarter"
    assert columns[mart, "due_count"] == ("bigint", "应办理数：本季度交办的")
    assert columns[mart, "rework_rate"][0] == "numeric(5,4)"
    assert columns[mart, "composite_index"][0] == "numeric(4,1)"
    assert columns[mart, "is_rated"][0] == "boolean"
    assert columns["audit.check_result", "checked_at"] == (
        "timestamp without time zone",
        "检查时间",
    )
    assert [column for column, (_, label) in columns.items() if not label] == []
    assert keys[mart] == "PRIMARY KEY (quarter, unit_code)"
    assert keys["marts.mailbox_unit_mailbox_quarter"] == "PRIMARY KEY (quarter, unit_code, mailbox)"
    assert sorted(keys) == sorted(
        f"{entry.schema}.{entry.name}" for entry in reader_tables().values() if entry.key
    )
    assert comment.startswith("各渠道办理情况，一行一个渠道一个季度")


# What a reader may see: the district's tickets, and the units' sum of them.
OLD, NEW = (2168, 2168), (4336, 4336)
DISTRICT = "select due_count from marts.hotline_district_quarter"
UNITS = "select cast(sum(due_count) as bigint) from marts.hotline_unit_quarter"


def one_statement(connection: psycopg.Connection) -> tuple:
    return connection.execute(f"select ({DISTRICT}), ({UNITS})").fetchone()


def one_transaction(connection: psycopg.Connection) -> tuple:
    connection.execute("begin isolation level repeatable read")
    seen = tuple(connection.execute(sql).fetchone()[0] for sql in (UNITS, DISTRICT))
    connection.execute("commit")
    return seen


def a_prepared_join(connection: psycopg.Connection) -> tuple:
    sql = (
        "select max(d.due_count), cast(sum(u.due_count) as bigint) "
        "from marts.hotline_district_quarter as d join marts.hotline_unit_quarter as u "
        "on d.quarter = u.quarter and d.due_count > %s"
    )
    return connection.execute(sql, [0], prepare=True).fetchone()


def test_readers_see_old_or_new_while_publications_are_swapped(
    server, database, published_home, tmp_path
):
    homes = [Home(published_home), changed(published_home, tmp_path / "changed")]
    publish_postgres(homes[0], server.url(database))
    seen: dict[str, list[tuple]] = {}
    faults: list[str] = []
    stop = threading.Event()

    def read(reader: Callable[[psycopg.Connection], tuple]) -> None:
        looked = seen[reader.__name__] = []
        try:
            with server.connected(database, "analyst") as connection:
                while not stop.is_set():
                    looked.append(reader(connection))
        except psycopg.Error as error:
            faults.append(f"{reader.__name__}: {error}")

    # One more reader opens a transaction and leaves it open, as a BI tool's pool does.
    with psycopg.connect(server.url(database, "analyst")) as idle:
        assert one_statement(idle) == OLD
        threads = [
            threading.Thread(target=read, args=[reader])
            for reader in (one_statement, one_transaction, a_prepared_join)
        ]
        for thread in threads:
            thread.start()
        for turn in range(5):
            publish_postgres(homes[(turn + 1) % 2], server.url(database))
        stop.set()
        for thread in threads:
            thread.join()
        assert one_statement(idle) == NEW
    assert faults == []
    for reader, looked in seen.items():
        assert set(looked) == {OLD, NEW}, reader
        turns = sum(before != after for before, after in pairwise(looked))
        assert turns <= 5, f"{reader} went back to a publication that was replaced"


@pytest.mark.parametrize(
    "statement",
    [
        "insert into marts.channel_quarter select * from marts.channel_quarter",
        "update marts.hotline_unit_quarter set due_count = 0",
        "delete from audit.reconciliation",
        "truncate marts.unit_quarter",
        "drop table marts.unit_quarter",
        "create table marts.mine (n int)",
        "create schema mine",
        "select * from office.secret",
        "select * from public.secret",
        "select * from marts_incoming.unit_quarter",
    ],
)
def test_the_readers_role_reads_and_does_nothing_else(server, database_of_readers, statement):
    with server.connected(database_of_readers, "analyst") as connection:
        assert one_statement(connection) == OLD
        assert connection.execute("select count(*) > 0 from audit.reconciliation").fetchone()[0]
        with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedTable)):
            connection.execute(statement)


@pytest.fixture(scope="module")
def database_of_readers(server, published_home) -> str:
    """A database with other people's tables, where somebody once gave the readers too much."""
    database = server.create("of_readers")
    publish_postgres(Home(published_home), server.url(database))
    with server.connected(database) as connection:
        connection.execute("create schema office; create table office.secret (n int)")
        connection.execute("create table public.secret (n int)")
        connection.execute("grant all on all tables in schema marts, audit to bi_reader")
        connection.execute("grant all on schema marts to bi_reader")
    publish_postgres(Home(published_home), server.url(database))
    return database


def test_another_structure_is_taken_over(server, database, published_home):
    publish_postgres(Home(published_home), server.url(database))
    with server.connected(database) as connection:
        connection.execute("alter table marts.channel_quarter add column note text")
        connection.execute("alter table marts.unit_quarter drop constraint unit_quarter_pkey")
    outcome = publish_postgres(Home(published_home), server.url(database))
    assert outcome.exchanged == ["marts.channel_quarter", "marts.unit_quarter"]
    with server.connected(database, "analyst") as connection:
        found = connection.execute("select * from marts.channel_quarter").fetchall()
    assert sorted(found, key=repr) == table_rows(published_home)["marts.channel_quarter"]


def test_readers_views_outlive_a_publication(server, database, published_home, tmp_path):
    publish_postgres(Home(published_home), server.url(database))
    with server.connected(database) as connection:
        connection.execute("create view public.district as " + DISTRICT)
        publish_postgres(changed(published_home, tmp_path / "changed"), server.url(database))
        assert connection.execute("select * from public.district").fetchone() == (4336,)


def spoil_with_a_view_on_an_altered_table(connection: psycopg.Connection) -> None:
    connection.execute("alter table marts.channel_quarter add column note text")
    connection.execute("create view public.mine as select channel, note from marts.channel_quarter")


def spoil_with_a_table_of_ones_own(connection: psycopg.Connection) -> None:
    connection.execute("create table marts.mine (n int)")


def spoil_with_a_trigger_that_refuses(connection: psycopg.Connection) -> None:
    connection.execute(
        "create function refuse() returns trigger language plpgsql "
        "as $$ begin raise exception 'disk full' using errcode = '53100'; end $$"
    )
    connection.execute(
        "create trigger refuse before insert on marts.hotline_unit_quarter "
        "for each row execute function refuse()"
    )


@pytest.mark.parametrize(
    ("spoil", "code", "said"),
    [
        (spoil_with_a_view_on_an_altered_table, "postgres_changed_by_hand", "view mine"),
        (spoil_with_a_table_of_ones_own, "postgres_changed_by_hand", "marts.mine"),
        (spoil_with_a_trigger_that_refuses, "postgres_disk_full", "磁盘"),
    ],
)
def test_what_stops_a_publication_changes_nothing(
    server, published_home, tmp_path, spoil, code, said
):
    database = server.create(spoil.__name__)
    publish_postgres(Home(published_home), server.url(database))
    with server.connected(database) as connection:
        spoil(connection)
    with pytest.raises(InputError) as stopped:
        publish_postgres(changed(published_home, tmp_path / "changed"), server.url(database))
    assert stopped.value.code == code
    assert said in str(stopped.value)
    with server.connected(database) as connection:
        assert one_statement(connection) == OLD
        schemas = connection.execute(
            "select nspname from pg_namespace where nspname like '%coming'"
        )
        assert schemas.fetchall() == []


def test_an_unusable_address_is_said_without_it(server, published_home):
    wrong = {
        server.url("postgres", password="wr0ng"): "用户或密码不对",
        server.url("nowhere"): "没有这个库或用户",
        f"postgresql://office:{QUOTED}@127.0.0.1:1/postgres": "服务器没有应答",
        "postgresql://office:hidden@half@127.0.0.1:x/postgres": "",
        "hidden": "",
    }
    for url, fault in wrong.items():
        with pytest.raises(InputError) as stopped:
            publish_postgres(Home(published_home), url)
        assert stopped.value.code == "postgres_unreachable"
        assert fault in str(stopped.value)
        told = f"{stopped.value!r} {stopped.value.__cause__} "
        assert stopped.value.__suppress_context__
        for secret in ("wr0ng", QUOTED, PASSWORD, "hidden", "half", "127.0.0.1"):
            assert secret not in told


@pytest.fixture
def no_readers_role(server) -> Iterator[None]:
    """As on a server that never heard of us: what bears the role's name is moved aside."""
    with server.connected("postgres") as connection:
        connection.execute("alter role bi_reader rename to moved_aside")
        yield
        connection.execute("drop role if exists bi_reader")
        connection.execute("alter role moved_aside rename to bi_reader")


@pytest.mark.usefixtures("no_readers_role")
def test_the_readers_role_is_made(server, database, published_home):
    publish_postgres(Home(published_home), server.url(database))
    with server.connected(database) as connection:
        made = connection.execute(
            "select rolcanlogin, rolsuper, has_schema_privilege('bi_reader', 'marts', 'usage') "
            "from pg_roles where rolname = 'bi_reader'"
        ).fetchone()
        connection.execute("drop owned by bi_reader")
    assert made == (False, False, True)


@pytest.mark.usefixtures("no_readers_role")
def test_without_the_right_to_make_the_role_the_command_is_told(server, database, published_home):
    with pytest.raises(InputError, match="create role bi_reader nologin"):
        publish_postgres(Home(published_home), server.url(database, "clerk"))


def test_without_the_right_to_make_schemas_the_grant_is_told(server, database, published_home):
    with pytest.raises(InputError, match="postgres_permission"):
        publish_postgres(Home(published_home), server.url(database, "clerk"))
    with server.connected(database) as connection:
        connection.execute(f"grant create on database {database} to clerk")
    publish_postgres(Home(published_home), server.url(database, "clerk"))


def test_without_a_publication_there_is_nothing_to_publish(tmp_path):
    with pytest.raises(InputError, match="not_published"):
        publish_postgres(Home(tmp_path), "postgresql://127.0.0.1:1/x")


def test_dagster_publishes_after_the_files_and_keeps_the_address_to_itself(
    server, database, home, monkeypatch
):
    from orchestration.cli.runner import dagster_instance
    from orchestration.defs.postgres import published_postgres
    from orchestration.defs.resources import Workspace

    monkeypatch.setenv("HOTLINE_HOME", str(home))
    monkeypatch.setenv("HOTLINE_POSTGRES_URL", server.url(database))

    def materialize(instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            [published_postgres],
            resources={"workspace": Workspace()},
            partition_key="2022Q2",
            instance=instance,
            raise_on_error=False,
        )

    with dagster_instance(Home(home)) as instance:
        assert materialize(instance).success
        with server.connected(database) as connection:
            assert one_statement(connection) == OLD
            connection.execute("create table marts.mine (n int)")
        failed = materialize(instance)
        assert not failed.success
        logs = "".join(str(entry) for entry in instance.all_logs(failed.run_id))
    assert "postgres_changed_by_hand" in logs
    assert QUOTED not in logs
    written = [path for path in (home / "dagster").rglob("*") if path.is_file()]
    assert not [path for path in written if QUOTED.encode() in path.read_bytes()]


def test_without_a_database_dagster_shows_no_such_asset():
    from orchestration.definitions import defs

    keys = {key.to_user_string() for key in defs.resolve_asset_graph().get_all_asset_keys()}
    assert "published/marts" in keys
    assert "published/postgres" not in keys
