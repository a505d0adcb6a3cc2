"""Workbooks: what a spreadsheet would run stays text, numbers stay numbers, bytes stay the same."""

import re
import zipfile
from datetime import date
from decimal import Decimal

from python_calamine import CalamineWorkbook

from orchestration.common.workbook import Sheet, write_workbook

ROWS = [
    ["=1+1", 3, Decimal("0.1894"), date(2022, 4, 1)],
    ["+cmd", 0, Decimal("-8"), None],
    ["-2", 7, None, None],
    ["@SUM(A1)", 7, None, None],
]


def test_cells_are_read_back_as_written_and_none_is_a_formula(tmp_path):
    path = tmp_path / "book.xlsx"
    sheets = {"表": Sheet(["文字", "件数", "比率", "日期"], ROWS, {(0, 2): "0.00%"})}
    write_workbook(path, sheets)
    _, *rows = CalamineWorkbook.from_path(str(path)).get_sheet_by_name("表").to_python()
    assert [row[:3] for row in rows] == [
        ["=1+1", 3.0, 0.1894],
        ["+cmd", 0.0, -8.0],
        ["-2", 7.0, ""],
        ["@SUM(A1)", 7.0, ""],
    ]
    assert rows[0][3] == date(2022, 4, 1)
    with zipfile.ZipFile(path) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
        styles = book.read("xl/styles.xml").decode()
    assert "<f>" not in sheet
    assert "autoFilter" in sheet and 'state="frozen"' in sheet
    assert re.search('quotePrefix="1"', styles)
    again = tmp_path / "again.xlsx"
    write_workbook(again, sheets)
    assert again.read_bytes() == path.read_bytes()
