"""Reads the models' YAML for the readers' tables: grain, labels, types, keys, tests.

It is the only source of the comments in the published databases, the keys in PostgreSQL and the
dictionary page. How a table is built doesn't belong here.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast

import yaml

from orchestration.common.settings import DBT_PROJECT

# The readers' schemas, each with the folder of its models.
READER_FOLDERS = {"marts": "marts", "audit": "reconciliation"}
Kind = Literal["count", "rate", "index", "rank"]
KEY_TEST = "unique_combination"
REQUIREMENTS = {
    "not_null": "不为空",
    "unique": "不重复",
    "accepted_values": "只取 {values}",
    "relationships": "见于 {to} 的 {field}",
}


@dataclass(frozen=True)
class ColumnEntry:
    """A column: `data_type` as in the contract, `tests` as the tests' demands, in Chinese.

    `english` is its name in English and `kind` its kind of measure. `made_of` names the counts in
    its row that it is computed from, the numerator before the denominator. `repeats` is the mart
    and the column that it is copied from. Each of these may be empty.
    """

    name: str
    data_type: str
    description: str
    english: str
    kind: str
    made_of: tuple[str, ...]
    repeats: tuple[str, ...]
    is_required: bool
    tests: tuple[str, ...]

    @property
    def label(self) -> str:
        """The Chinese name, with which the description begins."""
        return re.split("[：（÷；，]", self.description)[0]

    @property
    def duckdb_type(self) -> str:
        """The type's name on DuckDB."""
        return self.data_type.replace("string", "varchar")

    @property
    def demands(self) -> tuple[str, ...]:
        """All demands on the column's values."""
        required = (REQUIREMENTS["not_null"],) if self.is_required else ()
        return tuple(dict.fromkeys((*required, *self.tests)))


@dataclass(frozen=True)
class TableEntry:
    """A table: `description` begins with its subject and grain; `key` is empty for a log.

    `channel` is set only for a channel's mart by unit; `item` names what that mart counts.
    """

    schema: str
    name: str
    description: str
    key: tuple[str, ...]
    columns: tuple[ColumnEntry, ...]
    channel: str = ""
    item: str = ""

    @property
    def required(self) -> set[str]:
        """The columns that are never null."""
        return {column.name for column in self.columns if column.is_required}

    @property
    def create_statement(self) -> str:
        """SQL for DuckDB that creates the table if it doesn't exist."""
        columns = ", ".join(
            f"{column.name} {column.duckdb_type}{' not null' if column.is_required else ''}"
            for column in self.columns
        )
        return f"create table if not exists {self.schema}.{self.name} ({columns})"

    def comment_statements(self, database: str = "") -> Iterator[str]:
        """SQL for DuckDB and PostgreSQL that sets the comments of the table and its columns.

        Args:
            database: the name under which the database is attached, if it isn't the current one.
        """
        place = ".".join(filter(None, (database, self.schema, self.name)))
        said = {f"table {place}": self.description}
        said |= {f"column {place}.{column.name}": column.description for column in self.columns}
        for what, comment in said.items():
            text = comment.replace("'", "''")
            yield f"comment on {what} is '{text}'"


@cache
def reader_tables() -> Mapping[tuple[str, str], TableEntry]:
    """Every described table of the readers' schemas by (schema, name), in the YAML's order."""
    entries = {}
    for schema, folder in READER_FOLDERS.items():
        for path in sorted((DBT_PROJECT / "models" / folder).glob("_*.yml")):
            for described in _described(path):
                entry = _table(schema, described)
                entries[schema, entry.name] = entry
    return entries


@cache
def column_names() -> Mapping[str, tuple[str, str]]:
    """The names of the marts' columns in Chinese and English."""
    return {
        name: (column.label, column.english)
        for name, column in _mart_columns().items()
        if column.english
    }


@cache
def column_labels() -> dict[str, str]:
    """The Chinese label of every column of the readers' tables."""
    columns = [column for table in reader_tables().values() for column in table.columns]
    return {column.name: column.label for column in sorted(columns, key=lambda c: c.label)[::-1]}


def kind_of(measure: str) -> Kind:
    """The kind of a measure; a name that is no column of a mart is a count.

    Args:
        measure: a column of a mart, with or without a prefix and a point (`completion.rate`).
    """
    column = _mart_columns().get(measure.rpartition(".")[2])
    return cast(Kind, column.kind) if column and column.kind else "count"


@cache
def made_of(mart: str, *kinds: Kind) -> Mapping[str, tuple[str, ...]]:
    """A mart's measures of some kinds, in its order, each with the counts it is computed from.

    For a rate these are the numerator and the denominator, for a plain count the count itself.
    """
    return {
        column.name: column.made_of or (column.name,)
        for column in reader_tables()["marts", mart].columns
        if column.kind in kinds
    }


@cache
def repeated(mart: str) -> Mapping[str, tuple[str, str]]:
    """The columns of a mart that repeat another mart's, each with that mart and its column."""
    return {
        column.name: (column.repeats[0], column.repeats[1])
        for column in reader_tables()["marts", mart].columns
        if column.repeats
    }


@cache
def channels() -> Mapping[str, TableEntry]:
    """Each channel's mart by unit, keyed by the channel's code, in the YAML's order."""
    return {table.channel: table for table in reader_tables().values() if table.channel}


def channel_of(mart: str) -> str:
    """The channel whose items a mart counts; empty if the mart belongs to none or to all."""
    channel = mart.partition("_")[0]
    return channel if channel in channels() else ""


def mart_names() -> list[str]:
    """All marts, in the YAML's order."""
    return [name for schema, name in reader_tables() if schema == "marts"]


@cache
def _mart_columns() -> Mapping[str, ColumnEntry]:
    """The marts' columns by name. A name has the same meaning in all marts that have it."""
    return {
        column.name: column
        for (schema, _), table in reader_tables().items()
        if schema == "marts"
        for column in table.columns
    }


def _meta(described: Mapping[str, Any]) -> Mapping[str, Any]:
    meta: Mapping[str, Any] = described.get("config", {}).get("meta", {})
    return meta


def _described(path: Path) -> Iterator[dict[str, Any]]:
    # The C loader is faster, and a run that publishes waits for this.
    content = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    yield from content.get("models", [])
    for source in content.get("sources", []):
        yield from source["tables"]


def _table(schema: str, described: Mapping[str, Any]) -> TableEntry:
    keys = [
        test[KEY_TEST]["arguments"]["columns"]
        for test in described.get("data_tests", [])
        if isinstance(test, dict) and KEY_TEST in test
    ]
    key = tuple(keys[0] if keys else described.get("meta", {}).get("key", ()))
    return TableEntry(
        schema=schema,
        channel=_meta(described).get("channel", ""),
        item=_meta(described).get("item", ""),
        name=described["name"],
        description=described["description"].strip(),
        key=key,
        columns=tuple(
            ColumnEntry(
                name=column["name"],
                data_type=column["data_type"],
                description=column["description"].strip(),
                english=_meta(column).get("english", ""),
                kind=_meta(column).get("kind", ""),
                made_of=tuple(_meta(column).get("made_of", ())),
                repeats=tuple(_meta(column).get("repeats", ())),
                is_required=column["name"] in key or _is_required(column),
                tests=tuple(_test(test) for test in column.get("data_tests", [])),
            )
            for column in described.get("columns", [])
        ),
    )


def _is_required(column: Mapping[str, Any]) -> bool:
    constraints = {entry["type"] for entry in column.get("constraints", [])}
    return "not_null" in constraints or "not_null" in column.get("data_tests", [])


def _test(test: str | Mapping[str, Any]) -> str:
    """What a test of a column demands, in Chinese; the test's name if it has no phrase."""
    if isinstance(test, str):
        return REQUIREMENTS.get(test, test)
    ((name, settings),) = test.items()
    arguments = settings.get("arguments", {})
    phrase = REQUIREMENTS.get(name, name).format_map(arguments)
    return re.sub(r"ref\('(\w+)'\)", r"\1", phrase)
