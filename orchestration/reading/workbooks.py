"""Reads XLSX, XLS and ODS into tables of text, sheet by sheet, and refuses unsafe workbooks.

Which contract a sheet fits doesn't belong here (see `exports`).
"""

import struct
import subprocess
import sys
import zipfile
import zlib
from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.parsers.expat import ExpatError

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook
from python_calamine import SheetVisibleEnum as Visible

from orchestration.common import progress
from orchestration.common.errors import InputError
from orchestration.reading.archives import check_archive, xlsx_sheets
from orchestration.reading.biff import xls_marks
from orchestration.reading.filled_rows import ods_rows, xlsx_rows
from orchestration.reading.kinds import check_workbook
from orchestration.reading.marks import Marks, RowMarks, column_letters, xlsx_marks
from orchestration.reading.ods_marks import ods_marks
from orchestration.reading.tables import (
    BATCH,
    BLANK_ROW,
    HEADER_SEARCH,
    MAX_COLUMNS,
    NOT_A_RECORD,
    SHEET_ROWS,
    NumberedRow,
    Part,
    RowRules,
    Table,
    frames_of,
    too_many_columns,
    unreadable,
)

PROBE = Path(__file__).with_name("workbook_probe.py")
# What zipfile and the XML parsers raise for a damaged file. NotImplementedError: an unsupported
# compression method. RuntimeError: a password. LookupError: an unknown encoding or missing member.
DAMAGE = (
    zipfile.BadZipFile, zlib.error, ExpatError, ElementTree.ParseError, LookupError, EOFError,
    OSError, NotImplementedError, RuntimeError, ValueError, struct.error,
)  # fmt: skip


# Cache of the sheets of the workbook that was opened last: reading them is most of the work.
_opened: dict[tuple[Path, str, int, int], CalamineSheet] = {}


@dataclass(frozen=True)
class SheetHead:
    """A sheet's first rows, from row 1 on, and its position in the workbook (0-based)."""

    name: str
    position: int
    rows: list[list[str]]
    filled_rows: int
    """All rows with a value, counted in the sheet's XML (an XLS has none: by reading it twice)."""
    is_hidden: bool = False


def sheet_heads(path: Path) -> list[SheetHead]:
    """The first rows of each sheet that has any.

    Raises:
        InputError: the workbook is damaged, hostile or empty.
    """
    check_workbook(path)
    counts = _filled_rows(path)  # checks the limits before a sheet is loaded into memory
    book = _open(path)
    _opened.clear()
    heads = []
    hidden = {entry.name for entry in book.sheets_metadata if entry.visible != Visible.Visible}
    for position, name in enumerate(book.sheet_names):
        if counts is not None and not counts.get(name):
            continue
        sheet = _sheet(path, book, name)
        if sheet.start is None:
            continue
        if sheet.total_width > MAX_COLUMNS:
            raise too_many_columns(path)
        rows = list(islice(_rows(sheet), HEADER_SEARCH))
        filled = sum(map(any, _rows(sheet))) if counts is None else counts[name]
        heads.append(SheetHead(name, position, rows, filled, name in hidden))
        _opened[_key(path, name)] = sheet
    if not heads:
        raise unreadable(path, "empty_file", "工作簿里没有内容", "列名和各行")
    return heads


def sheet_table(path: Path, part: Part, rules: RowRules) -> Table:
    """The rows below a sheet's header."""
    sheet = _opened.pop(_key(path, part.sheet), None) or _sheet(path, _open(path), part.sheet)

    def numbered() -> Iterator[NumberedRow]:
        checks = _Checks(path, part, rules, sheet)
        for number, cells in enumerate(_rows(sheet), start=1):
            if not number % BATCH:
                progress.step(number / max(sheet.total_height, 1))
            if number <= part.header_row:
                continue
            mark = checks.mark_of(number)
            for at, text in mark.shown.items() if mark else ():
                cells += [""] * (at + 1 - len(cells))
                cells[at] = text
            if (defect := rules.defect(cells)) == BLANK_ROW:
                continue
            if defect != NOT_A_RECORD:
                checks.check(number, cells, mark)
            yield number + part.row_offset, defect, cells

    encoding = path.suffix.lower().removeprefix(".")
    return Table(frames_of(numbered(), rules.width), encoding, lambda: part.filled_rows)


class _Checks:
    """Refuses records of a sheet that a person would see differently from their stored values."""

    def __init__(self, path: Path, part: Part, rules: RowRules, sheet: CalamineSheet) -> None:
        self._path, self._part, self._rules = path, part, rules
        self._marks = _marks(path, part, rules.identity)
        self._mark = RowMarks(0, 0)
        self._hidden_columns: set[int] | None = None
        self._merged = deque(sorted(sheet.merged_cell_ranges or ()))
        self._merged_here: list[tuple[tuple[int, int], tuple[int, int]]] = []

    def mark_of(self, number: int) -> RowMarks | None:
        """The marks of a row, if it has any; must be called in order of rows."""
        try:
            while self._mark.last < number:
                self._mark = next(self._marks.rows, RowMarks(SHEET_ROWS, SHEET_ROWS))
        except DAMAGE as error:
            raise _bad_workbook(self._path) from error
        return self._mark if self._mark.first <= number else None

    def check(self, number: int, cells: list[str], mark: RowMarks | None) -> None:
        """Refuse a doubtful record, and replace numbers in identity cells by their displayed text.

        Raises:
            InputError: the row or a column is hidden, a cell is merged, or an identity is a number
                whose digits aren't all certain.
        """
        if self._hidden_columns is None:
            self._hidden_columns = self._marks.hidden_columns
            if hidden := sorted(self._hidden_columns & self._rules.kept):
                raise self._refused(
                    "hidden_column",
                    f"有 {len(hidden)} 个隐藏的列",
                    "看得见的列",
                    "取消隐藏，核对后重新保存；不需要的列删去",
                    column=hidden[0],
                )
        if covered := self._covered(number, mark) & self._rules.kept:
            raise self._refused(
                "merged_cells",
                "数据行里有合并的单元格：看上去几行同值，文件里只有第一格有值",
                "每行各有自己的值，没有合并单元格",
                "取消合并，逐行填上各自的值后重新保存",
                number,
                min(covered),
            )
        if mark and mark.is_hidden:
            rest = sum(row.is_hidden and row.is_filled for row in self._marks.rows)
            raise self._refused(
                "hidden_rows",
                f"有 {rest + 1} 行被隐藏或筛选掉，这是第一行",
                "看得见的行",
                "取消筛选和隐藏，核对后重新保存；不要的行删去",
                number,
            )
        for at, text in mark.identity.items() if mark else ():
            if text is None:
                raise self._refused(
                    "number_as_identity",
                    "编号是数字单元格，读不准：超过 15 位、科学计数法、小数、日期或带格式的数字",
                    "文本单元格，或不超过 15 位、照原样显示的数字",
                    "请来源系统按文本导出编号（在 Excel 里改成文本不能找回丢掉的数字）",
                    number,
                    at,
                )
            cells[at] = text

    def _covered(self, number: int, mark: RowMarks | None) -> set[int]:
        if not (mark or self._merged or self._merged_here):
            return set()
        while self._merged and self._merged[0][0][0] < number:
            self._merged_here.append(self._merged.popleft())
        self._merged_here = [found for found in self._merged_here if found[1][0] >= number - 1]
        return (mark.covered if mark else set()).union(
            *(range(first[1], last[1] + 1) for first, last in self._merged_here)
        )

    def _refused(
        self,
        code: str,
        found: str,
        expected: str,
        action: str,
        row: int | None = None,
        column: int | None = None,
    ) -> InputError:
        header = self._part.header
        return InputError(
            code=code,
            file=f"{self._path.name}，工作表「{self._part.sheet}」",
            row=row,
            column=header[column] if column is not None and column < len(header) else "",
            found=found,
            expected=expected,
            action=action,
        )


@dataclass(frozen=True)
class WholeSheet:
    """A sheet's cells as text, from row 1 on, and its rows that are a single merged cell."""

    name: str
    rows: list[list[str]]
    banners: frozenset[int]
    """Rows (0-based) of which a merged cell takes the whole width."""


def whole_sheets(path: Path) -> list[WholeSheet]:
    """All visible sheets that aren't empty, of a workbook that is read as a document.

    Raises:
        InputError: the workbook is damaged or hostile.
    """
    _filled_rows(path)  # checks the limits before a sheet is loaded into memory
    book = _open(path)
    sheets = []
    for name in (entry.name for entry in book.sheets_metadata if entry.visible == Visible.Visible):
        sheet = _sheet(path, book, name)
        if sheet.start is None:
            continue
        if sheet.total_width > MAX_COLUMNS:
            raise too_many_columns(path)
        left, right = sheet.start[1], (sheet.end or sheet.start)[1]
        banners = {
            first[0]
            for first, last in sheet.merged_cell_ranges or ()
            if first[0] == last[0] and first[1] <= left and last[1] >= right
        }
        sheets.append(WholeSheet(name, list(_rows(sheet)), frozenset(banners)))
    return sheets


def _marks(path: Path, part: Part, identity: Collection[int]) -> Marks:
    """The marks of a sheet's rows; the file stays open until the last row is consumed.

    Raises:
        InputError: the file is damaged.
    """
    try:
        if _is_compound(path):
            return xls_marks(path.read_bytes(), part.row_offset // SHEET_ROWS, identity)
        archive = zipfile.ZipFile(path)
        if "content.xml" in archive.namelist():
            return ods_marks(archive.open("content.xml"), part.sheet, identity)
        return xlsx_marks(archive, xlsx_sheets(archive)[part.sheet], identity)
    except DAMAGE as error:
        raise _bad_workbook(path) from error


def _is_compound(path: Path) -> bool:
    """Whether a workbook is a binary one (.xls)."""
    with path.open("rb") as file:
        return file.read(4) == b"\xd0\xcf\x11\xe0"


def _key(path: Path, sheet: str) -> tuple[Path, str, int, int]:
    status = path.stat()
    return path, sheet, status.st_size, status.st_mtime_ns


def cell_text(cell: Any) -> str:
    """A cell as text that staging can parse: ISO dates, integers without `.0`."""
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, datetime):
        if cell.microsecond:
            # A time is stored as a fraction of a day, so 9:05:00 may be read as 9:04:59.999.
            cell = (cell + timedelta(milliseconds=500)).replace(microsecond=0)
        return str(cell.isoformat(" "))
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e17:
        return str(int(cell))
    return str(cell)


def _rows(sheet: CalamineSheet) -> Iterator[list[str]]:
    """A sheet's rows from row 1 on, including blank rows above the first cell."""
    for row in sheet.iter_rows():
        yield [cell if type(cell) is str else cell_text(cell) for cell in row]


def _open(path: Path) -> CalamineWorkbook:
    # No shell; the only external argument is a path, and it comes last.
    tried = subprocess.run([sys.executable, "-I", PROBE, path], capture_output=True, check=False)  # noqa: S603
    if tried.returncode:
        raise unreadable(
            path,
            "unsafe_workbook",
            "打开它所需的内存或时间超出限度，或使读取程序崩溃",
            "Excel 或 WPS 另存的工作簿，或 CSV（UTF-8）",
        )
    try:
        return CalamineWorkbook.from_path(path)
    except (CalamineError, OSError, ValueError) as error:
        raise _bad_workbook(path) from error


def _sheet(path: Path, book: CalamineWorkbook, name: str) -> CalamineSheet:
    try:
        return book.get_sheet_by_name(name)
    except (CalamineError, OSError, ValueError) as error:
        # calamine fails on error values that it doesn't know; the marks have their place and text.
        part = Part("", (), 0, sheet=name, row_offset=book.sheet_names.index(name) * SHEET_ROWS)
        for mark in _marks(path, part, ()).rows if "cell error" in str(error) else ():
            for at, text in mark.shown.items():
                raise InputError(
                    code="error_cell",
                    file=f"{path.name}，工作表「{name}」",
                    row=mark.first,
                    column=column_letters(at),
                    found=f"单元格是错误值 {text}",
                    expected="值，或真正的空白",
                    action="在 Excel 或 WPS 里打开，改正公式，核对后重新保存",
                ) from error
        raise _bad_workbook(path) from error


def _bad_workbook(path: Path) -> Exception:
    return unreadable(
        path, "bad_workbook", "不是完好的工作簿", "Excel 或 WPS 能打开的 .xlsx、.xls 或 .ods"
    )


def _filled_rows(path: Path) -> dict[str, int] | None:
    """The number of rows with a value by sheet, counted in the XML; None for a binary workbook.

    Raises:
        InputError: the archive or its XML is damaged, expands out of proportion or declares
            entities, or a sheet's used rectangle is too large.
    """
    if _is_compound(path):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            check_archive(path, archive)
            if "content.xml" in archive.namelist():
                return ods_rows(path, archive)
            return {
                name: xlsx_rows(path, archive, member)
                for name, member in xlsx_sheets(archive).items()
            }
    except DAMAGE as error:
        raise _bad_workbook(path) from error
