"""Reads a bulletin in any form into its printed figures in long form, each with its place.

Whether the figures are right doesn't belong here.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestration.common.errors import InputError
from orchestration.common.quarters import Quarter
from orchestration.reading.document_blocks import (
    DIGITS,
    Block,
    Grid,
    Paragraph,
    html_blocks,
    is_number,
    word_blocks,
    workbook_blocks,
)
from orchestration.reading.document_lines import text_blocks
from orchestration.reading.document_tables import Table, header_segments, header_spans, header_texts
from orchestration.reading.layouts import Layout, TableLayout, TextPattern
from orchestration.reading.tables import unreadable

STEM = "bulletin"
WORD, HTML, TEXT, WORKBOOKS = (".docx",), (".html", ".htm"), (".txt",), (".xlsx", ".xls", ".ods")
DOCUMENTS = (*WORD, *HTML, *TEXT)
# File types that offices use but that can't be read: refused, not ignored.
FOREIGN = (".doc", ".wps", ".pdf", ".rtf", ".odt", ".mht")
RUNNING_TEXT = "text"
# Headers of the long form.
COLUMNS = ("document", "table", "row", "printed_group", "printed_name", "measure", "printed_value")
CHINESE_QUARTERS = "一二三四"
# Separators between digits that remain after thousands separators were removed.
UNCLEAR = re.compile(r"\d+[,'’\u00a0\u2009\u202f／]\d[\d.]*\s*(?:%|件|条|封)")
# The most characters of a text: a layout's patterns may take quadratic time.
MAX_PARAGRAPH = 5000


@dataclass(frozen=True)
class Figure:
    """A figure as printed; `place` describes where it is in the document."""

    document: str
    table: str
    row: int
    group: str
    name: str
    measure: str
    value: str
    place: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        """The figure as a row of the long form, in the order of `COLUMNS`."""
        return (
            self.document, self.table, str(self.row), self.group, self.name, self.measure,
            self.value,
        )  # fmt: skip


def read_document(
    path: Path, layouts: Sequence[Layout], quarter: str, ignored_sheets: Sequence[str] = ()
) -> tuple[Figure, ...]:
    """Read a bulletin that a person wrote: .docx, .html, .txt, or a workbook of its tables.

    Args:
        path: the document.
        layouts: the layouts in force; a table may fit any of them.
        quarter: the expected quarter; if empty, the one that the document names.
        ignored_sheets: names of sheets that aren't part of the bulletin.

    Returns:
        The figures in reading order: those of the tables, then those of the running text.

    Raises:
        InputError: the document is unreadable or of another quarter, or no layout knows something
            in it.
    """
    if not layouts:
        raise InputError(
            code="no_layout",
            file=path.name,
            found="没有登记任何版式",
            expected="layouts 文件夹里至少一个 .yml",
            action="登记版式，或改交长表 bulletin.csv",
        )
    reader = _Reader(path, layouts)
    blocks = _blocks(path, layouts, ignored_sheets)
    document = _quarter_of(path, blocks, layouts, quarter)
    for block in blocks:
        reader.take(block)
    figures = [
        Figure(document, *figure) for figure in (*reader.tables, *_text_figures(reader, layouts))
    ]
    if not figures:
        raise _wrong(
            path, "no_figures", "没有读到任何数字", "至少一个附件表",
            "检查是否交错了文件；若版式不同，在 exports/layouts 中登记",
        )  # fmt: skip
    return tuple(figures)


# The fields of `Figure` after `document`.
_Loose = tuple[str, int, str, str, str, str, str]


class _Reader:
    """Reads a document block by block: figures from tables, paragraphs for later."""

    def __init__(self, path: Path, layouts: Sequence[Layout]) -> None:
        self.path = path
        self.layouts = [table for layout in layouts for table in layout.tables]
        self.tables: list[_Loose] = []
        self.paragraphs: list[str] = []
        self.title = ""
        self._rows: Counter[str] = Counter()
        self._group: dict[str, str] = {}
        """The group that each table was in last: a table may be cut over pages and sheets."""

    def take(self, block: Block) -> None:
        """Read one block.

        Raises:
            InputError: a table fits no layout, or a row can't be understood.
        """
        if isinstance(block, Paragraph):
            self._paragraph(block.text)
        elif any(is_number(cell) for row in block.rows for cell in row):
            self._grid(block)
        else:
            for row in block.rows:
                for cell in row:
                    self._paragraph(cell)

    def _paragraph(self, text: str) -> None:
        if len(text) > MAX_PARAGRAPH:
            raise _wrong(
                self.path, "paragraph_too_long", f"有一段文字长 {len(text)} 字",
                f"至多 {MAX_PARAGRAPH} 字的段落", "检查是否交错了文件；或把这段分成几段",
            )  # fmt: skip
        if text:
            self.paragraphs.append(text)
            if any(re.fullmatch(title, text) for table in self.layouts for title in table.titles):
                self.title = text
            self._group |= {table.table: text for table in self.layouts if text in table.groups}

    def _grid(self, grid: Grid) -> None:
        width = max(map(len, grid.rows))
        rows = [[*row, *[""] * (width - len(row))] for row in grid.rows]
        span, layout, segments = self._fit(grid, rows)
        table = Table(self.path, grid, layout, segments)
        table.group_all(self._group.get(layout.table, ""))
        for at in range(span.start):
            filled = [cell for cell in rows[at] if cell]
            if len(filled) == 1 and filled[0] in layout.groups:
                table.group_all(filled[0])
            else:
                for cell in filled:
                    if is_number(cell):
                        raise table.wrong_row(at, "unknown_cell", f"列名上方有数字 {cell}")
                    self._paragraph(cell)
        for at, row in enumerate(rows[span.stop :], start=span.stop):
            table.take(at, row)
        self._group[layout.table] = table.groups[-1]
        before = len(self.tables)
        for record in table.finished():
            self._rows[layout.table] += 1
            for measure, value in record.figures:
                self.tables.append(
                    (
                        layout.table,
                        self._rows[layout.table],
                        record.group,
                        record.name,
                        measure,
                        value,
                        f"{layout.label}，{grid.where}第 {record.row} 行",
                    )
                )
        for text in table.notes:
            self._paragraph(text)
        # Every cell with a number must be a figure or be in an ignored column.
        written = sum(is_number(cell) for row in rows for cell in row) - table.ignored_numbers
        if written != (taken := len(self.tables) - before):
            raise _wrong(
                self.path, "figures_lost", f"{layout.label}有 {written} 个数字，读出 {taken} 个",
                "每个数字都在登记过的列里", "检查表中合并的单元格",
            )  # fmt: skip

    def _fit(
        self, grid: Grid, rows: Sequence[Sequence[str]]
    ) -> tuple[range, TableLayout, list[list[str]]]:
        """The first header that fits a layout: its rows, the layout, its segments' headers."""
        for span in header_spans(rows):
            fitting = [
                (table, segments)
                for table in self.layouts
                if (segments := header_segments(header_texts(rows, span, table), table))
            ]
            titled = [
                (table, segments)
                for table, segments in fitting
                if any(re.fullmatch(title, self.title) for title in table.titles)
            ]
            chosen = titled or fitting
            if len({table.table for table, _ in chosen}) > 1:
                raise _wrong(
                    self.path, "ambiguous_table",
                    f"{grid.where}同时符合{'、'.join(table.label for table, _ in chosen)}",
                    "表前有“附件1”一类的标题", "补上标题，或在版式的 titles 中登记这里的标题",
                )  # fmt: skip
            if chosen:
                return span, *chosen[0]
        raise self._misfit(grid, rows)

    def _misfit(self, grid: Grid, rows: Sequence[Sequence[str]]) -> InputError:
        """The error for an unknown table: the layout closest to its likeliest header, and why."""

        def likeness(candidate: tuple[range, TableLayout]) -> tuple[int, int]:
            header = header_texts(rows, *candidate)
            return len(set(candidate[1].headers) & set(header)), -len(candidate[0])

        candidates = ((span, table) for span in header_spans(rows) for table in self.layouts)
        span, table = max(candidates, key=likeness)
        header = [cell for cell in header_texts(rows, span, table) if cell]
        missing, surplus = table.misfit(header)
        # A row that isn't a header may contain anything: name its cells only if most of them fit.
        shown = surplus if len(surplus) * 2 < len(header) else [f"{len(surplus)} 列（内容不显示）"]
        found = "；".join(
            f"{what}：{'、'.join(texts)[:200]}"
            for what, texts in (
                ("缺少列", missing),
                ("不认识或重复的列", shown if surplus else []),
            )
            if texts
        )
        return InputError(
            code="unknown_table" if missing else "unknown_column",
            file=self.path.name,
            row=grid.row_number(span[-1]),
            column="、".join((missing or shown)[:3]),
            found=f"{grid.where}不符合任何版式，{found or '列名位置不对'}",
            expected=f"最接近的版式“{table.label}”的列名：{'、'.join(table.headers)}",
            action="在 exports/layouts 的版式里登记新的列名（aliases、ignored_headers）",
        )


def _blocks(path: Path, layouts: Sequence[Layout], ignored_sheets: Sequence[str]) -> list[Block]:
    tables = [table for layout in layouts for table in layout.tables]

    def is_title(text: str) -> bool:
        return any(re.fullmatch(title, text) for table in tables for title in table.titles)

    suffix = path.suffix.lower()
    if suffix in WORD:
        return word_blocks(path)
    if suffix in HTML:
        return html_blocks(path)
    if suffix in TEXT:
        return text_blocks(path, is_title, tables)
    if suffix in WORKBOOKS:
        return workbook_blocks(path, is_title, ignored_sheets)
    raise unreadable(
        path, "unknown_format", f"不能读取 {suffix or '没有扩展名'} 的通报",
        "另存为 .docx、.html、.txt、.xlsx、.xls 或 .ods；或长表 bulletin.csv",
    )  # fmt: skip


def _quarter_of(
    path: Path, blocks: Sequence[Block], layouts: Sequence[Layout], expected: str
) -> str:
    """The quarter that the document names, else the expected one.

    Raises:
        InputError: the document names another quarter, or no quarter is known.
    """
    texts = (
        text
        for block in blocks
        for text in (
            [block.text] if isinstance(block, Paragraph) else [c for row in block.rows for c in row]
        )
    )
    found = next(
        (match for text in texts for item in layouts if (match := re.search(item.quarter, text))),
        None,
    )
    said = ""
    if found:
        digit = found["quarter"]
        number = CHINESE_QUARTERS.find(digit) + 1 or int(digit)
        said = str(Quarter(int(found["year"]), number))
    if said and expected and said != expected:
        raise _wrong(
            path, "wrong_quarter", f"这是 {said} 的通报", f"{expected} 的通报",
            "放进它自己季度的文件夹，或改正季度",
        )  # fmt: skip
    if not said and not expected:
        raise _wrong(
            path, "unknown_quarter", "看不出是哪个季度的通报",
            f"文中写明季度（{layouts[0].quarter}）", "用 --quarter 说明季度",
        )  # fmt: skip
    return said or expected


def _text_figures(reader: _Reader, layouts: Sequence[Layout]) -> Iterator[_Loose]:
    """The figures of the running text in reading order.

    Raises:
        InputError: two patterns give a figure different meanings, or no pattern matches it.
    """
    patterns = [pattern for layout in layouts for pattern in layout.text]
    ordinal = 0
    for number, paragraph in enumerate(reader.paragraphs, start=1):
        if unclear := UNCLEAR.search(paragraph):
            raise _wrong(
                reader.path, "unclear_figure",
                f"正文第 {number} 段的“{unclear[0]}”看不出是一个数字还是几个",
                "千位分隔的数字每三位一组，例如 2,168；一个数字写在一行里", "改正文档中的写法",
            )  # fmt: skip
        found: dict[tuple[int, int], tuple[str, str, str]] = {}
        for pattern in patterns:
            for span, meaning in _matches(pattern, paragraph):
                if found.setdefault(span, meaning) != meaning:
                    known = "、".join(f"{one[0]}的{one[1]}" for one in (found[span], meaning))
                    raise _wrong(
                        reader.path, "ambiguous_figure",
                        f"正文第 {number} 段的 {meaning[2]} 既是{known}",
                        "每个数字只有一种含义", "改正版式 text 中的写法",
                    )  # fmt: skip
        read = [
            *found,
            *(m.span() for layout in layouts for m in layout.no_figures(paragraph)),
        ]  # fmt: skip
        for shape in dict.fromkeys(layout.text_figure for layout in layouts):
            for figure in re.finditer(shape, paragraph):
                if not any(start <= figure.start() < end for start, end in read):
                    raise _wrong(
                        reader.path, "unknown_figure",
                        f"正文第 {number} 段的“{figure[0]}”没有登记含义",
                        "版式 text 中的一种写法", "在 exports/layouts 的版式里登记这句话的写法",
                    )  # fmt: skip
        for span in sorted(found):
            ordinal += 1
            subject, measure, value = found[span]
            place = f"正文第 {number} 段第 {span[0] + 1} 字"
            yield RUNNING_TEXT, ordinal, "", subject, measure, value, place


def _matches(
    pattern: TextPattern, paragraph: str
) -> Iterator[tuple[tuple[int, int], tuple[str, str, str]]]:
    for part in re.finditer(pattern.within, paragraph):
        for find in pattern.find:
            for match in re.compile(find).finditer(paragraph, part.start(), part.end()):
                value = re.sub("%+", "%", match["value"].translate(DIGITS))
                subject = pattern.subject or match["subject"]
                sign = "-" if pattern.falls else ""
                yield match.span("value"), (subject, pattern.measure, sign + value)


def _wrong(path: Path, code: str, found: str, expected: str, action: str) -> InputError:
    return InputError(code=code, file=path.name, found=found, expected=expected, action=action)
