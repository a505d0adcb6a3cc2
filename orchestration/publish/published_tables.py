"""The readers' copies: `marts.duckdb` and the tree of Parquet files.

Both are made from the versions and can be made again. A new copy is staged, and replaces the old
one by one rename. The audit tables that describe figures (row balance, rejections, files,
anomalies) also cover only publications: rows of the quarter that is being published come from its
candidate, rows of other quarters from the previous copy. The results of stopped runs are only in
the append-only tables, under the run's id.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from orchestration.catalogue.tables import reader_tables
from orchestration.common.errors import InputError
from orchestration.common.files import flush_to_disk
from orchestration.common.settings import Home
from orchestration.publish.candidate import DESCRIPTIVE, of_quarters
from orchestration.publish.publication_log import (
    RESTORE,
    Entry,
    begin,
    complete,
    last_entries,
    read_intent,
    read_log,
    stale,
)
from orchestration.publish.versions import (
    export_schema,
    file_hashes,
    manifests,
    versions_of,
)
from orchestration.warehouse.connection import connect, insert_rows, is_built, quoted, tables_of
from orchestration.warehouse.history import APPEND_ONLY, write_control_history

# Unknown names stop a run and concern only those who keep the aliases; a publication has none.
UNMAPPED = "unmapped_unit"
READER_SCHEMAS = ("marts", "audit")
# Readers' tools still ship DuckDB 1.x, which can't open the newest storage version.
READER_STORAGE_VERSION = "v1.0.0"
# `published/parquet` is a link to one of these, so that all tables of a publication change at once.
TREE = ".parquet-"


def finish(home: Home) -> None:
    """Bring the log and the readers' copies up to date if a run died while it published.

    Raises:
        InputError: versions are missing or altered, or the readers' copy has more of them.
    """
    intended = read_intent(home)
    told = {(entry["quarter"], entry["version"]) for entry in manifests(home)}
    copied = set(_read_copy(home, "select quarter, version from audit.publication"))
    if lost := sorted(copied - told):
        raise InputError(
            code="missing_version",
            file="published/versions/",
            found="读者库里有、而版本和发布记录里没有："
            + "、".join(f"{quarter} 第 {version} 版" for quarter, version in lost),
            expected="版本只增不减",
            action=RESTORE,
        )
    begin(home, manifests(home))
    if told and (intended or told != copied):
        is_working = home.warehouse.exists() and all(
            is_built(home, f"audit.{name}") for name in APPEND_ONLY
        )
        if is_working:
            refresh_readers(home, intended if intended in read_log(home) else None)
    complete(home)


def holds_run(home: Home, run_id: str) -> bool:
    """Whether the readers' copy was made by a run, or after it."""
    return bool(_read_copy(home, "select 1 from audit.reconciliation where run_id = ?", [run_id]))


def readers_parquet(home: Home, quarter: str, table: str) -> Path:
    """The path where readers find a quarter of a mart or a fact."""
    return home.published / "parquet" / table / f"quarter={quarter}" / f"{table}.parquet"


def use_copy(connection: duckdb.DuckDBPyConnection, home: Home) -> None:
    """Make a connection use the readers' copy, attached as `published`: `marts` is a schema of it.

    Raises:
        duckdb.Error: the copy can't be opened.
    """
    copy = quoted(home.published / "marts.duckdb")
    connection.execute(f"attach '{copy}' as published (read_only)")
    connection.execute("use published")


def refresh_readers(
    home: Home, published: Entry | None = None, new: Path | None = None, place: Path | None = None
) -> None:
    """Make the readers' copies from each quarter's latest version.

    Args:
        home: the home.
        published: the publication under way; its quarter's audit tables come from the candidate.
        new: the staged folder of a new version.
        place: where that folder is moved once the readers' copies are built.
    """
    told = versions_of(home, "*", *([new] if new else []))
    latest = {manifest["quarter"]: folder for manifest, folder in told}
    entries = read_log(home)
    if published and published not in entries:
        entries.append(published)
    database = _build_duckdb(home, [manifest for manifest, _ in told], latest, entries, published)
    tree = _build_tree(home, latest)
    if new and place:
        for path in (*new.iterdir(), new):
            flush_to_disk(path)
        new.rename(place)
    _switch_tree(home, tree)
    database.replace(home.published / "marts.duckdb")


def refresh_tree(home: Home) -> None:
    """Make the readers' Parquet tree again from the versions, as after a restore."""
    latest = {manifest["quarter"]: folder for manifest, folder in versions_of(home, "*")}
    _switch_tree(home, _build_tree(home, latest))


def export_readers_marts(home: Home, quarter: str, folder: Path) -> dict[str, str]:
    """Like `export_outputs`, from the marts in `marts.duckdb`; empty if it can't be opened."""
    folder.mkdir(parents=True)
    with duckdb.connect() as connection:
        try:
            use_copy(connection, home)
        except duckdb.Error:
            return {}
        export_schema(connection, "marts", quarter, folder)
    return file_hashes(folder)


def _read_copy(home: Home, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Rows from the readers' copy; none if there is no copy that can be read."""
    with duckdb.connect() as connection:
        try:
            use_copy(connection, home)
            return connection.execute(sql, list(parameters)).fetchall()
        except duckdb.Error:
            return []


def _build_tree(home: Home, versions: Mapping[str, Path]) -> Path:
    """Build the readers' Parquet tree of some versions with hard links, which take no space."""
    tree = home.published / f"{TREE}{_tree_number(home) + 1}"
    shutil.rmtree(tree, ignore_errors=True)  # left by a run that died
    for quarter, version in versions.items():
        for path in sorted(version.glob("*.parquet")):
            target = tree / path.stem / f"quarter={quarter}" / path.name
            target.parent.mkdir(parents=True)
            target.hardlink_to(path)
    return tree


def _tree_number(home: Home) -> int:
    current = home.published / "parquet"
    return int(current.readlink().name.removeprefix(TREE)) if current.is_symlink() else 0


def _switch_tree(home: Home, tree: Path) -> None:
    """Point `parquet` to another tree; the previous one is kept for readers who have it open."""
    current = home.published / "parquet"
    before = home.published / f"{TREE}{_tree_number(home)}"
    if current.is_dir() and not current.is_symlink():  # as versions before 0.2 wrote it
        current.rename(before)
    link = home.published / f"{TREE}next"
    link.unlink(missing_ok=True)
    link.symlink_to(tree.name)
    link.replace(current)
    for path in home.published.glob(f"{TREE}*"):
        if path not in (tree, before):
            shutil.rmtree(path)


def _build_duckdb(
    home: Home,
    told: list[dict[str, Any]],
    latest: Mapping[str, Path],
    entries: list[Entry],
    published: Entry | None,
) -> Path:
    """Build the readers' database in scratch; readers keep the one that they have open.

    Its marts come from each quarter's latest version, because the working warehouse also holds
    builds that the gate stopped. The append-only tables cover every run, stopped ones included.
    """
    temporary = home.scratch / "marts.duckdb"
    temporary.unlink(missing_ok=True)
    with connect(home) as connection:
        _write_publication_tables(connection, told, entries)
        write_control_history(connection)
        is_copied = _take_copied(home, connection)
        # No recovery is needed before the file is in place: a log would write everything twice.
        connection.execute(
            f"attach '{quoted(temporary)}' as readers "
            f"(storage_version '{READER_STORAGE_VERSION}', recovery_mode 'no_wal_writes')"
        )
        for schema in READER_SCHEMAS:
            connection.execute(f"create schema readers.{schema}")
            for table in tables_of(connection, schema):
                # Append-only tables are in a fixed order as written; don't sort them every time.
                ordered = "" if table in APPEND_ONLY else "order by all"
                rows = f"{schema}.{table}"
                if schema == "marts":
                    files = [str(version / f"{table}.parquet") for version in latest.values()]
                    connection.execute(
                        "create or replace temp view published as select * from "  # noqa: S608 (our own paths)
                        f"read_parquet({files}, union_by_name = true)"
                    )
                    rows = "published"
                elif table in DESCRIPTIVE:
                    _view_described(
                        *(home, connection, table, list(latest), published), is_copied=is_copied
                    )
                    rows = "published"
                if table == UNMAPPED:
                    ordered = "limit 0"
                connection.execute(
                    f"create table readers.{schema}.{table} as select * from {rows} {ordered}"  # noqa: S608 (our own names)
                )
        for entry in reader_tables().values():  # the labels, so that a BI tool can show them
            for statement in entry.comment_statements("readers"):
                connection.execute(statement)
        connection.execute("checkpoint readers")  # detaching would ignore a full disk
        connection.execute("detach readers")
    return temporary


def _take_copied(home: Home, connection: duckdb.DuckDBPyConnection) -> bool:
    """Load the descriptive audit tables of the readers' copy as `copied_…`, if it is readable."""
    copy = home.published / "marts.duckdb"
    if not copy.exists():
        return False
    try:
        connection.execute(f"attach '{quoted(copy)}' as copied (read_only)")
        for table in DESCRIPTIVE:
            connection.execute(
                f"create or replace temp table copied_{table} as from copied.audit.{table}"
            )
        connection.execute("detach copied")
    except duckdb.Error:  # damaged, or made by an older version with fewer tables
        return False
    return True


def _view_described(
    home: Home,
    connection: duckdb.DuckDBPyConnection,
    table: str,
    quarters: Sequence[str],
    published: Entry | None,
    *,
    is_copied: bool,
) -> None:
    """Create the view `published` of a descriptive audit table for some quarters.

    If the previous copy can't be read, the rows come from the working warehouse, restricted to the
    files that the versions were made from.
    """
    parts = [f"select * from audit.{table} where false"]  # noqa: S608 (our own names)
    others = list(quarters)
    if published:
        file = home.candidate(published.quarter) / "audit" / f"{table}.parquet"
        if file.exists():
            parts.append(f"select * from read_parquet('{quoted(file)}')")  # noqa: S608 (our own path)
            others.remove(published.quarter)
    if is_copied:
        condition = of_quarters(table, others, "copied_source_file")
        parts.append(f"select * from copied_{table} where {condition}")  # noqa: S608 (our own names)
    elif table != "unmapped_unit":  # a publication has no unknown names
        condition = of_quarters(table, others, "audit.source_file")
        last = {entry["quarter"]: entry for entry in manifests(home) if entry["quarter"] in others}
        files = [entry["file_sha256"] for one in last.values() for entry in one["inputs"]]
        parts.append(
            f"select * from audit.{table} where {condition} "  # noqa: S608 (our own names)
            f"and list_contains({files}::varchar[], file_sha256)"
        )
    connection.execute(
        "create or replace temp view published as select distinct * from "  # noqa: S608 (our own names)
        f"({' union all by name '.join(parts)})"
    )


def _write_publication_tables(
    connection: duckdb.DuckDBPyConnection,
    told: list[dict[str, Any]],
    entries: list[Entry],
) -> None:
    for table in ("publication", "restatement"):
        connection.execute(f"drop table if exists audit.{table}")
        connection.execute(reader_tables()["audit", table].create_statement)
    columns = [column.name for column in reader_tables()["audit", "publication"].columns]
    compared = {place: entry.compared_version for place, entry in last_entries(entries).items()}
    overtaken = {(one.quarter, one.version) for one in stale(entries)}
    versions = []
    for manifest in told:
        place = (manifest["quarter"], manifest["version"])
        entry = {"compared_version": compared.get(place), "is_stale": place in overtaken}
        versions.append([(manifest | entry)[column] for column in columns])
    insert_rows(connection, "audit.publication", versions)
    restatements = [
        [manifest["quarter"], manifest["version"], manifest["version"] - 1, *row.values()]
        for manifest in told
        for row in manifest["restatements"]
    ]
    insert_rows(connection, "audit.restatement", restatements)
