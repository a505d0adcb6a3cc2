"""Decides whether a run would change anything, from a record of each quarter's last run.

The record holds what the run read and the files that it left. The start and the end of a run are
recorded. If a run was killed, the state of the home is unknown, and the next run is a full one. A
run that was stopped removes its quarter from the record. Files that all quarters share (the
readers' database, the log) are recorded by the run that wrote them last.

A run that publishes to PostgreSQL or builds on Spark is never skipped, because no file of the home
shows their state.
"""

import hashlib
import json
import os
import sysconfig
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from orchestration.common.data_notice import NOTICE, NOTICE_ENGLISH
from orchestration.common.errors import InputError
from orchestration.common.files import sha256_of, write_atomically
from orchestration.common.settings import (
    Home,
    engine,
    exports_root,
    privacy_settings,
    program_files,
    rule_files,
)
from orchestration.ingest.arrival import exports_in
from orchestration.ingest.lake import current_files
from orchestration.publish.findings import rejected_workbook
from orchestration.publish.publication_log import read_log, stale
from orchestration.publish.tables.postgres import postgres_url
from orchestration.publish.versions import manifests
from orchestration.warehouse.connection import query

ENVIRONMENT = "HOTLINE_"
# The first two are recorded as resolved folders; the program itself sets the others, for dbt.
OTHERWISE_TOLD = {
    *("HOTLINE_HOME", "HOTLINE_EXPORTS"),
    *("HOTLINE_SEEDS", "HOTLINE_DATABASE", "HOTLINE_DUCKDB_MEMORY", "HOTLINE_DUCKDB_SPILL"),
}


def basis(home: Home) -> str:
    """One hash over everything that decides what a run does, except the exports.

    It covers the folders, the code, the rules, the settings, the installed packages, and the
    notices that the pages repeat.
    """
    exports = exports_root()
    notices = [path for name in (NOTICE, NOTICE_ENGLISH) for path in exports.glob(f"*/{name}")]
    files = {*rule_files(), *program_files(), *notices}
    files |= {path for path in [privacy_settings()] if path.is_file()}
    packages = Path(sysconfig.get_path("purelib")).glob("*.dist-info")
    told = {
        "home": str(home.root),
        "exports": str(exports),
        "files": {str(path): sha256_of(path) for path in sorted(files)},
        "packages": sorted(path.name for path in packages),
        "settings": {
            name: value
            for name, value in sorted(os.environ.items())
            if name.startswith(ENVIRONMENT) and name not in OTHERWISE_TOLD
        },
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def begin(home: Home, run_id: str) -> None:
    """Record that a run has begun; until it ends, the state of the home is unknown."""
    _write(home, _noted(home) | {"run_id": run_id})


def finish(home: Home, run_id: str, quarter: str, based_on: str) -> None:
    """Record that a run published a quarter, and the files that it left.

    Nothing is recorded if another run has begun since.

    Args:
        home: the home of the run.
        run_id: the run.
        quarter: such as 2022Q2.
        based_on: the basis before the run began.
    """
    noted = _noted(home)
    if noted.get("run_id") != run_id:
        return
    (days,) = query(
        home,
        "select cast(max(started_at) as date) as first, min(expires_on) as last "
        "from raw.run_scope left join rules.known_discrepancy "
        "on expires_on >= cast(started_at as date)",
    )
    ended = {
        "run_id": run_id,
        "basis": based_on,
        # From the day of the run to the last day before a known discrepancy expires.
        "days": [str(days["first"]), str(days["last"] or date.max)],
        "exports": {file.file_name: file.file_sha256 for file in current_files(home, quarter)},
        "files": {name: _mark(home, name) for name in _left_by(home, quarter)},
    }
    quarters = noted.get("quarters", {}) | {quarter: ended}
    _write(home, {"quarters": quarters, "shared": _shared_marks(home)})


def stop(home: Home, run_id: str, quarter: str) -> None:
    """Record that a run was stopped at the gate: what readers see didn't change."""
    noted = _noted(home)
    if noted.get("run_id") != run_id:
        return
    quarters = {name: one for name, one in noted.get("quarters", {}).items() if name != quarter}
    shared = noted.get("shared", {}) | {home.warehouse.name: _mark(home, home.warehouse.name)}
    _write(home, {"quarters": quarters, "shared": shared})


def unchanged_since(home: Home, quarter: str, based_on: str, today: date) -> str | None:
    """The quarter's last run, if it published the same data and its files are intact.

    Args:
        home: the home of the run.
        quarter: such as 2022Q2.
        based_on: the current basis.
        today: the current date; a known discrepancy may have expired since the run.

    Returns:
        The run's id, or None if the quarter has to be run. That is also the case if the previous
        quarter was corrected after this one was compared with it.
    """
    noted, folder = _noted(home), exports_root() / quarter
    if postgres_url() or engine() != "duckdb" or "run_id" in noted:
        return None
    last = noted.get("quarters", {}).get(quarter)
    if last is None or last["basis"] != based_on:
        return None
    try:
        manifests(home)
    except InputError:  # a version is missing or altered; the run stops there and names it
        return None
    if quarter in {one.quarter for one in stale(read_log(home))}:
        return None
    first, expiry = last["days"]
    found = exports_in(folder) if folder.is_dir() else []
    is_same = (
        first <= str(today) <= expiry
        and {path.name: sha256_of(path) for path in found} == last["exports"]
        and all(_mark(home, name) == mark for name, mark in last["files"].items())
        and _shared_marks(home) == noted["shared"]
    )
    return str(last["run_id"]) if is_same else None


def _write(home: Home, noted: dict[str, Any]) -> None:
    write_atomically(home.last_run, json.dumps(noted, indent=1, ensure_ascii=False) + "\n")


def _noted(home: Home) -> dict[str, Any]:
    try:
        noted = json.loads(home.last_run.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # no record yet, or a damaged one
        return {}
    return noted if isinstance(noted, dict) else {}


def _left_by(home: Home, quarter: str) -> Iterator[str]:
    """The files that a quarter's run is responsible for, by path within the home."""
    yield str(home.erasures.relative_to(home.root))  # even if nothing has been forgotten yet
    paths = [rejected_workbook(home, quarter)]
    paths += [file.parquet(home) for file in current_files(home, quarter)]
    paths += (home.lake / "index" / quarter).glob("*")
    # By the readers' path: each publication replaces the tree behind the link.
    paths += (home.published / "parquet").glob(f"*/quarter={quarter}/*.parquet")
    for folder in (home.published / "versions", *_folders_by_quarter(home)):
        paths += (folder / quarter).rglob("*")
    for path in paths:
        if path.is_file():
            yield str(path.relative_to(home.root))


def _shared_marks(home: Home) -> dict[str, str]:
    """The marks of the files that belong to no single quarter."""
    paths = [home.warehouse, *(path for path in home.published.iterdir() if path.is_file())]
    for folder in _folders_by_quarter(home):
        paths += [path for path in folder.iterdir() if path.is_file()]
    names = sorted(str(path.relative_to(home.root)) for path in paths)
    return {name: _mark(home, name) for name in names}


def _folders_by_quarter(home: Home) -> list[Path]:
    """The published folders with one subfolder per quarter, except the versions."""
    folders = (home.bulletin("any").parent, home.audit_report("any").parent.parent)
    return [folder for folder in folders if folder.is_dir()]


def _mark(home: Home, name: str) -> str:
    """The mark that changes with a file: its hash; empty if there is no such file.

    For the working warehouse it is the size and the modification time. That file is as large as
    all quarters together, and can be rebuilt.
    """
    path = home.root / name
    if not path.is_file():
        return ""
    if path == home.warehouse:
        return f"{path.stat().st_size}:{path.stat().st_mtime_ns}"
    return sha256_of(path)
