"""One cell changed, and the quarter worked out again: what the mutation test is made of.

The exports go through the project's own ingest, and the models' SQL is what dbt compiled in a build
of the project's own runner; only dbt itself is left out after that, as it costs ten times the SQL.
"""

import csv
import random
import re
import shutil
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
from conftest import EXPORTS
from evidence import record_as_passed
from rewrite import rows_of

from orchestration.checks import reconciliation
from orchestration.common.quarters import Quarter
from orchestration.common.settings import Home
from orchestration.ingest.lake import ingest_source
from orchestration.publish import publication
from orchestration.publish.candidate import export_candidate
from orchestration.reading.contracts import load_contracts
from orchestration.warehouse.connection import connect
from orchestration.warehouse.dbt import build, parse_project
from orchestration.warehouse.raw_schema import KEY_COLUMNS, register_raw

QUARTER = Quarter(2022, 2)
RUN_ID = "mutation"
MOMENTS = ("%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M")


@dataclass(frozen=True)
class Mutation:
    """A cell by its place in a source's file (row 1 is the header), before and after."""

    source: str
    row_number: int
    column: str
    old: str
    new: str


@dataclass(frozen=True)
class Outcome:
    """What came of a mutation, figures by (subject, measure).

    `changed` differ from the undisturbed ones, in a mart or as printed; `named` are the blocking
    controls that concern one of them.
    """

    changed: frozenset[tuple[str, str]]
    named: list[str]

    @property
    def named_without_a_version(self) -> bool:
        """Whether a control would name it on a first load too, with no version before it."""
        return any(control_id != reconciliation.LAST_VERSION for control_id in self.named)


class Bench:
    """A scratch home with 2022Q2 published as version 1, in which one cell at a time is changed."""

    def __init__(self, folder: Path):
        self.exports, self.home = folder / "exports", Home(folder / "home")
        shutil.copytree(EXPORTS / "contracts", self.exports / "contracts")
        (self.exports / str(QUARTER)).mkdir()
        self.home.scratch.mkdir(parents=True)
        self.contracts = load_contracts(self.exports / "contracts")
        self.rows = {source: rows_of(source) for source in self.contracts}
        for source in self.rows:
            self._write(source, self.rows[source])
        self._ingest()
        self.index = shutil.copytree(self.home.lake / "index", folder / "index")
        built = build(self.home, parse_project(), lambda _: None, leave_out=("test",))
        assert built.exception is None, built.exception
        stored = {
            f'"{database}"."{schema}"."{table}"'
            for database, schema, table in self._read(
                "select table_catalog, table_schema, table_name from information_schema.tables "
                "where table_type = 'BASE TABLE'"
            )
        }
        self.statements = [
            f"create or replace table {entry['relation_name']} as {entry['compiled_code']}"
            for entry in built.run_results["results"]
            if entry["relation_name"] in stored and entry["compiled_code"]
        ]
        export_candidate(self.home, str(QUARTER), RUN_ID)
        record_as_passed(self.home, str(QUARTER))
        publication.publish(self.home, str(QUARTER), RUN_ID, "")
        self.undisturbed = self._figures()
        assert reconciliation.blocking(reconciliation.controls(self.home, RUN_ID)) == []

    def columns(self, source: str) -> list[int]:
        """The places of the columns that ingest keeps; the personal ones never reach a figure."""
        kept = {
            header
            for column in self.contracts[source].columns
            if column.personal != "drop"
            for header in column.headers
        }
        return [at for at, header in enumerate(self.rows[source][0]) if header in kept]

    def draw(self, source: str, chance: random.Random) -> Mutation:
        """A cell of a source and another value for it, at random."""
        rows = self.rows[source]
        number = chance.randrange(1, len(rows))
        at = chance.choice(self.columns(source))
        old = new = rows[number][at]
        while new == old:
            new = _another(rows, number, at, chance)
        return Mutation(source, number + 1, rows[0][at], old, new)

    def apply(self, mutation: Mutation) -> Outcome:
        """Change the cell, work the quarter out again, put the cell back."""
        rows = [list(row) for row in self.rows[mutation.source]]
        rows[mutation.row_number - 1][rows[0].index(mutation.column)] = mutation.new
        self._write(mutation.source, rows)
        try:
            self._ingest()
            with connect(self.home) as connection:
                connection.execute("begin")
                for statement in self.statements:
                    connection.execute(statement)
                connection.execute("commit")
            return self._outcome(mutation)
        finally:
            self._write(mutation.source, self.rows[mutation.source])
            # The list of files would grow with every mutation, and slow each one after it down.
            shutil.copytree(self.index, self.home.lake / "index", dirs_exist_ok=True)

    def _outcome(self, mutation: Mutation) -> Outcome:
        figures = self._figures()
        changed = (figures - self.undisturbed) + (self.undisturbed - figures)
        concerned = frozenset(name for (_, names), _ in changed for name in names)
        blocking = reconciliation.blocking(reconciliation.controls(self.home, RUN_ID))
        column = next(
            c.name for c in self.contracts[mutation.source].columns if mutation.column in c.headers
        )
        is_rejected = self._read(
            "select 1 from audit.rejected_row join raw.source_file using (file_sha256) "
            f"where source = '{mutation.source}' and row_number = {mutation.row_number} "
            f"and column_name = '{column}'"
        )
        # The control of rejected rows concerns the very cell if that is what it lists.
        cell = {(f"{mutation.source}.csv", "rejected_count")} if is_rejected else set()
        return Outcome(
            changed=concerned,
            named=sorted(
                {
                    row["control_id"]
                    for row in blocking
                    if (row["subject"], row["measure"]) in concerned | cell
                }
            ),
        )

    def _write(self, source: str, rows: list[list[str]]) -> None:
        path = self.exports / str(QUARTER) / f"{source}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)

    def _ingest(self) -> None:
        for source in self.contracts:
            ingest_source(self.home, self.exports, QUARTER, self.contracts, source)
        last_version = publication.compared_files(self.home, str(QUARTER))
        register_raw(self.home, QUARTER, RUN_ID, self.contracts, last_version)

    def _read(self, sql: str) -> list[tuple]:
        with connect(self.home) as connection:
            return connection.execute(sql).fetchall()

    def _figures(self) -> Counter:
        """((place, names), value) of every mart cell and of every figure printed.

        The names are what controls may call it: (subject, measure), and as the control of the last
        version does.
        """
        figures: Counter = Counter()
        with connect(self.home) as connection:
            for (table,) in connection.execute(
                "select table_name from information_schema.tables where table_schema = 'marts' "
                "and table_type = 'BASE TABLE'"
            ).fetchall():
                for row in _dictionaries(connection, f"select * from marts.{table}"):
                    keys = {key: row.pop(key) for key in KEY_COLUMNS if key in row}
                    subject = next(iter(keys.values()), "district")
                    unit = keys.pop("unit_code", "district")
                    prefix = ".".join([table, *keys.values()])
                    for measure, value in row.items():
                        names = ((subject, measure), (unit, f"{prefix}.{measure}"))
                        figures[(table, names), value] += 1
            for row in _dictionaries(connection, "select * from controls.published_figure"):
                place = f"{row['table_name']}/{row['table_row']}/{row['printed_name']}"
                subject = row["subject"] or place
                measure = row["measure"] if row["subject"] else row["printed_measure"]
                figures[("bulletin", ((subject, measure),)), row["printed_value"]] += 1
        return figures


def _dictionaries(connection: duckdb.DuckDBPyConnection, sql: str) -> list[dict]:
    cursor = connection.execute(sql)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _another(rows: list[list[str]], number: int, at: int, chance: random.Random) -> str:
    """What a slip or a bad export could have put into a cell; maybe what is there already."""
    text = rows[number][at]
    match chance.choice(["elsewhere", "elsewhere", "shifted", "digit", "emptied", "garbled"]):
        case "elsewhere":  # the same column's value of another row
            return chance.choice(rows[1:])[at]
        case "shifted":
            return _shifted(text, chance.choice([-90, -30, -7, -1, 1, 7, 30, 90]))
        case "digit":
            place = chance.choice([match.start() for match in re.finditer(r"\d", text)] or [None])
            if place is None:
                return text
            return text[:place] + chance.choice("0123456789") + text[place + 1 :]
        case "emptied":
            return ""
        case _:
            return text + "？"


def _shifted(text: str, by: int) -> str:
    """A time some days earlier or later, a small number a little smaller or larger."""
    for written in MOMENTS:
        try:
            return (datetime.strptime(text, written) + timedelta(days=by)).strftime(written)
        except ValueError:
            continue
    return str(int(text) + by) if text.isdecimal() and len(text) < 6 else text
