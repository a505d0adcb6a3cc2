"""Publishes every table of the readers' copy to PostgreSQL, in one transaction.

COPY loads the tables into new schemas. In the same transaction their rows then replace the readers'
rows; a table itself is exchanged only if its structure changed. With replaced rows, PostgreSQL
shows each statement and each repeatable-read transaction exactly one publication, and no reader
ever waits. Renaming schemas instead would need a lock that any open reader delays, could show one
statement the tables of two publications, and would drop the readers' views.

The URL is a secret: neither the URL nor the driver's message about it is passed on.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeAlias

import duckdb

from orchestration.catalogue.tables import READER_FOLDERS, reader_tables
from orchestration.common.errors import InputError
from orchestration.common.settings import Home
from orchestration.warehouse.connection import quoted

if TYPE_CHECKING:
    import psycopg

    Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

URL = "HOTLINE_POSTGRES_URL"
READER_ROLE = "bi_reader"
SCHEMAS = tuple(READER_FOLDERS)
NO_ANSWER, NO_HOST = "服务器没有应答", "找不到主机"
PASSING = (NO_ANSWER, NO_HOST)
# Connection lost, server going down or out of connections, deadlock, lock not obtained in time.
PASSING_STATES = ("08", "57P", "53300", "40", "55P03")
CHUNK_BYTES = 1 << 20
# Allows one publisher at a time in a database; the number is arbitrary.
ADVISORY_LOCK = 712345
# How long to wait for that lock, and for people who alter a table by hand; never for readers.
LOCK_TIMEOUT = "30s"
WORK_MEMORY = "256MB"  # for comparing a large log with the published one

# Each table of a schema with its columns and key, as text to compare.
STRUCTURE = """
select
    class.relname,
    string_agg(
        concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull::text),
        ', ' order by attnum
    ) || coalesce(max(' ' || pg_get_constraintdef(pkey.oid)), '')
from pg_class as class
join pg_attribute on attrelid = class.oid and attnum > 0 and not attisdropped
left join pg_constraint as pkey on pkey.conrelid = class.oid and pkey.contype = 'p'
where class.relnamespace = to_regnamespace(%s) and class.relkind = 'r'
group by class.relname
"""
# The objects in the readers' schemas that aren't one of the named tables, or part of one.
FOREIGN = """
select nspname || '.' || relname
from pg_class join pg_namespace on pg_namespace.oid = relnamespace
where nspname = any(%s) and relkind not in ('i', 'I', 't')
    and not (relkind = 'r' and nspname || '.' || relname = any(%s))
order by 1
"""


@dataclass(frozen=True)
class PostgresPublication:
    """The result: row counts by table, and the tables that were exchanged for another structure."""

    row_counts: dict[str, int] = field(default_factory=dict)
    exchanged: list[str] = field(default_factory=list)


def postgres_url() -> str | None:
    """The database to publish to (`HOTLINE_POSTGRES_URL`, a secret), or None."""
    return os.environ.get(URL) or None


def publish_postgres(home: Home, url: str) -> PostgresPublication:
    """Publish the readers' copy of a home; after an error PostgreSQL is unchanged.

    Args:
        home: the home; only its `published/marts.duckdb` is read.
        url: a libpq connection URL. Its user must own the readers' schemas or may create them.

    Raises:
        InputError: nothing is published yet, there is no driver, no connection or no permission,
            somebody changed the schemas by hand, or the server refuses for another reason.
    """
    copy = home.published / "marts.duckdb"
    if not copy.exists():
        raise InputError(
            code="not_published",
            found="还没有发布过任何季度",
            expected="至少一次成功的发布",
            action="先运行 hotline run",
        )
    with _connect(url) as connection, _errors_explained(), connection.transaction():
        connection.execute(f"set local lock_timeout = '{LOCK_TIMEOUT}'")
        connection.execute(f"set local work_mem = '{WORK_MEMORY}'")
        connection.execute(f"select pg_advisory_xact_lock({ADVISORY_LOCK})")
        _ensure_role(connection)
        with duckdb.connect() as readers:
            readers.execute(f"attach '{quoted(copy)}' as readers (read_only)")
            tables = _definitions(readers)
            _refuse_foreign_objects(connection, tables)
            row_counts = _load(connection, readers, tables)
        exchanged = _take_over(connection, tables)
        for entry in (reader_tables()[name] for name in tables if name in reader_tables()):
            for statement in entry.comment_statements():
                connection.execute(statement)
        _grant(connection, tables)
    return PostgresPublication(row_counts, exchanged)


@contextmanager
def _connect(url: str) -> Iterator["Connection"]:
    try:
        import psycopg  # an optional extra, needed only to publish to PostgreSQL
    except ImportError:
        raise InputError(
            code="postgres_driver_missing",
            found=f"设置了 {URL}，但没有安装 psycopg",
            expected="安装时带上附加项 postgres",
            action=f"运行 {sys.executable} -m pip install 'psycopg[binary]'，或去掉 {URL}",
        ) from None
    try:
        connection = psycopg.connect(url, connect_timeout=10, application_name="hotline")
    except psycopg.Error as error:
        # Neither the error nor its text is passed on: it may quote a malformed URL.
        fault = _connection_fault(str(error))
        raise InputError(
            code="postgres_unreachable",
            found=f"连不上 {URL} 所指的数据库：{fault}",
            expected="postgresql://用户:密码@主机:端口/库名，密码中的特殊字符按 URL 编码",
            action="改正地址或启动数据库后重新运行；PostgreSQL 中仍是上一次发布的内容",
            may_pass=fault in PASSING,
        ) from None
    with connection:
        yield connection


def _connection_fault(text: str) -> str:
    known = {
        "password": "用户或密码不对",
        "authentication": "用户或密码不对",
        "does not exist": "没有这个库或用户",
        "refused": NO_ANSWER,
        "timeout": NO_ANSWER,
        "starting up": NO_ANSWER,
        "resolve": NO_HOST,
    }
    return next((fault for sign, fault in known.items() if sign in text), "地址不能识别或连接失败")


@contextmanager
def _errors_explained() -> Iterator[None]:
    """Turn the server's errors into messages that say what to do."""
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        primary, detail = error.diag.message_primary, error.diag.message_detail
        said = "；".join(" ".join((part or "").split()) for part in (primary, detail) if part)
        code, expected, action = {
            "42501": (
                "postgres_permission",
                "连接的用户拥有 marts、audit 两个 schema 及其中的表，或可以在库中新建 schema",
                "请库管理员授权：grant create on database … to 该用户，或把两个 schema 转给该用户",
            ),
            "2BP01": (
                "postgres_changed_by_hand",
                "没有别的对象依赖结构有变的表",
                "先删除或改写所列的视图等对象，发布后再建",
            ),
            "55P03": (
                "postgres_busy",
                f"在 {LOCK_TIMEOUT} 内没有人改动 marts、audit 的结构，也没有另一次发布",
                "等对方结束后重新运行",
            ),
            "53100": ("postgres_disk_full", "数据库服务器的磁盘有空间", "清理磁盘后重新运行"),
        }.get(
            error.sqlstate or "",
            ("postgres_failed", "发布在一个事务中完成", "改正原因后重新运行"),
        )
        raise InputError(
            code=code,
            found=f"PostgreSQL 未接受发布，仍是上一次发布的内容：{said or '连接中断'}",
            expected=expected,
            action=action,
            may_pass=error.sqlstate is None or error.sqlstate.startswith(PASSING_STATES),
        ) from None


def _ensure_role(connection: "Connection") -> None:
    import psycopg

    known = connection.execute("select 1 from pg_roles where rolname = %s", [READER_ROLE])
    if known.fetchone():
        return
    try:
        connection.execute(f"create role {READER_ROLE} nologin")
    except psycopg.errors.InsufficientPrivilege:
        raise InputError(
            code="postgres_role_missing",
            found=f"数据库中没有角色 {READER_ROLE}，连接的用户也不能新建",
            expected=f"角色 {READER_ROLE}：读者的登录名都是它的成员",
            action=f"请库管理员执行一次：create role {READER_ROLE} nologin",
        ) from None


def _definitions(readers: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], str]:
    """The tables of the readers' copy by (schema, name), each with its columns as SQL.

    Types are those of the copy, which have the same names in PostgreSQL. The model contracts say
    which columns are never null.
    """
    columns: dict[tuple[str, str], list[str]] = {}
    for schema, table, column, data_type in readers.execute(
        "select schema_name, table_name, column_name, data_type from duckdb_columns() "
        "where database_name = 'readers' order by schema_name, table_name, column_index"
    ).fetchall():
        entry = reader_tables().get((schema, table))
        required = entry is not None and column in entry.required
        columns.setdefault((schema, table), []).append(
            f"{column} {data_type}{' not null' if required else ''}"
        )
    return {name: ", ".join(parts) for name, parts in columns.items()}


def _key(schema: str, table: str) -> tuple[str, ...]:
    entry = reader_tables().get((schema, table))
    return entry.key if entry else ()


def _refuse_foreign_objects(
    connection: "Connection", tables: Mapping[tuple[str, str], str]
) -> None:
    places = [".".join(name) for name in tables]
    if foreign := connection.execute(FOREIGN, [list(SCHEMAS), places]).fetchall():
        raise InputError(
            code="postgres_changed_by_hand",
            found=f"marts、audit 中有不属于发布的对象：{'、'.join(name for (name,) in foreign)}",
            expected="这两个 schema 只由发布写入",
            action="把这些对象移到别的 schema 或删除（drop），再重新运行",
        )


def _load(
    connection: "Connection",
    readers: duckdb.DuckDBPyConnection,
    tables: Mapping[tuple[str, str], str],
) -> dict[str, int]:
    """Copy every table into the incoming schemas; return the row counts by table.

    The rows are frozen (`freeze`), so that a transaction that began earlier never sees a new or
    exchanged table without its rows.
    """
    for schema in SCHEMAS:
        connection.execute(f"create schema {_incoming(schema)}")
    row_counts = {}
    with TemporaryDirectory(prefix="hotline-postgres-") as folder:
        file = Path(folder) / "rows.csv"
        for (schema, table), definition in tables.items():
            target = f"{_incoming(schema)}.{table}"
            connection.execute(f"create table {target} ({definition})")
            readers.execute(f"copy readers.{schema}.{table} to '{file}' (format csv, header false)")
            cursor = connection.cursor()
            with (
                file.open("rb") as rows,
                cursor.copy(f"copy {target} from stdin (format csv, freeze)") as copy,
            ):
                while chunk := rows.read(CHUNK_BYTES):
                    copy.write(chunk)
            if key := _key(schema, table):  # after the rows: one sort instead of index updates
                connection.execute(f"alter table {target} add primary key ({', '.join(key)})")
            row_counts[f"{schema}.{table}"] = cursor.rowcount
    return row_counts


def _take_over(connection: "Connection", tables: Mapping[tuple[str, str], str]) -> list[str]:
    """Replace the readers' rows with the incoming ones; return the tables that were exchanged."""
    exchanged = []
    for schema in SCHEMAS:
        connection.execute(f"create schema if not exists {schema}")
        standing, coming = (
            _structures(connection, schema),
            _structures(connection, _incoming(schema)),
        )
        for table in (table for of_schema, table in tables if of_schema == schema):
            place, source = f"{schema}.{table}", f"{_incoming(schema)}.{table}"
            if standing.get(table) == coming[table]:
                _replace_rows(connection, place, source, _key(schema, table))
                continue
            if table in standing:
                connection.execute(f"drop table {place}")
                exchanged.append(place)
            connection.execute(f"alter table {source} set schema {schema}")
        connection.execute(f"drop schema {_incoming(schema)} cascade")
    return exchanged


def _replace_rows(connection: "Connection", place: str, source: str, key: Sequence[str]) -> None:
    """Make a table's rows equal to another's, changing only the rows that differ.

    Most quarters of a publication don't change. A table without a key is a log that may have equal
    rows, so all of it is replaced.
    """
    same = " and ".join(f"old.{column} = new.{column}" for column in key) or "false"
    connection.execute(f"analyze {source}")
    connection.execute(
        f"delete from {place} as old where not exists (select from {source} as new "  # noqa: S608 (our own names)
        f"where {same} and row(old.*) is not distinct from row(new.*))"
    )
    connection.execute(
        f"insert into {place} select new.* from {source} as new "  # noqa: S608 (our own names)
        f"where not exists (select from {place} as old where {same})"
    )


def _structures(connection: "Connection", schema: str) -> dict[str, str]:
    return dict(connection.execute(STRUCTURE, [schema]).fetchall())


def _grant(connection: "Connection", tables: Mapping[tuple[str, str], str]) -> None:
    """Let the readers' role read, and revoke any other privilege that it has here."""
    for schema in SCHEMAS:
        connection.execute(f"revoke all on schema {schema} from {READER_ROLE}")
        connection.execute(f"grant usage on schema {schema} to {READER_ROLE}")
    places = ", ".join(".".join(name) for name in tables)
    connection.execute(f"revoke all on {places} from {READER_ROLE}")
    connection.execute(f"grant select on {places} to {READER_ROLE}")


def _incoming(schema: str) -> str:
    return f"{schema}_incoming"
