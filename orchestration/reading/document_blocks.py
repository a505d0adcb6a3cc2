"""A document as blocks in reading order: paragraphs, and grids of cells with merges resolved.

Word, HTML and workbooks are split into blocks here, plain text in `document_lines`. What a header
means doesn't belong here.
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

from orchestration.reading.archives import check_archive, xlsx_sheets
from orchestration.reading.canonical import BLANKS
from orchestration.reading.document_visible import WordStyles, prune_html, prune_word
from orchestration.reading.encodings import whole_text
from orchestration.reading.sheet_view import SheetView, sheet_view
from orchestration.reading.tables import MAX_COLUMNS, too_many_columns, unreadable
from orchestration.reading.workbooks import DAMAGE, whole_sheets

# The most cells of one table: a damaged span can claim any number.
MAX_CELLS = 200_000
DIGITS = str.maketrans("０１２３４５６７８９．％", "0123456789.%")
NUMBER = re.compile(r"[-+]?[0-9]+(?:\.[0-9]+)?\s*%*")
# Thousands separators. A comma is unambiguous. A blank, an apostrophe or a full-width comma counts
# only if the text ends with the number, or its unit follows.
COMMAS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
SPACED = re.compile(
    r"(?<!\d)(?<!\d[ \u00a0\u2009\u202f'’，,])"
    r"\d{1,3}(?:([ \u00a0\u2009\u202f'’])\d{3}(?:\1\d{3})*|，\d{3})"
    r"(?=(?:\.\d+)?\s*(?:%|[件条封个]|$))"
)
# A footnote mark after a figure, as a special character or in brackets.
MARKS = re.compile(
    r"(?<=[0-9%])(?:[\u00b9\u00b2\u00b3\u2070\u2074-\u2079①-⑳⑴-⒇❶-❿†‡※]+|[\[［〔]\d{1,2}[\]］〕])"
)
# The line break between two stacked figures, which mustn't be joined into one.
STACKED = re.compile(r"(?<=\d)[ \t]*[\r\n\v\f]+[ \t]*(?=\d)")
# Matches only from the first blank to the last, so that a long run of blanks is scanned once.
WIDE_GAP = re.compile(r"(?<=[^\x00-\xff])(?<![ \u3000\u00a0])[ \u3000\u00a0]++(?=[^\x00-\xff])")

BLOCK_TAGS = re.compile(
    "p|div|li|[uod]l|d[td]|br|hr|h[1-6]|section|article|header|footer|main|body|pre|blockquote|"
    "center|form|table|tbody|t[rdh]"
)
COMPATIBILITY = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
ODS_UNSEEN = re.compile(
    rb'table:visibility="(?:collapse|filter)"|text-line-through-style="(?!none)|'
    rb'style:text-position="(?:super|sub|-?[1-9])'
)
FALLBACK = f"{COMPATIBILITY}Fallback"


@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True)
class Grid:
    """A table; a merged cell's text is in its upper left cell, and the other cells are blank."""

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
    """Normalise the text of a cell or paragraph for comparison.

    Line breaks, footnote marks, thousands separators, surrounding blanks and blanks between Chinese
    characters are removed. Blanks between Latin letters stay. Stacked figures are joined by `／`.
    """
    stacked = STACKED.sub("／", text.translate(DIGITS).strip(BLANKS))
    joined = re.sub(r"[\r\n\t\v\f\u200b\ufeff]+", "", stacked).strip(BLANKS)
    marked = MARKS.sub("", WIDE_GAP.sub("", joined))
    return SPACED.sub(_digits, COMMAS.sub(_digits, marked))


def _digits(match: re.Match[str]) -> str:
    return re.sub(r"\D", "", match[0])


def is_number(text: str) -> bool:
    """Whether a cell contains nothing but a number or a percentage."""
    return bool(NUMBER.fullmatch(text))


def word_blocks(path: Path) -> list[Block]:
    """The blocks of a .docx; text boxes and nested tables come after the block that contains them.

    Raises:
        InputError: the document is damaged or hostile.
    """
    broken = unreadable(path, "bad_document", "不是完好的 Word 文档", "Word 或 WPS 能打开的 .docx")
    try:
        with zipfile.ZipFile(path) as archive:
            check_archive(path, archive)
        document = docx.Document(str(path))
        body = document.element.body
        if body is None:
            raise broken
        styles = WordStyles(document.styles.element)
    # python-docx raises the last two if an element is of another kind than it expects.
    except (
        *DAMAGE, PackageNotFoundError, InvalidXmlError, etree.LxmlError, AttributeError, TypeError,
    ) as error:  # fmt: skip
        raise broken from error
    try:
        prune_word(path, body, styles)
        return _word_blocks(path, body)
    except (InvalidXmlError, ValueError) as error:  # an attribute that isn't the number it must be
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
    """The outermost tables and text boxes within an element, each once."""
    for child in element:
        if child.tag in (qn("w:tbl"), qn("w:txbxContent")):
            yield child
        elif child.tag != FALLBACK:  # it repeats the box for old readers
            yield from _outermost(child)


def _word_text(element: Any) -> str:
    """The text within an element, without text boxes, nested tables and deleted text."""
    parts = {qn("w:tab"): "\t", qn("w:br"): "\n", qn("w:cr"): "\n", qn("w:noBreakHyphen"): "-"}
    outer = (qn("w:txbxContent"), qn("w:tbl"), qn("w:rt"))
    texts: list[str] = []

    def walk(node: Any) -> None:
        for child in node:
            if child.tag == qn("w:t"):
                texts.append(child.text or "")
            elif child.tag in parts:
                texts.append(parts[child.tag])
            elif child.tag not in outer and child.tag != FALLBACK:
                if child.tag == qn("w:p") and texts:
                    texts.append("\n")
                walk(child)

    walk(element)
    return "".join(texts)


def _word_grid(path: Path, table: Any, where: str) -> Grid:
    rows: list[list[str]] = []
    banners = set()
    cell_count = 0
    held = (
        *map(qn, ("w:sdt", "w:sdtContent", "w:ins", "w:moveTo", "w:smartTag", "w:customXml")),
        *(COMPATIBILITY + name for name in ("AlternateContent", "Choice")),
    )

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
    """The blocks of an HTML page; of nested tables, only the innermost become grids.

    Raises:
        InputError: the page can't be decoded or parsed, declares entities, or has a table that is
            too large.
    """
    text = whole_text(path)
    if "<!ENTITY" in text:
        raise unreadable(path, "xml_entities", "网页声明了实体", "不含实体声明的网页")
    parser = lxml.html.HTMLParser(no_network=True, remove_comments=True, remove_pis=True)
    text = re.sub(r"^\s*<\?xml[^>]*\?>", "", text)  # lxml refuses a str that declares an encoding
    try:
        page = lxml.html.document_fromstring(text, parser=parser)
    except (etree.LxmlError, ValueError) as error:
        raise unreadable(path, "bad_document", "不是网页", "浏览器能打开的 .html") from error
    if any(entry.level == etree.ErrorLevels.FATAL for entry in parser.error_log):
        raise unreadable(path, "bad_document", "标签嵌套过深，读不到底", "来源软件直接另存的网页")
    prune_html(path, page)
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
            texts[column] = clean(_html_text(cell))
            taken |= {(at + y, column + x) for y in range(down) for x in range(across)}
            widths[at] = across
            column += across
        rows.append(texts)
    width = max((column + 1 for _, column in taken), default=0)
    _check_size(path, len(rows) * width)
    full = {at for at, row in enumerate(rows) if len(row) == 1 and widths[at] == width > 1}
    cells = [[row.get(column, "") for column in range(width)] for row in rows]
    return Grid(where, cells, frozenset(full))


def _html_text(cell: Any) -> str:
    """A cell's text, with each line and paragraph on a line of its own."""
    texts: list[str] = []

    def walk(element: Any) -> None:
        breaks = element is not cell and bool(BLOCK_TAGS.fullmatch(str(element.tag)))
        texts.extend(["\n"] if breaks else [])
        texts.append(element.text or "")
        for child in element:
            walk(child)
            texts.append(child.tail or "")
        texts.extend(["\n"] if breaks else [])

    walk(cell)
    return "".join(texts)


def _span(text: str | None) -> int:
    return min(max(int(text), 1), MAX_CELLS) if text and text.isdecimal() else 1


def workbook_blocks(
    path: Path, is_title: Callable[[str], bool], ignored_sheets: Sequence[str]
) -> list[Block]:
    """The blocks of a workbook, sheet by sheet; a title row starts a new table.

    Raises:
        InputError: the workbook is damaged or hostile.
    """
    blocks: list[Block] = []
    views = _sheet_views(path)
    for sheet in whole_sheets(path):
        if sheet.name in ignored_sheets:
            continue
        _check_size(path, sum(map(len, sheet.rows)))
        view = views.get(sheet.name, SheetView())
        seen = [at for at in range(len(sheet.rows)) if at not in view.rows]
        rows = [
            [
                clean(view.texts.get((at, column), cell))
                for column, cell in enumerate(sheet.rows[at])
                if column not in view.columns
            ]
            for at in seen
        ]
        banners = {number for number, at in enumerate(seen) if at in sheet.banners}
        starts = [at for at, row in enumerate(rows) if _is_title_row(row, is_title)]
        for start, end in zip([0, *starts], [*starts, len(rows)], strict=True):
            blocks.append(
                Grid(
                    f"工作表「{sheet.name}」",
                    rows[start:end],
                    frozenset(at - start for at in banners if start <= at < end),
                    is_workbook=True,
                    numbers=[at + 1 for at in seen[start:end]],
                )
            )
    return blocks


def _sheet_views(path: Path) -> dict[str, SheetView]:
    """The views of an .xlsx by sheet name; other formats have none.

    Raises:
        InputError: an .ods has hidden, struck-out or raised content, or the workbook is damaged.
    """
    if path.suffix.lower() not in (".xlsx", ".ods"):
        return {}
    try:
        with zipfile.ZipFile(path) as archive:
            if path.suffix.lower() == ".xlsx":
                sheets = xlsx_sheets(archive)
                return {name: sheet_view(path, archive, part) for name, part in sheets.items()}
            if ODS_UNSEEN.search(archive.read("content.xml")):
                raise unreadable(
                    path, "hidden_content", "有隐藏的行或列，或划掉、上标的文字",
                    "没有隐藏、划掉和上标文字的表，或另存为 .xlsx",
                )  # fmt: skip
            return {}
    except (*DAMAGE, etree.LxmlError, TypeError) as error:
        raise unreadable(
            path, "bad_document", "不是完好的工作簿", "Excel 或 WPS 能打开的工作簿"
        ) from error


def _check_size(path: Path, cell_count: int) -> None:
    if cell_count > MAX_CELLS:
        raise unreadable(
            path, "table_too_large", f"有一个表超过 {MAX_CELLS} 格", "通报的附件，一行一个单位"
        )


def _is_title_row(row: Iterable[str], is_title: Callable[[str], bool]) -> bool:
    filled = [cell for cell in row if cell]
    return len(filled) == 1 and is_title(filled[0])
