"""The publication log `published/publications.jsonl`: one line per publication, in order.

Versions are checked against it, because a missing folder can't report itself. Lines are only added:
for a new version, for a run that published a version once more, and for a version that was
rewritten because numbers were forgotten. The manifest, not the log, says what a version contains.

The intent is logged before the change and completion after it, so that the next run can resume:
`intend` writes the line into a file of its own, `complete` moves it to the log.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from orchestration.common.errors import InputError
from orchestration.common.files import sha256_of, write_atomically
from orchestration.common.quarters import Quarter
from orchestration.common.settings import Home

RESTORE = "由备份（hotline backup）恢复 published/ 后重新运行"


@dataclass(frozen=True)
class Entry:
    """A line of the log.

    `run_id` is the run that built and reconciled the published build. `compared_version` is the
    version of the previous quarter that it is compared with. It is None if that quarter wasn't
    published, and 0 if it was loaded but not published (only in versions older than this log).
    """

    quarter: str
    version: int
    manifest_sha256: str
    published_at: str
    run_id: str
    compared_version: int | None
    event: str = "publication"


@dataclass(frozen=True)
class Stale:
    """A published quarter that was compared with a version that is no longer the latest."""

    quarter: str
    version: int
    previous: str
    compared_version: int | None
    latest_version: int

    def __str__(self) -> str:
        compared = f"第 {self.compared_version} 版" if self.compared_version else "未发布的数字"
        if self.compared_version is None:
            compared = "公布的对比数（当时没有装载）"
        return (
            f"{self.quarter} 的环比过时：当时比的是 {self.previous} {compared}，"
            f"现在是第 {self.latest_version} 版"
        )


def read_log(home: Home) -> list[Entry]:
    """The log's entries in order, with the intended entry if its manifest is already in place.

    Raises:
        InputError: the log can't be read.
    """
    entries = _read(home)
    intended = read_intent(home)
    if intended and intended not in entries and _is_done(home, intended):
        entries.append(intended)
    return entries


def last_entries(entries: Iterable[Entry]) -> dict[tuple[str, int], Entry]:
    """The last entry of each version."""
    return {(entry.quarter, entry.version): entry for entry in entries}


def last_publication(home: Home, quarter: str) -> Entry | None:
    """The last entry of a quarter, or None."""
    return next((e for e in reversed(read_log(home)) if e.quarter == quarter), None)


def stale(entries: Iterable[Entry]) -> list[Stale]:
    """Published quarters whose comparisons a later correction made stale, the oldest first."""
    last = {entry.quarter: entry for entry in entries}
    found = []
    for quarter, entry in sorted(last.items()):
        previous = str(Quarter.parse(quarter).previous)
        latest = last[previous].version if previous in last else None
        if latest is not None and entry.compared_version != latest:
            found.append(Stale(quarter, entry.version, previous, entry.compared_version, latest))
    return found


def intend(home: Home, entry: Entry) -> None:
    """Write the entry of the publication that is about to happen."""
    home.publication_intent.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(home.publication_intent, _line(entry))


def read_intent(home: Home) -> Entry | None:
    """The entry of a publication that hasn't been completed, or None."""
    try:
        return Entry(**json.loads(home.publication_intent.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def complete(home: Home) -> Entry | None:
    """Move the intended entry to the log if its version is in place; drop it if not.

    Returns:
        The entry if this call moved it, else None.
    """
    intended = read_intent(home)
    if intended is None:
        return None
    entries = _read(home)
    is_due = _is_done(home, intended) and intended not in entries
    if is_due:
        write(home, [*entries, intended])
    home.publication_intent.unlink()
    return intended if is_due else None


def write(home: Home, entries: Iterable[Entry]) -> None:
    """Write the whole log: it is small, and a rename can't leave half a line."""
    write_atomically(home.publication_log, "".join(map(_line, entries)))


def now() -> str:
    """The current time in the format of the log and the manifests."""
    return f"{datetime.now():%Y-%m-%d %H:%M:%S}"


def begin(home: Home, versions: Iterable[Mapping[str, Any]]) -> None:
    """Create the log of a home that is older than the log, from its versions' manifests."""
    told = list(versions)
    if home.publication_log.exists() or not told:
        return
    by_quarter: dict[str, list[Mapping[str, Any]]] = {}
    for manifest in told:
        by_quarter.setdefault(manifest["quarter"], []).append(manifest)
    entries = []
    for manifest in sorted(told, key=lambda one: (one["published_at"], one["version"])):
        earlier = by_quarter.get(str(Quarter.parse(manifest["quarter"]).previous), [])
        path = home.version_manifest(manifest["quarter"], manifest["version"])
        entries.append(
            Entry(
                manifest["quarter"],
                manifest["version"],
                sha256_of(path),
                manifest["published_at"],
                manifest["run_id"],
                _compared(manifest, earlier),
            )
        )
    write(home, entries)


def _compared(manifest: Mapping[str, Any], earlier: list[Mapping[str, Any]]) -> int | None:
    """The previous quarter's version made from the files that a version was compared with."""
    used = _files(manifest.get("previous_inputs", []))
    if not used:
        return None
    fitting = [one["version"] for one in earlier if _files(one["inputs"]) == used]
    return max(fitting, default=0)


def _files(inputs: Iterable[Mapping[str, str]]) -> set[tuple[str, str]]:
    return {(entry["source"], entry["file_sha256"]) for entry in inputs}


def _is_done(home: Home, entry: Entry) -> bool:
    path = home.version_manifest(entry.quarter, entry.version)
    return path.is_file() and sha256_of(path) == entry.manifest_sha256


def _read(home: Home) -> list[Entry]:
    if not home.publication_log.exists():
        return []
    try:
        lines = home.publication_log.read_text(encoding="utf-8").splitlines()
        return [Entry(**json.loads(line)) for line in lines]
    except (ValueError, TypeError) as error:
        raise InputError(
            code="damaged_publication_log",
            file=str(home.publication_log.relative_to(home.root)),
            found="发布记录已损坏，读不出来",
            expected="每次发布时加上的一行 JSON，从不改动",
            action=RESTORE,
        ) from error


def _line(entry: Entry) -> str:
    return json.dumps(asdict(entry), ensure_ascii=False) + "\n"
