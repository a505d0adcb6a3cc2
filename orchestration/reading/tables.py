"""Shared by the readers of text files and workbooks: the place of a table, row rules, limits.

Code for a single format doesn't belong here.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import polars as pl

from orchestration.common.errors import InputError
from orchestration.reading.canonical import BLANKS
from orchestration.reading.contracts import Contract

ROW_NUMBER = "row_number"
ROW_DEFECT = "row_defect"
NOT_A_RECORD = "not_a_record"
MALFORMED = "malformed_row"
UNDECODABLE = "undecodable"
BLANK_ROW = "blank"
# Placeholder of a formula without a stored result; refused like the error values of spreadsheets.
NOT_CALCULATED = "#NOT_CALCULATED!"

HEADER_SEARCH = 20
HEADER_DEPTH = 3
MAX_COLUMNS = 700
# The most bytes of one row, line breaks inside cells included.
MAX_RECORD = 1 << 24
# Row 5 of a workbook's third sheet is row 20000005: no sheet has as many rows.
SHEET_ROWS = 10_000_000
# The highest compression ratio accepted of files above the minimum size.
MAX_RATIO, MIN_BOMB = 200, 1 << 26
BATCH = 20_000

NumberedRow = tuple[int, str | None, Sequence[str]]


@dataclass(frozen=True)
class Part:
    """A table within a file: the rows below one header."""

    source: str
    header: tuple[str, ...]
    header_row: int
    """Row number of the header's last row, as a spreadsheet shows it."""
    encoding: str = ""
    delimiter: str = ""
    header_lines: int = 0
    """Physical lines of a text file down to the header's last."""
    sheet: str = ""
    row_offset: int = 0
    """Added to the row numbers of a workbook's further sheets."""
    filled_rows: int = 0
    """A sheet's rows with a value below the header, counted by another route."""
    is_document: bool = False
    """A bulletin in another form than the long one: `documents` reads it."""


@dataclass(frozen=True)
class Table:
    """A part's rows as text, in frames of columns "0", "1", …, row number and row defect.

    `counted` gives an independent count of the rows; call it after the frames are consumed.
    """

    frames: Iterator[pl.LazyFrame]
    encoding: str
    counted: Callable[[], int]
    line_breaks: Callable[[], int] = lambda: 0
    """How many line breaks a text file's cells hold; ask as for `counted`."""


class RowRules:
    """Classifies rows by the contract: a record, a total or footnote, malformed, or blank."""

    def __init__(self, contract: Contract, header: Sequence[str]) -> None:
        headers = {text: column.name for column in contract.columns for text in column.headers}
        self.names = tuple(headers.get(text, "") for text in header)
        self.width = len(header)
        self.named = sum(1 for name in self.names if name)
        self.identity = [self.names.index(name) for name in contract.identity if name in self.names]
        self.kept = {at for at, name in enumerate(self.names) if name in contract.kept_columns}
        self.words = contract.not_records
        self.max_cell_lines = contract.max_cell_lines

    def defect(self, cells: Sequence[str]) -> str | None:
        """None for a record, `BLANK_ROW` for a row without any text, else the defect's code.

        A row of blanks only is not a record. A total or a footnote starts with one of the
        contract's words and has no identity. So a record is never taken for one because of its
        text.
        """
        if not any(cells):
            return BLANK_ROW
        first = next((text for cell in cells if (text := cell.strip(BLANKS))), "")
        if not first:
            return NOT_A_RECORD
        if first.startswith(self.words):
            identity = [cells[at].strip(BLANKS) for at in self.identity if at < len(cells)]
            if all(not text or text.startswith(self.words) for text in identity):
                return NOT_A_RECORD
        if len(cells) != self.width or any(cell.strip(BLANKS) for cell in cells[self.named :]):
            return MALFORMED
        return None


def clean_header(cells: Iterable[str]) -> tuple[str, ...]:
    """Header cells without surrounding blanks and without line breaks.

    Nothing else is cleaned: headers are compared exactly.
    """
    return tuple(cell.replace("\r", "").replace("\n", "").strip(BLANKS) for cell in cells)


def header_candidates(rows: Sequence[Sequence[str]]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Every header that one to three adjacent rows may form: (index of the last row, cells).

    Several rows give two readings: each column's texts joined from top to bottom (回访 over 时间 is
    回访时间), and the lowest text alone (for a group's title above complete headers).
    """
    for last in range(min(len(rows), HEADER_SEARCH)):
        for depth in range(1, min(HEADER_DEPTH, last + 1) + 1):
            stack = [clean_header(row) for row in rows[last + 1 - depth : last + 1]]
            width = max(map(len, stack))
            stack = [row + ("",) * (width - len(row)) for row in stack]
            if depth == 1:
                yield last, stack[0]
                continue
            yield last, tuple("".join(cells) for cells in zip(*spread(stack), strict=True))
            yield (
                last,
                tuple(
                    next((text for text in reversed(cells) if text), "")
                    for cells in zip(*stack, strict=True)
                ),
            )


def spread(stack: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Repeat a merged cell's text in the blank cells to its right that have text below them."""
    spread = []
    for depth, row in enumerate(stack):
        texts: list[str] = []
        for at, text in enumerate(row):
            below = any(lower[at] for lower in stack[depth + 1 :])
            texts.append(texts[at - 1] if not text and below and at else text)
        spread.append(tuple(texts))
    return spread


def frames_of(rows: Iterable[NumberedRow], width: int) -> Iterator[pl.LazyFrame]:
    """Numbered rows as frames of at most `BATCH` rows; a row with a defect has no cells."""
    rows = iter(rows)
    nothing: tuple[None, ...] = (None,) * width
    while batch := list(islice(rows, BATCH)):
        numbers, defects, cells = zip(*batch, strict=True)
        kept = (
            nothing if defect else row if len(row) == width else row[:width]
            for defect, row in zip(defects, cells, strict=True)
        )
        yield pl.LazyFrame(
            [
                pl.Series(str(position), column, pl.String)
                for position, column in enumerate(zip(*kept, strict=True))
            ]
            + [pl.Series(ROW_NUMBER, numbers, pl.Int64), pl.Series(ROW_DEFECT, defects, pl.String)]
        )


def unreadable(path: Path, code: str, found: str, expected: str) -> InputError:
    """The error for a file that can't be used at all."""
    return InputError(
        code=code, file=path.name, found=found, expected=expected, action="重新导出该文件后再运行"
    )


def too_many_columns(path: Path) -> InputError:
    """The error for a table that is too wide."""
    return unreadable(path, "too_many_columns", f"超过 {MAX_COLUMNS} 列", "契约中列出的各列")


def zip_bomb(path: Path) -> InputError:
    """The error for a compressed file that expands out of proportion."""
    return unreadable(
        path, "zip_bomb", "解压后的大小与文件大小不成比例", "来源系统直接导出的文件，或另存为 CSV"
    )
