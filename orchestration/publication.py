"""Publishing a quarter: versions, restatements, and the copies that readers see.

A version is a folder that appears whole by one rename; everything else that readers see is derived
from the versions and can be made again. All of it is written aside first; then three renames put
the version, the Parquet tree and `marts.duckdb` in their places, so that a full disk or a kill
leaves each of them as it was or as it will be. `audit.publication` and `audit.restatement` are read
off the versions' manifests, so that a run that was cut off leaves nothing half-told.
"""

import hashlib
import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from orchestration.audit import check_results, reconciliation
from orchestration.audit.history import APPEND_ONLY, write_control_history
from orchestration.dictionary.tables import reader_tables
from orchestration.errors import InputError
from orchestration.ingest.lake import LakeFile, all_files, current_files, settle_on_disk, sha256_of
from orchestration.provenance import code_version, lock_sha256
from orchestration.quarters import Quarter
from orchestration.settings import Home, rule_files
from orchestration.warehouse import KEY_COLUMNS, connect, insert_rows, is_built

# The check that a changed version comes with a reason.
UNREASONED = "restated_without_reason"
READER_SCHEMAS = ("marts", "audit")
# Facts go along as Parquet, so that a published figure leads back to its source rows.
EXPORTED_SCHEMAS = ("marts", "facts")
FACT_PREFIX = "fct_"
# Readers' tools still ship DuckDB 1.x, which can't open the newest storage version.
READER_STORAGE_VERSION = "v1.0.0"
# `published/parquet` is a link to one of these; all of a publication's tables change at once.
TREE = ".parquet-"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Publication:
    """The outcome of a publication: `is_new` is false where no figure or source row changed."""

    quarter: str
    version: int
    is_new: bool
    restatement_count: int


@dataclass(frozen=True)
class Draft:
    """A quarter as it would be published: Parquet files aside, their hashes, the last manifest."""

    quarter: str
    folder: Path
    outputs: dict[str, str]
    previous: dict[str, Any] | None

    @property
    def is_new(self) -> bool:
        """Whether it differs from the last version, or is the first."""
        return self.previous is None or self.previous["outputs"] != self.outputs

    @property
    def needs_reason(self) -> bool:
        """Whether it changes what was published, which nobody may do without saying why."""
        return self.previous is not None and self.is_new


def input_sha256(home: Home, quarter: str) -> str:
    """One hash over what decides a quarter's figures: its current files and the rules."""
    return _digest({"files": _input_hashes(home, quarter), "rules": rules_sha256()})


def draft(home: Home, quarter: str) -> Draft:
    """Write what would be published, aside, and hold it against the quarter's last version."""
    folder = home.scratch / f"version-{quarter}"
    shutil.rmtree(folder, ignore_errors=True)
    return Draft(quarter, folder, export_outputs(home, quarter, folder), _latest(home, quarter))


def publish(home: Home, drafted: Draft, run_id: str, reason: str) -> Publication:
    """Publish a quarter's marts and facts as they stand in the working warehouse.

    A new version is made only if a figure or the rows behind it changed; its restatements say which
    figures (none where an export only arrived in another form). The copies for readers are
    refreshed in either case, because the audit tables grow with every run.

    Args:
        home: whose working warehouse is published.
        drafted: from `draft`.
        run_id: the run that built it.
        reason: why the quarter changes, as the operator says; needed where the draft says so.
    """
    quarter, previous = drafted.quarter, drafted.previous
    if drafted.needs_reason and not reason:
        raise ValueError("a changed version needs a reason")
    versions = home.published / "versions" / quarter
    if previous is not None and not drafted.is_new:
        manifest = previous
        _mend(drafted, versions / f"v{manifest['version']}")
        refresh_readers(home)
        shutil.rmtree(drafted.folder)
    else:
        manifest = _manifest(home, drafted, run_id, reason)
        (drafted.folder / "manifest.json").write_text(
            json.dumps(manifest, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
        )
        versions.mkdir(parents=True, exist_ok=True)
        refresh_readers(home, drafted.folder, versions / f"v{manifest['version']}")
    restatements = len(manifest["restatements"]) if drafted.is_new else 0
    return Publication(quarter, manifest["version"], drafted.is_new, restatements)


def finish(home: Home) -> None:
    """Bring the readers' copies up to the versions, if a run died after its version appeared."""
    told = {(entry["quarter"], entry["version"]) for entry in manifests(home)}
    if not told or told == set(_read_copy(home, "select quarter, version from audit.publication")):
        return
    if home.warehouse.exists() and all(is_built(home, f"audit.{name}") for name in APPEND_ONLY):
        refresh_readers(home)


def holds_run(home: Home, run_id: str) -> bool:
    """Whether the readers' copy was made by a run, or after it."""
    return bool(_read_copy(home, "select 1 from audit.reconciliation where run_id = ?", [run_id]))


def refresh_tree(home: Home) -> None:
    """Make the readers' Parquet tree anew from the versions, as after a restore."""
    latest = {manifest["quarter"]: folder for manifest, folder in _versions(home, "*")}
    _switch_tree(home, _build_tree(home, latest))


def changed_figures(home: Home, quarter: str) -> list[dict[str, str | None]]:
    """Every figure of the working warehouse that differs from the quarter's last version.

    Returns:
        One entry a figure: table_name, unit_code (empty where no unit is meant), measure (with the
        other keys before it, ranks included), old_value and new_value (null: not there).
    """
    previous = _latest(home, quarter)
    if previous is None:
        return []
    old_folder = home.version_manifest(quarter, previous["version"]).parent
    changed = []
    with connect(home) as connection:
        for table in _tables(connection, "marts"):
            old_file = old_folder / f"{table}.parquet"
            old = _figures(connection, f"read_parquet('{_quoted(old_file)}')", quarter)
            new = _figures(connection, f"marts.{table}", quarter)
            changed += [
                {
                    "table_name": table,
                    "unit_code": unit_code,
                    "measure": measure,
                    "old_value": old.get((unit_code, measure)),
                    "new_value": new.get((unit_code, measure)),
                }
                for unit_code, measure in sorted(old.keys() | new.keys())
                if old.get((unit_code, measure)) != new.get((unit_code, measure))
            ]
    return changed


def last_version_marts(home: Home, quarter: str) -> list[Path]:
    """The marts' Parquet files of a quarter's last version; none where it was never published.

    A damaged one is first written anew from `marts.duckdb`, whose rows give the same bytes.

    Raises:
        InputError: one is damaged, and so is its table in `marts.duckdb`.
    """
    previous = _latest(home, quarter)
    if previous is None:
        return []
    folder = home.version_manifest(quarter, previous["version"]).parent
    marts = {
        folder / f"{table}.parquet": sha256
        for table, sha256 in sorted(previous["outputs"].items())
        if not table.startswith(FACT_PREFIX)
    }
    damaged = [path for path, sha256 in marts.items() if not _is_sound(path, sha256)]
    if damaged:
        aside = home.scratch / "mended"
        shutil.rmtree(aside, ignore_errors=True)
        found = export_readers_marts(home, quarter, aside)
    for path in damaged:
        if found.get(path.stem) != marts[path]:
            raise InputError(
                code="damaged_version",
                file=str(path.relative_to(home.root)),
                found="已发布的文件损坏，marts.duckdb 里的这个表也与发布时不同",
                expected="两者至少有一个是发布时的内容",
                action="从备份（hotline backup）中取回这一个文件后重新运行",
            )
        (aside / path.name).replace(path)
        _log.warning("已发布的 %s 损坏或丢失，已由 marts.duckdb 重写", path.relative_to(home.root))
    return list(marts)


def changed_files(home: Home, quarter: str) -> list[str]:
    """The names of the current files that the quarter's last version wasn't made from."""
    previous = _latest(home, quarter)
    used = {entry["file_sha256"] for entry in previous["inputs"]} if previous else set()
    files = [f.file_name for f in current_files(home, quarter) if f.file_sha256 not in used]
    return list(dict.fromkeys(files))  # a workbook of several sources is named once


def manifests(home: Home, quarter: str = "*") -> list[dict[str, Any]]:
    """The manifests of a quarter or of all, by quarter and version.

    Raises:
        InputError: one can't be read.
    """
    return [manifest for manifest, _ in _versions(home, quarter)]


def _versions(home: Home, quarter: str, *more: Path) -> list[tuple[dict[str, Any], Path]]:
    """Manifests and their folders, by quarter and version; `more` are folders not in place yet."""
    paths = [*(home.published / "versions").glob(f"{quarter}/v*/manifest.json")]
    paths += [folder / "manifest.json" for folder in more]
    found = [(_read_manifest(path), path.parent) for path in paths]
    return sorted(found, key=lambda entry: (entry[0]["quarter"], entry[0]["version"]))


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise InputError(
            code="damaged_manifest",
            file="/".join(path.parts[-4:]),
            found="版本清单已损坏，读不出来",
            expected="发布时写下的清单，从不改动",
            action="从备份（hotline backup）中取回这一个文件后重新运行",
        ) from error


def published_manifest(home: Home, quarter: str) -> dict[str, Any]:
    """The manifest of a quarter's latest version.

    Raises:
        InputError: no quarter is written so, or it was never published in this home.
    """
    Quarter.parse(quarter)
    manifest = _latest(home, quarter)
    if manifest is None:
        known = sorted({entry["quarter"] for entry in manifests(home)})
        raise InputError(
            code="not_published",
            found=f"{quarter} 还没有发布过",
            expected=f"已发布的季度：{'、'.join(known) or '（还没有）'}",
            action=f"先运行 hotline run {quarter}，或改正季度或 --home",
        )
    return manifest


def readers_parquet(home: Home, quarter: str, table: str) -> Path:
    """Where readers find a quarter of a mart or a fact."""
    return home.published / "parquet" / table / f"quarter={quarter}" / f"{table}.parquet"


def _latest(home: Home, quarter: str) -> dict[str, Any] | None:
    return next(reversed(manifests(home, quarter)), None)


def export_outputs(home: Home, quarter: str, folder: Path) -> dict[str, str]:
    """Write a quarter of each mart and fact to Parquet in a total order; hashes by table.

    Each goes through a table of its own: the writer spends bytes on what a table's statistics say
    could be there, such as nulls in another quarter, and the bytes may depend on the quarter alone.
    """
    folder.mkdir(parents=True)
    with connect(home) as connection:
        for schema in EXPORTED_SCHEMAS:
            _export(connection, schema, quarter, folder)
    return _hashes(folder)


def export_readers_marts(home: Home, quarter: str, folder: Path) -> dict[str, str]:
    """As `export_outputs`, from the marts in `marts.duckdb`; nothing if that can't be opened."""
    folder.mkdir(parents=True)
    with duckdb.connect() as connection:
        database = home.published / "marts.duckdb"
        try:
            connection.execute(f"attach '{_quoted(database)}' as published (read_only)")
        except duckdb.Error:
            return {}
        connection.execute("use published")
        _export(connection, "marts", quarter, folder)
    return _hashes(folder)


def _export(connection: duckdb.DuckDBPyConnection, schema: str, quarter: str, folder: Path) -> None:
    for table in _tables(connection, schema):
        rows = f"from {schema}.{table} where quarter = ?"
        write_parquet(connection, rows, folder / f"{table}.parquet", [quarter])


def write_parquet(
    connection: duckdb.DuckDBPyConnection, rows: str, target: Path, parameters: Sequence[Any] = ()
) -> None:
    """Write the rows of a query in a total order: the same rows give the same bytes."""
    connection.execute(
        f"create or replace temp table export as select * from ({rows}) order by all",  # noqa: S608 (our own names)
        list(parameters),
    )
    connection.execute(f"copy export to '{_quoted(target)}' (format parquet, compression zstd)")


def digest_of(outputs: dict[str, str]) -> str:
    """One hash over all outputs of a version."""
    return _digest(outputs)


def _hashes(folder: Path) -> dict[str, str]:
    return {path.stem: sha256_of(path) for path in sorted(folder.glob("*.parquet"))}


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _manifest(home: Home, drafted: Draft, run_id: str, reason: str) -> dict[str, Any]:
    quarter, previous = drafted.quarter, drafted.previous
    with connect(home) as connection:
        row = connection.execute(
            "select max(policy_version) from marts.hotline_unit_quarter where quarter = ?",
            [quarter],
        ).fetchone()
    return {
        "quarter": quarter,
        "version": previous["version"] + 1 if previous else 1,
        "run_id": run_id,
        "published_at": f"{datetime.now():%Y-%m-%d %H:%M:%S}",
        "as_of": str(Quarter.parse(quarter).end - timedelta(days=1)),
        "code_version": code_version(),
        "lock_sha256": lock_sha256(),
        "policy_version": row[0] if row else "",
        "rules_sha256": rules_sha256(),
        "inputs": [_input(file) for file in current_files(home, quarter)],
        "previous_inputs": [_input(file) for file in _previous_files(home, quarter)],
        "input_sha256": input_sha256(home, quarter),
        "outputs": drafted.outputs,
        "output_sha256": digest_of(drafted.outputs),
        "checks": check_results.counts(home, run_id),
        "controls": {
            group.control_group: {"match": group.match, "explained": group.explained}
            for group in reconciliation.summarise(reconciliation.controls(home, run_id))
        },
        "restatements": _restatements(home, quarter, reason) if previous else [],
    }


def _input(file: LakeFile) -> dict[str, str]:
    return {"source": file.source, "file_name": file.file_name, "file_sha256": file.file_sha256}


def _previous_files(home: Home, quarter: str) -> list[LakeFile]:
    """What the quarter before was built from, where it is loaded: comparisons with it need it."""
    previous = str(Quarter.parse(quarter).previous)
    with connect(home) as connection:
        rows = connection.execute(
            "select source, file_sha256 from audit.row_balance where quarter = $previous "
            "and exists (from facts.fct_ticket where quarter = $previous)",
            {"previous": previous},
        ).fetchall()
    return [file for file in all_files(home, previous) if (file.source, file.file_sha256) in rows]


def _restatements(home: Home, quarter: str, reason: str) -> list[dict[str, Any]]:
    """Every figure that differs from the last version, with the operator's reason and the cause."""
    files = changed_files(home, quarter)
    cause = f"来源文件变更：{'、'.join(files)}" if files else "业务规则、程序或上季度数据变更"
    told = {"reason": f"{reason}（{cause}）"}
    return [figure | told for figure in changed_figures(home, quarter)]


def _figures(
    connection: duckdb.DuckDBPyConnection, relation: str, quarter: str
) -> dict[tuple[str, str], str]:
    """A mart as {(unit code or empty, measure): value as text}; other keys prefix the measure."""
    cursor = connection.execute(f"select * from {relation} where quarter = ?", [quarter])  # noqa: S608 (our own names)
    columns = [column[0] for column in cursor.description or []]
    figures = {}
    for values in cursor.fetchall():
        row = dict(zip(columns, values, strict=True))
        prefix = "".join(f"{row[key]}." for key in KEY_COLUMNS[1:] if key in row)
        for column, value in row.items():
            if column not in KEY_COLUMNS and column != "quarter" and value is not None:
                figures[str(row.get("unit_code", "")), prefix + column] = str(value)
    return figures


def _read_copy(home: Home, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Rows from the readers' copy; none where there is no copy that can be read."""
    with duckdb.connect() as connection:
        try:
            database = _quoted(home.published / "marts.duckdb")
            connection.execute(f"attach '{database}' as published (read_only)")
            connection.execute("use published")
            return connection.execute(sql, list(parameters)).fetchall()
        except duckdb.Error:
            return []


def _mend(drafted: Draft, version: Path) -> None:
    """Put back a file of a version that was damaged or lost: the draft has the same bytes."""
    for table, sha256 in drafted.outputs.items():
        path = version / f"{table}.parquet"
        if not _is_sound(path, sha256):
            (drafted.folder / path.name).replace(path)


def _is_sound(path: Path, sha256: str) -> bool:
    return path.is_file() and sha256_of(path) == sha256


def refresh_readers(home: Home, new: Path | None = None, place: Path | None = None) -> None:
    """Make what readers see from each quarter's latest version; a new one takes its place first."""
    told = _versions(home, "*", *([new] if new else []))
    latest = {manifest["quarter"]: folder for manifest, folder in told}
    database = _build_duckdb(home, [manifest for manifest, _ in told], list(latest.values()))
    tree = _build_tree(home, latest)
    if new and place:
        for path in (*new.iterdir(), new):
            settle_on_disk(path)
        new.rename(place)
    _switch_tree(home, tree)
    database.replace(home.published / "marts.duckdb")


def _build_tree(home: Home, versions: Mapping[str, Path]) -> Path:
    """The readers' Parquet tree of some versions by quarter: hard links, which take no space."""
    tree = home.published / f"{TREE}{_tree_number(home) + 1}"
    shutil.rmtree(tree, ignore_errors=True)  # a run died here
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
    """Let `parquet` name another tree; the one before stays, for readers who are in it."""
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


def _build_duckdb(home: Home, told: list[dict[str, Any]], versions: list[Path]) -> Path:
    """Make the readers' database aside; open readers keep the one that they have open.

    Its marts are those of each quarter's latest version: what a run built and the gate stopped is
    in the working warehouse too. The audit is of every run, stopped ones included.
    """
    temporary = home.scratch / "marts.duckdb"
    temporary.unlink(missing_ok=True)
    with connect(home) as connection:
        _write_publication_tables(connection, told)
        write_control_history(connection)
        # Nobody recovers a file that isn't in its place yet: a log would write all of it twice.
        connection.execute(
            f"attach '{_quoted(temporary)}' as readers "
            f"(storage_version '{READER_STORAGE_VERSION}', recovery_mode 'no_wal_writes')"
        )
        for schema in READER_SCHEMAS:
            connection.execute(f"create schema readers.{schema}")
            for table in _tables(connection, schema):
                files = [str(version / f"{table}.parquet") for version in versions]
                # What only grows is in order as it was written; sorting all of it each time isn't.
                ordered = "" if table in APPEND_ONLY else "order by all"
                rows = f"{schema}.{table}"
                if schema == "marts":
                    connection.execute(
                        "create or replace temp view published as select * from "  # noqa: S608 (our own paths)
                        f"read_parquet({files}, union_by_name = true)"
                    )
                    rows = "published"
                connection.execute(
                    f"create table readers.{schema}.{table} as select * from {rows} {ordered}"  # noqa: S608 (our own names)
                )
        for entry in reader_tables().values():  # the labels, so that a BI tool can show them
            for statement in entry.comment_statements("readers"):
                connection.execute(statement)
        connection.execute("checkpoint readers")  # detaching would pass over a full disk
        connection.execute("detach readers")
    return temporary


def _write_publication_tables(
    connection: duckdb.DuckDBPyConnection, told: list[dict[str, Any]]
) -> None:
    for table in ("publication", "restatement"):
        connection.execute(f"drop table if exists audit.{table}")
        connection.execute(reader_tables()["audit", table].create_statement)
    columns = [column.name for column in reader_tables()["audit", "publication"].columns]
    versions = [[manifest[column] for column in columns] for manifest in told]
    insert_rows(connection, "audit.publication", versions)
    restatements = [
        [manifest["quarter"], manifest["version"], manifest["version"] - 1, *row.values()]
        for manifest in told
        for row in manifest["restatements"]
    ]
    insert_rows(connection, "audit.restatement", restatements)


def _tables(connection: duckdb.DuckDBPyConnection, schema: str) -> list[str]:
    rows = connection.execute(
        "select table_name from information_schema.tables where table_schema = ? "
        "and table_catalog = current_database() order by table_name",
        [schema],
    ).fetchall()
    return [name for (name,) in rows]


def _input_hashes(home: Home, quarter: str) -> list[str]:
    return sorted(f"{f.source}:{f.file_sha256}" for f in current_files(home, quarter))


def rules_sha256() -> str:
    """One hash over the dated business rules and the contracts."""
    return _digest({f"{path.parent.name}/{path.name}": sha256_of(path) for path in rule_files()})


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
