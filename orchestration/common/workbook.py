"""Excel workbooks for office users: real numbers, frozen headers, no formulas or links."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import xlsxwriter

from orchestration.common.safe_text import FORMULA_STARTS

# A workbook stores its creation time; a fixed one gives the same bytes for the same sheets.
CREATED = datetime(2000, 1, 1)
MAX_WIDTH = 420  # pixels; a longer text is wrapped


@dataclass(frozen=True)
class Sheet:
    """A sheet: its header and rows. `formats` maps (row, column) to a cell's number format."""

    header: Sequence[str]
    rows: Sequence[Sequence[Any]]
    formats: Mapping[tuple[int, int], str] | None = None
    is_form: bool = False


def write_workbook(path: Path, sheets: Mapping[str, Sheet]) -> None:
    """Write sheets, given by title, in their order; the same sheets give the same bytes.

    A cell is a str, int, Decimal, datetime or date, or None if empty.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(str(path), options) as workbook:
        workbook.set_properties({"created": CREATED})
        styles = _Styles(workbook)
        for title, sheet in sheets.items():
            _write_sheet(workbook.add_worksheet(title), sheet, styles)


def inert(text: str) -> dict[str, bool]:
    """The format that keeps a text cell from becoming a formula when it is edited."""
    return {"quote_prefix": True} if text.startswith(FORMULA_STARTS) else {}


class _Styles:
    """The formats of one workbook; each is created once."""

    def __init__(self, workbook: Any) -> None:
        self._workbook = workbook
        self._made: dict[tuple[tuple[str, Any], ...], Any] = {}

    def __call__(self, **properties: Any) -> Any:
        key = tuple(sorted(properties.items()))
        if key not in self._made:
            self._made[key] = self._workbook.add_format({"valign": "top"} | properties)
        return self._made[key]


def _write_sheet(target: Any, sheet: Sheet, styles: _Styles) -> None:
    head = styles(bold=True, bg_color="#DCE6F1", border=1, text_wrap=True)
    target.write_row(0, 0, sheet.header, head)
    formats = sheet.formats or {}
    for number, row in enumerate(sheet.rows):
        for column, value in enumerate(row):
            _write_cell(target, number + 1, column, value, styles, formats.get((number, column)))
    last = max(len(sheet.header) - 1, 0)
    target.autofit(MAX_WIDTH)
    target.set_landscape()
    target.set_paper(9)  # A4
    target.fit_to_pages(1, 0)
    target.print_area(0, 0, max(len(sheet.rows), 1), last)
    target.set_footer("&L&A&R第 &P 页，共 &N 页")
    if not sheet.is_form:
        target.freeze_panes(1, 0)
        target.repeat_rows(0)
        target.autofilter(0, 0, max(len(sheet.rows), 1), last)


def _write_cell(
    target: Any, row: int, column: int, value: Any, styles: _Styles, number_format: str | None
) -> None:
    if value is None:
        return
    if isinstance(value, datetime):
        target.write_datetime(row, column, value, styles(num_format="yyyy-mm-dd hh:mm:ss"))
    elif isinstance(value, date):
        target.write_datetime(row, column, value, styles(num_format="yyyy-mm-dd"))
    elif isinstance(value, int | Decimal):
        target.write_number(row, column, value, styles(num_format=number_format or "0"))
    else:
        target.write_string(row, column, value, styles(text_wrap=True, **inert(value)))
