"""The tables that Great Expectations validates, as pandas frames in bounded memory."""

from collections.abc import Iterator, Mapping

import duckdb
import pandas as pd

from orchestration.audit.recompute import BATCH_VECTORS
from orchestration.ingest.contracts import Contract
from orchestration.ingest.lake import current_files
from orchestration.settings import Home, expectation_suites
from orchestration.warehouse import connect, raw_rows

RAW_SUITES = ("ticket", "mailbox", "suggestion")
MART_SUITES = tuple(sorted(set(expectation_suites()) - set(RAW_SUITES)))


def raw_frames(
    home: Home, contracts: Mapping[str, Contract], source: str, quarter: str
) -> Iterator[pd.DataFrame]:
    """The source's current readable rows in batches, so that memory doesn't grow with the file."""
    for file in current_files(home, quarter):
        if file.source == source:
            rows = raw_rows(home, source, contracts, [file])
            with duckdb.connect() as connection:
                connection.execute(f"{rows} where row_defect is null")
                while len(frame := connection.fetch_df_chunk(BATCH_VECTORS)):
                    yield frame


def mart_frames(home: Home, table: str, quarter: str) -> Iterator[pd.DataFrame]:
    """The quarter's rows of a mart of the working warehouse."""
    with connect(home) as connection:
        yield connection.execute(
            f"select * from marts.{table} where quarter = ?",  # noqa: S608 (fixed names)
            [quarter],
        ).df()
