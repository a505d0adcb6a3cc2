"""Reading the models' YAML for the readers' tables: grain, labels, types, keys, tests.

The one source of the comments in the published databases, of the keys in PostgreSQL, and of the
dictionary's page. Nothing about how a table is made belongs here.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast

import yaml

from orchestration.common.settings import DBT_PROJECT

# The readers' schemas, and the folder of models that each is made of.
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
    """A column: `data_type` as in the contract, `tests` as what they demand, in Chinese.

    `english` is its name in English, `kind` what sort of measure it is, `made_of` the counts in its
    row that it follows from, numerator before denominator, `repeats` the mart and the column that
    it is taken from; each may be empty.
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
        """Its name in Chinese, with which its description begins."""
        return re.split("[：（÷；，]", self.description)[0]

    @property
    def duckdb_type(self) -> str:
        """The type's name on DuckDB."""
        return self.data_type.replace("string", "varchar")

    @property
    def demands(self) -> tuple[str, ...]:
        """Everything that is demanded of the column's values."""
        required = (REQUIREMENTS["not_null"],) if self.is_required else ()
        return tuple(dict.fromkeys((*required, *self.tests)))


@dataclass(frozen=True)
class TableEntry:
    """A table: `description` opens with its subject and grain; `key` is empty for a log.

    `channel` is set for the one mart of a channel's units, `item` what is counted in it.
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
        """SQL that makes the table unless it is there, on DuckDB."""
        columns = ", ".join(
            f"{column.name} {column.duckdb_type}{' not null' if column.is_required else ''}"
            for column in self.columns
        )
        return f"create table if not exists {self.schema}.{self.name} ({columns})"

    def comment_statements(self, database: str = "") -> Iterator[str]:
        """SQL that sets the table's and its columns' comments, on DuckDB as on PostgreSQL.

        Args:
            database: the name that it is attached under, where it isn't the current one.
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
    """What the marts' columns are called, in Chinese and English."""
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
    """What sort of measure it is; whatever is no column of a mart is counted.

    Args:
        measure: a column of a mart, maybe behind a subject and a point (`completion.rate`).
    """
    column = _mart_columns().get(measure.rpartition(".")[2])
    return cast(Kind, column.kind) if column and column.kind else "count"


@cache
def made_of(mart: str, *kinds: Kind) -> Mapping[str, tuple[str, ...]]:
    """The measures of some kinds of a mart, in its order, each with the counts it follows from.

    A count follows from itself, a rate from its numerator and denominator.
    """
    return {
        column.name: column.made_of or (column.name,)
        for column in reader_tables()["marts", mart].columns
        if column.kind in kinds
    }


@cache
def repeated(mart: str) -> Mapping[str, tuple[str, str]]:
    """The columns of a mart that repeat another's, with that mart and its column."""
    return {
        column.name: (column.repeats[0], column.repeats[1])
        for column in reader_tables()["marts", mart].columns
        if column.repeats
    }


@cache
def channels() -> Mapping[str, TableEntry]:
    """Each channel's mart of its units, by the channel's code, in the YAML's order."""
    return {table.channel: table for table in reader_tables().values() if table.channel}


def channel_of(mart: str) -> str:
    """The channel whose items a mart counts; empty for one of none or of all channels."""
    channel = mart.partition("_")[0]
    return channel if channel in channels() else ""


def mart_names() -> list[str]:
    """All marts, in the YAML's order."""
    return [name for schema, name in reader_tables() if schema == "marts"]


@cache
def _mart_columns() -> Mapping[str, ColumnEntry]:
    """The marts' columns by name: one that several marts have is the same in all."""
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
    # The C loader: a run that publishes waits for this.
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
    """What a test of a column demands, as people say it; one without a phrase by its name."""
    if isinstance(test, str):
        return REQUIREMENTS.get(test, test)
    ((name, settings),) = test.items()
    arguments = settings.get("arguments", {})
    phrase = REQUIREMENTS.get(name, name).format_map(arguments)
    return re.sub(r"ref\('(\w+)'\)", r"\1", phrase)
