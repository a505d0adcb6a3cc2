"""The bulletin's appendices as a workbook: one sheet per appendix, with figures as numbers.

A cell's number format is made from the figure as the bulletin prints it, so that a sheet shows the
same digits as the document while sums and sorting still work.
"""

import io
from itertools import groupby

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from orchestration.common.workbook import inert
from orchestration.publish.bulletin.model import Appendix, Bulletin, Row, printed
from orchestration.publish.disclosure import Hidden

SONG, FANG, HEI, KAI = "方正小标宋简体", "仿宋", "黑体", "楷体"
# In characters, as Excel measures columns.
NAME_WIDTH = 31
WIDTHS = {"count": 8, "rate": 9.5, "index": 8}
# In points. Heights are fixed, because Excel doesn't fit them to fonts that it substitutes.
LINE_HEIGHT, HEADING_HEIGHT = 18, 34
A4 = 9


def to_xlsx(bulletin: Bulletin) -> bytes:
    """The appendices as an .xlsx file; the same bulletin gives the same bytes."""
    buffer = io.BytesIO()
    # Text is never interpreted: a unit named like a formula or an address stays a name.
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(buffer, options) as book:
        book.set_properties(
            {
                "title": bulletin.title,
                "comments": bulletin.notice,
                "created": bulletin.published_at,
            }
        )
        formats = _Formats(book)
        for appendix in bulletin.appendices:
            _write_sheet(book.add_worksheet(f"附件{appendix.number}"), appendix, bulletin, formats)
    return buffer.getvalue()


class _Formats:
    """Cell formats by their properties; a workbook needs each only once."""

    def __init__(self, book: Workbook) -> None:
        self._book = book
        self._made: dict[tuple[tuple[str, object], ...], Format] = {}

    def __call__(self, **properties: object) -> Format:
        key = tuple(sorted(properties.items()))
        if key not in self._made:
            self._made[key] = self._book.add_format({"valign": "vcenter", **properties})
        return self._made[key]

    def cell(self, font: str, **properties: object) -> Format:
        """A bordered cell of the table."""
        return self(font_name=font, font_size=11, border=1, **properties)


def _write_sheet(
    sheet: Worksheet, appendix: Appendix, bulletin: Bulletin, formats: _Formats
) -> None:
    last_column = len(appendix.columns)
    sheet.set_column(0, 0, NAME_WIDTH)
    for place, column in enumerate(appendix.columns, start=1):
        sheet.set_column(place, place, WIDTHS[column.kind])
    line = _write_title(sheet, appendix, bulletin.notice, formats)
    line = heading_end = _write_heading(sheet, line, appendix, formats)
    for band in appendix.bands:
        if band.label:
            shape = formats.cell(HEI, align="center")
            _write_text(sheet, (line, 0, line, last_column), band.label, shape)
            sheet.set_row(line, LINE_HEIGHT)
            line += 1
        for row in band.rows:
            _write_row(sheet, line, appendix, row, formats)
            line += 1
    _write_row(sheet, line, appendix, appendix.total, formats, bold=True)
    if bulletin.footnote:
        line += 1
        shape = formats(font_name=FANG, font_size=10, text_wrap=True)
        _write_text(sheet, (line, 0, line, last_column), bulletin.footnote, shape)
        sheet.set_row(line, HEADING_HEIGHT)
    sheet.freeze_panes(heading_end, 1)
    sheet.repeat_rows(0, heading_end - 1)
    sheet.print_area(0, 0, line, last_column)
    sheet.set_paper(A4)
    sheet.fit_to_pages(1, 0)
    sheet.center_horizontally()
    sheet.set_footer("&C— &P —")


def _write_title(sheet: Worksheet, appendix: Appendix, notice: str, formats: _Formats) -> int:
    """Write number, title and notice; returns the row below."""
    last_column = len(appendix.columns)
    sheet.write_string(0, 0, f"附件{appendix.number}", formats(font_name=HEI, font_size=14))
    shape = formats(font_name=SONG, font_size=18, align="center")
    _write_text(sheet, (1, 0, 1, last_column), appendix.title, shape)
    sheet.set_row(1, 32)
    if not notice:
        return 2
    shape = formats(
        font_name=KAI, font_size=10, align="center", font_color="#9C0006", text_wrap=True
    )
    _write_text(sheet, (2, 0, 2, last_column), notice, shape)
    sheet.set_row(2, 28)
    return 3


def _write_heading(sheet: Worksheet, line: int, appendix: Appendix, formats: _Formats) -> int:
    """Write one row of labels, or two if some have a common heading; returns the row below."""
    shape = formats.cell(HEI, align="center", text_wrap=True, bg_color="#F2F2F2")
    labels = [("", appendix.name_label), *((c.heading, c.label) for c in appendix.columns)]
    bottom = line + any(heading for heading, _ in labels)
    for heading, group in groupby(enumerate(labels), key=lambda item: item[1][0]):
        places = [place for place, _ in group]
        if heading:
            _write_text(sheet, (line, places[0], line, places[-1]), heading, shape)
        for place in places:
            top = bottom if heading else line
            _write_text(sheet, (top, place, bottom, place), labels[place][1], shape)
    for heading_line in range(line, bottom + 1):
        sheet.set_row(heading_line, HEADING_HEIGHT)
    return bottom + 1


def _write_row(
    sheet: Worksheet,
    line: int,
    appendix: Appendix,
    row: Row,
    formats: _Formats,
    *,
    bold: bool = False,
) -> None:
    sheet.set_row(line, LINE_HEIGHT)
    shape = formats.cell(FANG, bold=bold, indent=1, shrink=True, **inert(row.name))
    sheet.write_string(line, 0, row.name, shape)
    for place, (column, figure) in enumerate(
        zip(appendix.columns, row.figures, strict=True), start=1
    ):
        text = printed(figure, column.kind)
        if figure is None or isinstance(figure, Hidden):
            sheet.write_string(line, place, text, formats.cell(FANG, align="center", bold=bold))
            continue
        shape = formats.cell(FANG, align="center", bold=bold, num_format=_number_format(text))
        sheet.write_number(line, place, figure, shape)


def _number_format(text: str) -> str:
    """The number format that shows the same digits as the printed figure: `0.00%`, `0`."""
    number, percent = text.removesuffix("%"), "%" * text.endswith("%")
    decimals = number.partition(".")[2]
    return f"0{'.' * bool(decimals)}{'0' * len(decimals)}{percent}"


def _write_text(
    sheet: Worksheet, area: tuple[int, int, int, int], text: str, shape: Format
) -> None:
    """Write text over an area, which may be a single cell."""
    if area[:2] == area[2:]:
        sheet.write_string(*area[:2], text, shape)
    else:
        sheet.merge_range(*area, "", shape)
        sheet.write_string(*area[:2], text, shape)
