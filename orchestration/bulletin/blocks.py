"""A document as blocks in reading order: paragraphs, and grids of cells with merges resolved.

Word, HTML and workbooks are taken apart here, plain text in `lines`. What a header means doesn't
belong here.
"""

import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docx
import lxml.html
from docx.opc.exceptions import PackageNotFoundError
from docx.oxml.exceptions import InvalidXmlError
from docx.oxml.ns import qn
from lxml import etree

from orchestration.ingest.canonical import BLANKS
from orchestration.ingest.tables import MAX_COLUMNS, too_many_columns, unreadable
from orchestration.ingest.text import whole_text
from orchestration.ingest.workbooks import DAMAGE, check_archive, whole_sheets

MAX_CELLS = 200_000
"""Cells of one table: no bulletin has as many, and a span may claim any number."""
DIGITS = str.maketrans("０１２３４５６７８９．％", "0123456789.%")
NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?\s*%*")
# From the first blank to the last, so that a long run of blanks is gone through once.
WIDE_GAP = re.compile(r"(?<=[^\x00-\xff])(?<![ \u3000\u00a0])[ \u3000\u00a0]++(?=[^\x00-\xff])")

BLOCK_TAGS = re.compile(
    "p|div|li|[uod]l|d[td]|br|hr|h[1-6]|section|article|header|footer|main|body|pre|blockquote|"
    "center|form|table|tbody|t[rdh]"
)
FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"


@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True)
class Grid:
    """A table: a merged cell's text stands in its upper left cell, the others are blank."""

    where: str
    rows: list[list[str]]
    banners: frozenset[int] = frozenset()
    """Rows (0-based) of which one cell takes the whole width, such as a group's title."""
    is_workbook: bool = False
    """Its numbers are values, which may have more digits than a reader sees."""
    numbers: list[int] = field(default_factory=list)
    """Row numbers as a person sees them; empty: they count from 1."""

    def row_number(self, at: int) -> int:
        """The number of a row (0-based) as a person sees it."""
        return self.numbers[at] if self.numbers else at + 1


Block = Paragraph | Grid


def clean(text: str) -> str:
    """A cell or paragraph as it is compared: no breaks, no blanks around it or between characters.

    Blanks between Latin letters stay.
    """
    joined = re.sub(r"[\r\n\t\v\f\u200b\ufeff]+", "", text).strip(BLANKS)
    return WIDE_GAP.sub("", joined).translate(DIGITS)


def is_number(text: str) -> bool:
    """Whether a cell holds nothing but a number or a percentage."""
    return bool(NUMBER.fullmatch(text))


def word_blocks(path: Path) -> list[Block]:
    """The blocks of a .docx; text boxes and tables within tables come after what holds them.

    Raises:
        InputError: not a whole document, or a hostile one.
    """
    broken = unreadable(path, "bad_document", "不是完好的 Word 文档", "Word 或 WPS 能打开的 .docx")
    try:
        with zipfile.ZipFile(path) as archive:
            check_archive(path, archive)
        body = docx.Document(str(path)).element.body
        if body is None:
            raise broken
    # The library meets an element of another kind than it looks for with the last two.
    except (
        *DAMAGE, PackageNotFoundError, InvalidXmlError, etree.LxmlError, AttributeError, TypeError,
    ) as error:  # fmt: skip
        raise broken from error
    try:
        return _word_blocks(path, body)
    except (InvalidXmlError, ValueError) as error:  # a number that is none
        raise broken from error


def _word_blocks(path: Path, body: Any) -> list[Block]:
    tables = 0

    def walk(element: Any) -> Iterator[Block]:
        nonlocal tables
        for child in element:
            if child.tag == qn("w:tbl"):
                tables += 1
                yield _word_grid(path, child, f"第 {tables} 个表")
                for inner in _outermost(child):
                    yield from walk([inner] if inner.tag == qn("w:tbl") else inner)
            elif child.tag == qn("w:p"):
                yield Paragraph(clean(_word_text(child)))
                for box in _outermost(child):
                    yield from walk(box)
            elif child.tag not in (qn("w:sectPr"), FALLBACK):
                yield from walk(child)

    return list(walk(body))


def _outermost(element: Any) -> Iterator[Any]:
    """Tables and text boxes within an element, not those within them, each once."""
    for child in element:
        if child.tag in (qn("w:tbl"), qn("w:txbxContent")):
            yield child
        elif child.tag != FALLBACK:  # the same box again, for old readers
            yield from _outermost(child)


def _word_text(element: Any) -> str:
    """All text below an element but that of text boxes and nested tables, deleted text left out."""
    parts = {qn("w:tab"): "\t", qn("w:br"): "\n", qn("w:cr"): "\n"}
    outer = (qn("w:txbxContent"), qn("w:tbl"))
    texts = []

    def walk(node: Any) -> None:
        for child in node:
            if child.tag == qn("w:t"):
                texts.append(child.text or "")
            elif child.tag in parts:
                texts.append(parts[child.tag])
            elif child.tag not in outer and child.tag != FALLBACK:
                walk(child)

    walk(element)
    return "".join(texts)


def _word_grid(path: Path, table: Any, where: str) -> Grid:
    rows: list[list[str]] = []
    banners = set()
    cell_count = 0
    held = (qn("w:sdt"), qn("w:sdtContent"), qn("w:ins"), qn("w:smartTag"))

    def below(element: Any, tag: str) -> Iterator[Any]:
        for child in element:
            if child.tag == tag:
                yield child
            elif child.tag in held:
                yield from below(child, tag)

    for row in below(table, qn("w:tr")):
        cells = [""] * int(row.grid_before)
        count = 0
        for cell in below(row, qn("w:tc")):
            count += 1
            span = int(cell.grid_span)
            if len(cells) + span > MAX_COLUMNS:
                raise too_many_columns(path)
            text = "" if cell.vMerge == "continue" else clean(_word_text(cell))
            cells += [text, *[""] * (span - 1)]
        cell_count += len(cells)
        _check_size(path, cell_count)
        if count == 1 and len(cells) > 1:
            banners.add(len(rows))
        rows.append(cells)
    return Grid(where, rows, frozenset(banners))


def html_blocks(path: Path) -> list[Block]:
    """The blocks of an HTML page; of tables within tables the innermost are grids.

    Raises:
        InputError: no text in a known encoding, entities, or spans without bounds.
    """
    text = whole_text(path)
    if "<!ENTITY" in text:
        raise unreadable(path, "xml_entities", "网页声明了实体", "不含实体声明的网页")
    parser = lxml.html.HTMLParser(no_network=True, remove_comments=True, remove_pis=True)
    text = re.sub(r"^\s*<\?xml[^>]*\?>", "", text)  # a declared encoding has served its time
    try:
        page = lxml.html.document_fromstring(text, parser=parser)
    except (etree.LxmlError, ValueError) as error:
        raise unreadable(path, "bad_document", "不是网页", "浏览器能打开的 .html") from error
    if any(entry.level == etree.ErrorLevels.FATAL for entry in parser.error_log):
        raise unreadable(path, "bad_document", "标签嵌套过深，读不到底", "来源软件直接另存的网页")
    blocks: list[Block] = []
    run: list[str] = []
    tables = 0

    def flush() -> None:
        blocks.append(Paragraph(clean("".join(run))))
        run.clear()

    def walk(element: Any) -> None:
        nonlocal tables
        if element.tag in ("script", "style", "head"):
            pass
        elif element.tag == "table" and next(element.iterdescendants("table"), None) is None:
            flush()
            tables += 1
            blocks.append(_html_grid(path, element, f"第 {tables} 个表"))
        else:
            breaks = bool(BLOCK_TAGS.fullmatch(str(element.tag)))
            if breaks:
                flush()
            run.append(element.text or "")
            for child in element:
                walk(child)
            if breaks:
                flush()
        run.append(element.tail or "")

    walk(page)
    flush()
    return [block for block in blocks if not isinstance(block, Paragraph) or block.text]


def _html_grid(path: Path, table: Any, where: str) -> Grid:
    rows: list[dict[int, str]] = []
    taken: set[tuple[int, int]] = set()
    widths: dict[int, int] = {}
    for at, row in enumerate(table.iter("tr")):
        texts: dict[int, str] = {}
        column = 0
        for cell in row.iterchildren("td", "th"):
            while (at, column) in taken:
                column += 1
            across, down = (_span(cell.get(name)) for name in ("colspan", "rowspan"))
            if column + across > MAX_COLUMNS:
                raise too_many_columns(path)
            _check_size(path, len(taken) + across * down)
            texts[column] = clean(cell.text_content())
            taken |= {(at + y, column + x) for y in range(down) for x in range(across)}
            widths[at] = across
            column += across
        rows.append(texts)
    width = max((column + 1 for _, column in taken), default=0)
    _check_size(path, len(rows) * width)
    full = {at for at, row in enumerate(rows) if len(row) == 1 and widths[at] == width > 1}
    cells = [[row.get(column, "") for column in range(width)] for row in rows]
    return Grid(where, cells, frozenset(full))


def _span(text: str | None) -> int:
    return min(max(int(text), 1), MAX_CELLS) if text and text.isdecimal() else 1


def workbook_blocks(
    path: Path, is_title: Callable[[str], bool], ignored_sheets: Sequence[str]
) -> list[Block]:
    """The blocks of a workbook, sheet by sheet; a title row begins another table.

    Raises:
        InputError: not a whole workbook, or a hostile one.
    """
    blocks: list[Block] = []
    for sheet in whole_sheets(path):
        if sheet.name in ignored_sheets:
            continue
        _check_size(path, sum(map(len, sheet.rows)))
        rows = [[clean(cell) for cell in row] for row in sheet.rows]
        starts = [at for at, row in enumerate(rows) if _is_title_row(row, is_title)]
        for start, end in zip([0, *starts], [*starts, len(rows)], strict=True):
            blocks.append(
                Grid(
                    f"工作表「{sheet.name}」",
                    rows[start:end],
                    frozenset(at - start for at in sheet.banners if start <= at < end),
                    is_workbook=True,
                    numbers=list(range(start + 1, end + 1)),
                )
            )
    return blocks


def _check_size(path: Path, cell_count: int) -> None:
    if cell_count > MAX_CELLS:
        raise unreadable(
            path, "table_too_large", f"有一个表超过 {MAX_CELLS} 格", "通报的附件，一行一个单位"
        )


def _is_title_row(row: Iterable[str], is_title: Callable[[str], bool]) -> bool:
    filled = [cell for cell in row if cell]
    return len(filled) == 1 and is_title(filled[0])
