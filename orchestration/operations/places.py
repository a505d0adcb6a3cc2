"""Every place in a home that can hold a number or a written name, and how forgetting treats it.

Forgetting works through this list, and a test compares it with every file that a run leaves. Code
that writes a new kind of file must add it here.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

from orchestration.common.settings import Home

Treatment = Literal["rewritten", "rebuilt", "removed", "none"]


@dataclass(frozen=True)
class Place:
    """Files of a home by a pattern; `holds` says which personal data they can contain.

    `rewritten`: tombstones replace the numbers. `rebuilt`: made again from the rewritten files.
    `removed`: deleted, and made again when next needed. `none`: left alone, because the code that
    writes the files puts no personal data in them, or because forgetting refuses such a home.
    """

    pattern: str
    holds: str
    treatment: Treatment


PLACES = (
    Place(
        "lake/*/*.parquet", "every written value of the columns that a contract keeps", "rewritten"
    ),
    Place("lake/index/*/*.json", "", "none"),
    Place("lake/erasures.json", "tombstones", "none"),
    Place("lake/erasures.done", "", "none"),
    Place(
        "hotline.duckdb*", "numbers in staging and facts, unit names that no alias knows", "rebuilt"
    ),
    Place("candidate/**", "the same, in what a run built last", "removed"),
    Place("published/publication*.json*", "", "none"),
    Place("published/versions/*/*/fct_*.parquet", "numbers", "rewritten"),
    Place("published/versions/**", "", "none"),
    Place("published/marts.duckdb", "", "rebuilt"),
    Place("published/.parquet-*/**", "numbers: the files of the versions", "rebuilt"),
    Place("published/audit/**", "numbers, in the rows behind a figure", "rebuilt"),
    Place("published/bulletin/**", "", "none"),
    Place("published/docs/**", "what Great Expectations and dbt say of rows", "removed"),
    Place("audit/**", "numbers, in reports on stopped runs", "removed"),
    Place("rejected/**", "numbers, unit names that no alias knows", "removed"),
    Place(
        "dagster/**", "numbers, in what versions before 0.7 told of corrected files", "rewritten"
    ),
    Place("dagster.damaged-*/**", "the same, where it can't be read any more", "removed"),
    Place("dbt/target/run_results.json", "what an engine says of a value", "removed"),
    Place("dbt/**/*.log*", "the same", "removed"),
    Place("dbt/**", "", "none"),
    Place("scratch/**", "rows on their way", "removed"),
    Place("spark/**", "numbers in facts: forgetting refuses such a home", "none"),
    Place("logs/**", "", "none"),
    Place("last-run.json", "", "none"),
    Place("writer.lock", "", "none"),
)


def place_of(home: Home, path: Path) -> Place | None:
    """The first place in the list that a file of a home matches, or None."""
    name = PurePath(path.relative_to(home.root))
    return next((place for place in PLACES if _fits(name, place.pattern)), None)


def files_of(home: Home, treatment: Treatment) -> Iterator[Path]:
    """The files of a home with the given treatment."""
    for path in sorted(home.root.rglob("*")):
        if path.is_file() and (place := place_of(home, path)) and place.treatment == treatment:
            yield path


def remove(home: Home) -> None:
    """Delete the files with treatment `removed`, and the folders that hold nothing else."""
    for path in list(files_of(home, "removed")):
        path.unlink()
    for pattern in ("dagster.damaged-*", "candidate", "rejected", "audit", "published/docs"):
        for folder in home.root.glob(pattern):
            shutil.rmtree(folder)


def _fits(name: PurePath, pattern: str) -> bool:
    """Whether a name matches: `**` is any folders and the file below them, `*` part of a name."""
    parts = pattern.split("/")
    if "**" not in parts:
        return len(parts) == len(name.parts) and name.match(pattern)
    at = parts.index("**")
    last = parts[at + 1] if len(parts) > at + 1 else "*"
    head = "/".join(parts[:at])
    return (
        len(name.parts) > at
        and PurePath(*name.parts[:at]).match(head)
        and PurePath(name.name).match(last)
    )
