"""The tables that Great Expectations validates, as pandas frames in bounded memory."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from orchestration.audit.recompute import BATCH_VECTORS
from orchestration.ingest.contracts import Contract
from orchestration.ingest.lake import current_files
from orchestration.settings import Home, expectation_suites
from orchestration.warehouse import bare_connection, connect, raw_rows

RAW_SUITES = ("ticket", "mailbox", "suggestion")
MART_SUITES = tuple(sorted(set(expectation_suites()) - set(RAW_SUITES)))


HELD_BY, FIRST_ROW = "held_by", "first_row"
"""Beside a column's values: how many rows hold one, and the number of the first of them."""


class Batch(NamedTuple):
    """Rows, or values of a column, of one place: a file's name, or nothing for a mart."""

    place: str
    frame: pd.DataFrame


@dataclass(frozen=True)
class Table:
    """A table to validate: `query` runs SQL on its rows, which it knows as `rows`."""

    query: Callable[[str], Iterator[Batch]]
    repeating: frozenset[str] = frozenset()
    """Columns in which many rows hold the same value."""

    def rows(self, columns: Sequence[str] = ()) -> Iterator[Batch]:
        """Every row in batches, with some columns or with all."""
        return self.query(f"select {', '.join(columns) or '*'} from rows")  # noqa: S608 (our own names)

    def values(self, column: str) -> Iterator[Batch]:
        """The distinct values of a column of each place in batches, null included."""
        return self.query(
            f"select {column}, count(*) as {HELD_BY}, min(row_number) as {FIRST_ROW} "  # noqa: S608 (our own names)
            f"from rows group by {column}"
        )


def raw_table(home: Home, contracts: Mapping[str, Contract], source: str, quarter: str) -> Table:
    """The source's current readable rows, a place a file."""

    def query(sql: str) -> Iterator[Batch]:
        for file in current_files(home, quarter):
            if file.source == source:
                rows = raw_rows(home, source, contracts, [file])
                with bare_connection(home) as connection:
                    connection.execute(f"with rows as ({rows} where row_defect is null) {sql}")
                    while len(frame := connection.fetch_df_chunk(BATCH_VECTORS)):
                        yield Batch(file.file_name, frame)

    contract = contracts.get(source)
    repeating = {*contract.kept_columns, "file_sha256"} - {*contract.identity} if contract else ()
    return Table(query, frozenset(repeating))


def mart_table(home: Home, name: str, quarter: str) -> Table:
    """The quarter's rows of a mart of the working warehouse."""

    def query(sql: str) -> Iterator[Batch]:
        with connect(home) as connection:
            # The callers name the tables; the quarter is no SQL but a parameter.
            rows = f"with rows as (select * from marts.{name} where quarter = ?)"  # noqa: S608
            yield Batch("", connection.execute(f"{rows} {sql}", [quarter]).df())

    return Table(query)
