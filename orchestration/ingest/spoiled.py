"""Checks for cells that a spreadsheet program damaged; the file is refused before it is stored.

An error value isn't a blank, and an identity that lost digits is a different identity. Any other
question of what a value means belongs to staging.
"""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from orchestration.common.errors import InputError
from orchestration.reading.contracts import Contract
from orchestration.reading.tables import NOT_CALCULATED, ROW_NUMBER, SHEET_ROWS, Part

# The error values of spreadsheets; the hash marks of a column that is too narrow (if saved as text,
# nothing else is left); and the placeholder of a formula without a stored value.
ERROR = (
    r"(?i)^\s*(?:#(?:REF|VALUE|DIV/0|NULL|NUM|SPILL|CALC|FIELD|BLOCKED|CONNECT|UNKNOWN|BUSY|"
    rf"EXTERNAL|PYTHON)!|#N/A|#NAME\?|#GETTING_DATA|{NOT_CALCULATED}|#{{2,}}|Err:\d{{3}})\s*$"
)
SCIENTIFIC = r"""^[\s'="]*[+-]?\d(?:\.\d+[Ee][+-]?\d+|[Ee][+-]\d+)["\s]*$"""
LONG_NUMBER = r"^\s*\d{16,}\s*$"
LOST_DIGITS = r"^\s*\d{15}0+\s*$"
# Rows whose long numbers all end in zeros, some of them equal, before lost digits are assumed.
FEWEST = 5


class SpoiledCells:
    """Checks a file's rows frame by frame; columns have their canonical names."""

    def __init__(self, path: Path, parts: Sequence[Part], contract: Contract) -> None:
        self._path, self._parts, self._contract = path, parts, contract
        self._labels = {column.name: column.label for column in contract.columns}
        self._zeros: dict[str, set[str] | None] = {name: set() for name in contract.identity}
        self._counts = dict.fromkeys(contract.identity, 0)

    def check(self, frame: pl.DataFrame) -> None:
        """Refuse a frame with a damaged cell.

        Raises:
            InputError: a kept column has an error value, or an identity is in scientific notation.
        """
        found = self._found(frame, ERROR, self._contract.kept_columns)
        if found:
            row, column, text = found
            is_formula = text == NOT_CALCULATED
            raise self._refused(
                "formula_without_value" if is_formula else "error_cell",
                "公式没有存下结果"
                if is_formula
                else f"单元格是错误值 {text.strip()[:20]}，不是空白",
                "值，或真正的空白",
                "在 Excel 或 WPS 里打开，改正公式或加宽列（####），核对后重新保存",
                row,
                column,
            )
        if found := self._found(frame, SCIENTIFIC, self._contract.identity):
            row, column, _ = found
            raise self._refused(
                "number_as_identity",
                "编号是科学计数法，丢了数字",
                "逐位写出的编号",
                "请来源系统直接导出，不要经过 Excel 另存（丢掉的数字找不回来）",
                row,
                column,
            )
        for name, zeros in self._zeros.items():
            if zeros is not None:
                self._note_long(name, zeros, frame[name])

    def finish(self) -> None:
        """Refuse a file whose long identities all have only zeros after the 15th digit.

        Spreadsheets keep 15 digits of a number.

        Raises:
            InputError: there are at least `FEWEST` such identities, and some rows share one.
        """
        for name, zeros in self._zeros.items():
            if zeros is not None and self._counts[name] >= max(FEWEST, len(zeros) + 1):
                raise self._refused(
                    "number_as_identity",
                    f"{self._counts[name]} 个编号 15 位以后全是 0，只有 {len(zeros)} 种：丢了数字",
                    "逐位写出的编号",
                    "请来源系统直接导出，不要经过 Excel 另存（丢掉的数字找不回来）",
                    None,
                    name,
                )

    def _note_long(self, name: str, zeros: set[str], cells: pl.Series) -> None:
        long = cells.filter(cells.str.contains(LONG_NUMBER))
        if not long.str.contains(LOST_DIGITS).all():
            self._zeros[name] = None
            return
        self._counts[name] += len(long)
        zeros.update(long.str.strip_chars())

    def _found(
        self, frame: pl.DataFrame, pattern: str, columns: Sequence[str]
    ) -> tuple[int, str, str] | None:
        """The first row with a cell that matches: its number, the column and the text."""
        empty = list(self._contract.empty)
        hits = [pl.col(name).str.contains(pattern) & ~pl.col(name).is_in(empty) for name in columns]
        if not frame.select(pl.any_horizontal(hit.any() for hit in hits)).item():
            return None
        row = frame.filter(pl.any_horizontal(hits)).row(0, named=True)
        line = frame.filter(pl.col(ROW_NUMBER) == row[ROW_NUMBER])
        column = next(
            name
            for name, hit in zip(columns, hits, strict=True)
            if line.select(hit.fill_null(value=False)).row(0)[0]
        )
        return row[ROW_NUMBER], column, row[column]

    def _refused(
        self, code: str, found: str, expected: str, action: str, row: int | None, column: str
    ) -> InputError:
        sheet = ""
        for part in self._parts:
            if (
                row is not None
                and part.sheet
                and part.row_offset < row <= part.row_offset + SHEET_ROWS
            ):
                sheet, row = f"，工作表「{part.sheet}」", row - part.row_offset
                break
        return InputError(
            code=code,
            file=self._path.name + sheet,
            row=row,
            column=self._labels[column],
            found=found,
            expected=expected,
            action=action,
        )
