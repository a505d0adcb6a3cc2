"""Versions of a quarter: their manifests, their Parquet files, and the hashes of these.

A version is a folder under `published/versions/`. It never changes, except when numbers are
forgotten. The same rows give the same bytes, so that equal hashes mean equal figures.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from orchestration.common.errors import InputError
from orchestration.common.files import sha256_of
from orchestration.common.quarters import Quarter
from orchestration.common.settings import Home, rule_files
from orchestration.ingest.lake import current_files
from orchestration.publish.publication_log import Entry, last_entries, read_log
from orchestration.warehouse.connection import connect, quoted, tables_of

# Facts are exported as Parquet too, so that a published figure can be traced to its source rows.
EXPORTED_SCHEMAS = ("marts", "facts")
FACT_PREFIX = "fct_"
# The codes of errors about versions that differ from the publication log.
NOT_AS_LOGGED = (
    "missing_version",
    "damaged_manifest",
    "unknown_version",
    "missing_publication_log",
)
# The key of a manifest that was written when the publication log already existed.
LOGGED = "compared_with"


def manifests(home: Home, quarter: str = "*") -> list[dict[str, Any]]:
    """The manifests of one quarter or of all, in order of quarter and version.

    Raises:
        InputError: the versions differ from the publication log, or a manifest can't be read.
    """
    return [manifest for manifest, _ in versions_of(home, quarter)]


def versions_of(home: Home, quarter: str, *more: Path) -> list[tuple[dict[str, Any], Path]]:
    """Manifests and their folders, by quarter and version; `more` are folders not in place yet.

    Raises:
        InputError: the versions differ from the publication log, or a manifest can't be read.
    """
    paths = sorted((home.published / "versions").glob(f"{quarter}/v*/manifest.json"))
    entries = last_entries(read_log(home))
    if entries or home.publication_log.exists():
        _check_logged(home, quarter, entries, paths)
    paths += [folder / "manifest.json" for folder in more]
    found = [(_read_manifest(path), path.parent) for path in paths]
    if not entries and any(LOGGED in manifest for manifest, _ in found[: len(found) - len(more)]):
        raise _not_as_logged(
            "missing_publication_log",
            home.publication_log,
            home,
            "发布记录不见了，而有它登记过的版本",
        )
    return sorted(found, key=lambda entry: (entry[0]["quarter"], entry[0]["version"]))


def _check_logged(
    home: Home, quarter: str, entries: Mapping[tuple[str, int], Entry], paths: Sequence[Path]
) -> None:
    """Refuse a version that is missing, altered, or not in the log."""
    logged = {
        home.version_manifest(entry.quarter, entry.version): entry
        for entry in entries.values()
        if quarter in ("*", entry.quarter)
    }
    for path, entry in logged.items():
        if not path.is_file():
            told = f"{entry.quarter} 第 {entry.version} 版不见了（发布于 {entry.published_at}）"
            raise _not_as_logged("missing_version", path, home, told)
        if sha256_of(path) != entry.manifest_sha256:
            raise _not_as_logged("damaged_manifest", path, home, "版本清单已损坏，或被改动过")
    for path in paths:
        if path not in logged:
            raise _not_as_logged("unknown_version", path, home, "发布记录里没有这一版")


def _not_as_logged(code: str, path: Path, home: Home, found: str) -> InputError:
    return InputError(
        code=code,
        file=str(path.relative_to(home.root)),
        found=found,
        expected="已发布的版本与发布记录 publications.jsonl 一致，两者从不改动",
        action="从备份（hotline backup）中取回这一个文件或版本的文件夹后重新运行",
    )


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
        InputError: the quarter isn't written as one, or was never published in this home.
    """
    Quarter.parse(quarter)
    manifest = latest_manifest(home, quarter)
    if manifest is None:
        known = sorted({entry["quarter"] for entry in manifests(home)})
        raise InputError(
            code="not_published",
            found=f"{quarter} 还没有发布过",
            expected=f"已发布的季度：{'、'.join(known) or '（还没有）'}",
            action=f"先运行 hotline run {quarter}，或改正季度或 --home",
        )
    return manifest


def latest_manifest(home: Home, quarter: str) -> dict[str, Any] | None:
    """The manifest of a quarter's latest version; None if it was never published."""
    return next(reversed(manifests(home, quarter)), None)


def compared_inputs(home: Home, manifest: Mapping[str, Any]) -> list[dict[str, str]]:
    """The inputs of the previous quarter's version that a version was compared with."""
    if LOGGED not in manifest:  # the version is older than the publication log
        return list(manifest.get("previous_inputs", []))
    place = (manifest["quarter"], manifest["version"])
    compared = last_entries(read_log(home))[place].compared_version
    previous = str(Quarter.parse(manifest["quarter"]).previous)
    found = [one["inputs"] for one in manifests(home, previous) if one["version"] == compared]
    return list(found[0]) if found else []


def export_outputs(home: Home, quarter: str, folder: Path) -> dict[str, str]:
    """Write a quarter of each mart and fact to Parquet in a total order; return hashes by table.

    Each is first copied to a table of its own. The writer uses bytes for what a table's statistics
    allow, such as nulls in another quarter, but the bytes must depend on this quarter alone.
    """
    folder.mkdir(parents=True)
    with connect(home) as connection:
        for schema in EXPORTED_SCHEMAS:
            export_schema(connection, schema, quarter, folder)
    return file_hashes(folder)


def export_schema(
    connection: duckdb.DuckDBPyConnection, schema: str, quarter: str, folder: Path
) -> None:
    """Write a quarter of each table of a schema in the current database."""
    for table in tables_of(connection, schema):
        rows = f"from {schema}.{table} where quarter = ?"
        write_parquet(connection, rows, folder / f"{table}.parquet", [quarter])


def write_parquet(
    connection: duckdb.DuckDBPyConnection, rows: str, target: Path, parameters: Sequence[Any] = ()
) -> None:
    """Write the rows of a query in a total order, so that the same rows give the same bytes."""
    connection.execute(
        f"create or replace temp table export as select * from ({rows}) order by all",  # noqa: S608 (our own names)
        list(parameters),
    )
    connection.execute(f"copy export to '{quoted(target)}' (format parquet, compression zstd)")


def is_sound(path: Path, sha256: str) -> bool:
    """Whether a file exists and has the recorded hash."""
    return path.is_file() and sha256_of(path) == sha256


def file_hashes(folder: Path) -> dict[str, str]:
    """The SHA-256 of each Parquet file of a folder, by table."""
    return {path.stem: sha256_of(path) for path in sorted(folder.glob("*.parquet"))}


def input_sha256(home: Home, quarter: str) -> str:
    """One hash over what decides a quarter's figures: its current files and the rules."""
    files = sorted(f"{file.source}:{file.file_sha256}" for file in current_files(home, quarter))
    return digest_of({"files": files, "rules": rules_sha256()})


def rules_sha256() -> str:
    """One hash over the dated business rules and the contracts."""
    return digest_of({f"{path.parent.name}/{path.name}": sha256_of(path) for path in rule_files()})


def digest_of(value: dict[str, Any]) -> str:
    """One hash over values by name, such as all outputs of a version; their order is ignored."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
