"""Counts the filled rows of a sheet in its XML.

The count is independent of the reader of the cells, which it checks.
"""

import re
import zipfile
from itertools import chain
from pathlib import Path
from xml.parsers.expat import ParserCreate

from orchestration.reading.marks import column_number, plain_chunks, row_pieces
from orchestration.reading.tables import (
    MAX_COLUMNS,
    MIN_BOMB,
    too_many_columns,
    unreadable,
)

# The most cells of a sheet's used range: the reader allocates all of them, filled or not.
MAX_CELLS = 20_000_000
# A value or text element that isn't empty; some exporters write a namespace prefix.
VALUE = re.compile(rb"<(?:\w+:)?[vt](?: [^>]*)?>[^<]")
# A shared text that is empty or may be empty, such as one of several runs.
UNSURE_TEXT = re.compile(rb"<(?:\w+:)?si(?:/>|(?: [^>]*)?>(?!<(?:\w+:)?t(?: [^>]*)?>[^<]))")
SHARED = re.compile(rb'<(?:\w+:)?c [^>]*?t="s"[^>]*>\s*<(?:\w+:)?v>(\d+)<')
CELL = re.compile(rb' r="([A-Z]{1,3})(\d{1,7})"')


def xlsx_rows(path: Path, archive: zipfile.ZipFile, member: str) -> int:
    """The number of rows of an Excel sheet that have a value."""
    empty_texts = _empty_shared_texts(archive)
    count, height, width = 0, 0, 1
    try:
        pieces = row_pieces(plain_chunks(archive, member), MIN_BOMB)
        for row in chain.from_iterable(rows for _, rows in pieces):
            values = len(VALUE.findall(row)) if empty_texts else bool(VALUE.search(row))
            if empty_texts:
                values -= sum(int(at) in empty_texts for at in SHARED.findall(row))
            count += values > 0
            if last := CELL.search(row, max(row.rfind(b' r="'), 0)):
                height = max(height, int(last[2]))
                width = max(width, column_number(last[1]))
    except OverflowError as error:
        found, expected = "有一行超过 64 MB", "一件工单的一行文字"
        raise unreadable(path, "cell_too_large", found, expected) from error
    if width > MAX_COLUMNS:
        raise too_many_columns(path)
    _check_area(path, height, width)
    return count


def _check_area(path: Path, height: int, width: int) -> None:
    if height * width > MAX_CELLS:
        raise unreadable(
            path,
            "sheet_too_large",
            f"工作表占用 {height} 行 × {width} 列",
            f"至多 {MAX_CELLS} 格；更大的表另存为 CSV（UTF-8）",
        )


def _empty_shared_texts(archive: zipfile.ZipFile) -> set[int]:
    if "xl/sharedStrings.xml" not in archive.namelist():
        return set()
    texts = archive.read("xl/sharedStrings.xml")
    if not UNSURE_TEXT.search(texts):
        return set()
    items = re.split(rb"<(?:\w+:)?si(?=[ />])", texts)[1:]
    return {at for at, item in enumerate(items) if not VALUE.search(item)}


def ods_rows(path: Path, archive: zipfile.ZipFile) -> dict[str, int]:
    """The number of filled rows of each sheet of an ODS; repeated rows and cells are expanded."""
    counts: dict[str, int] = {}
    name = ""
    row = column = widest = cells = repeat = 0
    filled = cell_filled = False

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal name, row, column, widest, repeat, filled, cell_filled, cells
        if tag == "table:table":
            name, row, widest = attributes.get("table:name", ""), 0, 0
            counts[name] = 0
        elif tag == "table:table-row":
            repeat = int(attributes.get("table:number-rows-repeated", 1))
            column, filled = 0, False
        elif tag in ("table:table-cell", "table:covered-table-cell"):
            cells = int(attributes.get("table:number-columns-repeated", 1))
            cell_filled = attributes.get("office:value-type", "string") != "string"

    def text(data: str) -> None:
        nonlocal cell_filled
        cell_filled = cell_filled or bool(cells and data)

    def end(tag: str) -> None:
        nonlocal row, column, widest, filled, cells
        if tag in ("table:table-cell", "table:covered-table-cell"):
            column += cells
            cells = 0
            if cell_filled:
                filled, widest = True, max(widest, column)
                if column > MAX_COLUMNS:
                    raise too_many_columns(path)
        elif tag == "table:table-row":
            row += repeat
            if filled:
                counts[name] += repeat
                _check_area(path, row, widest)

    parser = ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = text
    with archive.open("content.xml") as file:
        parser.ParseFile(file)
    return counts
