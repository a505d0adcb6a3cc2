"""The tables that Great Expectations validates, as pandas frames in bounded memory."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import duckdb
import pandas as pd

from orchestration.checks.recount import BATCH_VECTORS
from orchestration.common.settings import Home, expectation_suites
from orchestration.ingest.lake import current_files
from orchestration.reading.contracts import Contract
from orchestration.warehouse.connection import bare_connection, quoted
from orchestration.warehouse.raw_schema import raw_rows

RAW_SUITES = ("ticket", "mailbox", "suggestion")
MART_SUITES = tuple(sorted(set(expectation_suites()) - set(RAW_SUITES)))


# Columns beside a column's values: the number of rows with the value, and the first row's number.
HELD_BY, FIRST_ROW = "held_by", "first_row"


ALL_ROWS = "select * from rows"


class Batch(NamedTuple):
    """Rows, or values of a column, from one `place`: a file's name, or empty for a mart."""

    place: str
    frame: pd.DataFrame


@dataclass(frozen=True)
class Table:
    """A table to validate; `query` runs SQL in which `rows` names the table."""

    query: Callable[[str], Iterator[Batch]]
    repeating: frozenset[str] = frozenset()
    """Columns in which many rows hold the same value."""

    def rows(self, columns: Sequence[str] = ()) -> Iterator[Batch]:
        """All rows in batches, with the given columns or with all."""
        return self.query(f"select {', '.join(columns)} from rows" if columns else ALL_ROWS)  # noqa: S608 (our own names)

    def values(self, column: str) -> Iterator[Batch]:
        """The distinct values of a column in each place, null included, in batches."""
        return self.query(
            f"select {column}, count(*) as {HELD_BY}, min(row_number) as {FIRST_ROW} "  # noqa: S608 (our own names)
            f"from rows group by {column}"
        )


def raw_table(home: Home, contracts: Mapping[str, Contract], source: str, quarter: str) -> Table:
    """The readable rows of a source's current files; each file is a place.

    A source without a contract has none.
    """
    contract = contracts.get(source)
    repeating = {*contract.kept_columns, "file_sha256"} - {*contract.identity} if contract else ()
    files = [
        (file.file_name, raw_rows(home, source, contracts, [file]))
        for file in current_files(home, quarter)
        if file.source == source and contract
    ]
    return Table(partial(_query_files, home, files), frozenset(repeating))


def mart_table(file: Path) -> Table:
    """A candidate's mart, read from the file that would be published."""
    with duckdb.connect() as connection:
        rows = connection.execute(f"from read_parquet('{quoted(file)}')").df()
        return Table(partial(_query_frame, rows))


def _query_files(home: Home, files: Sequence[tuple[str, str]], sql: str) -> Iterator[Batch]:
    """Run SQL on the rows of each file, given as its name and the SQL that reads it."""
    for name, rows in files:
        with bare_connection(home) as connection:
            connection.execute(f"with rows as ({rows} where row_defect is null) {sql}")
            while len(frame := connection.fetch_df_chunk(BATCH_VECTORS)):
                yield Batch(name, frame)


def _query_frame(rows: pd.DataFrame, sql: str) -> Iterator[Batch]:
    if sql != ALL_ROWS:  # a mart has no repeating columns, so other SQL isn't needed
        raise ValueError(f"a mart is validated row by row, not by: {sql}")
    yield Batch("", rows)
