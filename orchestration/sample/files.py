"""Writes frames of canonical columns and codes to files as an office sends them, by contract.

Headers are the contract's labels in its order, and cells are its written values. The choice of
values doesn't belong here.
"""

from collections.abc import Iterable
from datetime import date, datetime, time
from pathlib import Path

import polars as pl
import xlsxwriter

from orchestration.reading.contracts import Contract


def _written(frame: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """A frame with written values for codes, and labels for column names, in contract order."""
    columns = []
    for column in contract.columns:
        cell = pl.col(column.name)
        if column.values:
            spelled = {code: written for written, code in column.values.items()}
            cell = cell.replace_strict(spelled, return_dtype=pl.String)
        columns.append(cell.alias(column.label))
    return frame.select(columns)


def write_csv(
    frames: Iterable[pl.DataFrame],
    contract: Contract,
    path: Path,
    encoding: str,
    time_format: str = "%Y-%m-%d %H:%M:%S",
) -> None:
    """Write frames one after another to a CSV with Excel's line ends."""
    with path.open("w", encoding=encoding, newline="") as file:
        for number, frame in enumerate(frames):
            file.write(
                _written(frame, contract).write_csv(
                    include_header=number == 0,
                    datetime_format=time_format,
                    line_terminator="\r\n",
                )
            )


def write_xlsx(
    frames: Iterable[pl.DataFrame], contract: Contract, path: Path, created: date
) -> None:
    """Write frames to one sheet, with times as date cells and everything else as text.

    `created` becomes the workbook's creation date, so that two runs give the same bytes.
    """
    frame = _written(pl.concat(frames), contract)
    with xlsxwriter.Workbook(str(path)) as book:
        book.set_properties({"created": datetime.combine(created, time())})
        sheet = book.add_worksheet(contract.label)
        moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        sheet.set_column(0, frame.width - 1, 20)
        sheet.write_row(0, 0, frame.columns)
        for number, row in enumerate(frame.iter_rows(), start=1):
            for place, cell in enumerate(row):
                if isinstance(cell, datetime):
                    sheet.write_datetime(number, place, cell, moment)
                elif cell is not None:
                    sheet.write_string(number, place, cell)
