"""Whether a run would change anything: what the last finished run read, and every file it left.

A run's first act is to note that it has begun, its last to note how it ended; one that is killed or
stopped has no end noted, so the next is run in full. What no file of the home tells is no reason to
skip: with PostgreSQL to publish to, or Spark's store to build in, every run is run.
"""

import hashlib
import json
import os
import sysconfig
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from orchestration.audit.findings import rejected_workbook
from orchestration.ingest.arrival import exports_in
from orchestration.ingest.lake import current_files, sha256_of, write_atomically
from orchestration.notice import NOTICE, NOTICE_ENGLISH
from orchestration.postgres import postgres_url
from orchestration.settings import (
    Home,
    engine,
    exports_root,
    privacy_settings,
    program_files,
    rule_files,
)
from orchestration.warehouse import query

ENVIRONMENT = "HOTLINE_"
# The first two are told as the folders that they mean; dbt is given the others by us.
OTHERWISE_TOLD = {
    *("HOTLINE_HOME", "HOTLINE_EXPORTS"),
    *("HOTLINE_SEEDS", "HOTLINE_DATABASE", "HOTLINE_DUCKDB_MEMORY", "HOTLINE_DUCKDB_SPILL"),
}


def basis(home: Home) -> str:
    """One hash over all but the exports that decides what a run does: its place, code and rules.

    Also the settings, the installed packages, and the notices that the pages repeat.
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
    """Note that a run has begun: until it is finished nothing is known of the home."""
    write_atomically(home.last_run, json.dumps({"run_id": run_id}) + "\n")


def finish(home: Home, run_id: str, quarter: str, based_on: str) -> None:
    """Note that a run published a quarter, and what it leaves; nothing if another has begun since.

    Args:
        home: where it ran.
        run_id: the run.
        quarter: such as 2022Q2.
        based_on: the basis as it was before the run began.
    """
    (days,) = query(
        home,
        "select cast(max(started_at) as date) as first, min(expires_on) as last "
        "from raw.run_scope left join rules.known_discrepancy "
        "on expires_on >= cast(started_at as date)",
    )
    ended = {
        "run_id": run_id,
        "quarter": quarter,
        "basis": based_on,
        # From the day of the run to the last one before a known discrepancy expires.
        "days": [str(days["first"]), str(days["last"] or date.max)],
        "exports": {file.file_name: file.file_sha256 for file in current_files(home, quarter)},
        "files": {name: _mark(home, name) for name in _left_by(home, quarter)},
    }
    if _noted(home).get("run_id") == run_id:
        write_atomically(home.last_run, json.dumps(ended, indent=1, ensure_ascii=False) + "\n")


def unchanged_since(home: Home, quarter: str, based_on: str, today: date) -> str | None:
    """The last finished run, if it ran this quarter on the same data and its files are whole.

    Args:
        home: where it ran.
        quarter: such as 2022Q2.
        based_on: the basis now.
        today: a known discrepancy may have expired since.

    Returns:
        Its id; None where the quarter has to be run.
    """
    noted, folder = _noted(home), exports_root() / quarter
    if postgres_url() or engine() != "duckdb":
        return None
    if (noted.get("quarter"), noted.get("basis")) != (quarter, based_on):
        return None
    first, last = noted["days"]
    found = exports_in(folder) if folder.is_dir() else []
    is_same = (
        first <= str(today) <= last
        and {path.name: sha256_of(path) for path in found} == noted["exports"]
        and all(_mark(home, name) == mark for name, mark in noted["files"].items())
    )
    return str(noted["run_id"]) if is_same else None


def _noted(home: Home) -> dict[str, Any]:
    try:
        noted = json.loads(home.last_run.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # none yet, or damaged: nothing is known
        return {}
    return noted if isinstance(noted, dict) else {}


def _left_by(home: Home, quarter: str) -> Iterator[str]:
    """The files of a home that a quarter's run answers for, by path within the home."""
    yield str(home.erasures.relative_to(home.root))  # even if nothing has been forgotten yet
    paths = [home.warehouse, rejected_workbook(home, quarter)]
    paths += [file.parquet(home) for file in current_files(home, quarter)]
    paths += [*(home.lake / "index" / quarter).iterdir(), *home.published.rglob("*")]
    others = {path.name for path in (home.published / "versions").iterdir()} - {quarter}
    others |= {f"quarter={name}" for name in others}
    for path in paths:
        within = path.relative_to(home.root)
        if path.is_file() and others.isdisjoint(within.parts):
            yield str(within)


def _mark(home: Home, name: str) -> str:
    """What tells a file from a changed one: its hash; size and time of the working warehouse.

    That one is as large as all quarters together, and can be made again.
    """
    path = home.root / name
    if not path.is_file():
        return ""
    if path == home.warehouse:
        return f"{path.stat().st_size}:{path.stat().st_mtime_ns}"
    return sha256_of(path)
