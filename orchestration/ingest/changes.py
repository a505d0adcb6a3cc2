"""The effect of a corrected export on the raw lake: rows added, removed and altered.

Rows are matched by the contract's identity, and a row's content is all its kept columns. The result
has only counts and the places of a few rows: Dagster stores it, and every value stored there would
have to be erased on request.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import polars as pl

from orchestration.common.settings import Home
from orchestration.ingest.lake import LakeFile
from orchestration.reading.contracts import Contract

EXAMPLES = 3
MEMORY = "512MB"  # beyond it DuckDB spills into the home's scratch


@dataclass(frozen=True)
class Changes:
    """How many identities were added, removed and altered, and where the first few are."""

    label: str
    added: int
    removed: int
    altered: int
    examples: tuple[list[str], list[str], list[str]]

    def __str__(self) -> str:
        counts = (self.added, self.removed, self.altered)
        told = [
            f"{word} {count} 行"
            + (f"（{'、'.join(few)}{'等' if count > len(few) else ''}）" if few else "")
            for word, count, few in zip(
                ("新增", "删除", "改动"), counts, self.examples, strict=True
            )
        ]
        return f"「{self.label}」的文件更换了：{'，'.join(told)}"


def changes(
    home: Home, contract: Contract, before: Sequence[LakeFile], after: Sequence[LakeFile]
) -> Changes | None:
    """Compare a source's current files of a quarter with those that were current before.

    Returns:
        None if the files are the same, if one side has none, or if one can't be compared any more.
    """
    sides = [{file.file_sha256: file.parquet(home) for file in files} for files in (before, after)]
    if not sides[0] or not sides[1] or sides[0].keys() == sides[1].keys():
        return None
    paths = [path for side in sides for path in side.values()]
    if not all(path.exists() for path in paths):
        return None
    schemas = [pl.read_parquet_schema(path) for path in paths]
    columns = [name for name in contract.kept_columns if all(name in schema for schema in schemas)]
    if not set(contract.identity) <= set(columns):
        return None
    with duckdb.connect(
        config={"memory_limit": MEMORY, "temp_directory": str(home.scratch)}
    ) as connection:
        old, new = (
            _contents(contract.identity, columns, [str(path) for path in side.values()])
            for side in sides
        )
        came, went = "old.content is null", "new.content is null"
        kinds = (came, went, "old.content <> new.content")
        places = ("new.place", "old.place", "new.place")
        figures = ", ".join(
            f"count(*) filter (where {kind}), min({place}, {EXAMPLES}) filter (where {kind})"
            for kind, place in zip(kinds, places, strict=True)
        )
        found = connection.execute(
            f"select {figures} from ({old}) as old full join ({new}) as new using (identity)"  # noqa: S608 (the contract's names, quoted)
        ).fetchone()
    names = {file.file_sha256: file.file_name for files in (before, after) for file in files}

    def told(places: list[dict[str, str | int]] | None) -> list[str]:
        return [f"{names[str(p['file'])]} 第 {p['row']} 行" for p in places or []]

    added, first_added, removed, first_removed, altered, first_altered = found or (0, None) * 3
    return Changes(
        contract.label,
        added,
        removed,
        altered,
        (told(first_added), told(first_removed), told(first_altered)),
    )


def _contents(identity: Sequence[str], columns: Sequence[str], paths: Sequence[str]) -> str:
    """SQL for the content of each identity: the sorted hashes of its rows."""
    key = ", ".join(f"coalesce(trim(\"{name}\"), '')" for name in identity)
    content = ", ".join(f"coalesce(\"{name}\", '')" for name in columns)
    files = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
    return (
        f"select concat_ws(' ', {key}) as identity, "  # noqa: S608 (the contract's names, quoted)
        f"list_sort(list(md5(concat_ws(chr(31), {content})))) as content, "
        "min({'file': file_sha256, 'row': row_number}) as place "
        f"from read_parquet([{files}], union_by_name = true) where row_defect is null group by 1"
    )
