"""Splits a plain text into blocks, and recognises the three forms in which it may have a table.

- Each cell is a line that starts with a tab, and blank lines separate the rows.
- Each row is a line, and tabs separate the cells.
- Each cell is a line without a tab.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from orchestration.reading.document_blocks import Block, Grid, Paragraph, clean, is_number
from orchestration.reading.encodings import whole_text
from orchestration.reading.layouts import TableLayout

# The most lines that one header may be wrapped over.
MAX_WRAP = 4
CELL_LINE = re.compile(r"\t[^\t]*")


def text_blocks(
    path: Path, is_title: Callable[[str], bool], tables: Sequence[TableLayout]
) -> list[Block]:
    """The blocks of a plain text.

    Raises:
        InputError: the file isn't text in a known encoding.
    """
    lines = whole_text(path).splitlines()
    starts = [at for at, line in enumerate(lines) if is_title(clean(line))]
    blocks: list[Block] = []
    for start, end in zip([0, *starts], [*starts, len(lines)], strict=True):
        section = lines[start:end]
        if any(CELL_LINE.fullmatch(line) for line in section):
            blocks += _cells_led_by_tabs(section, start)
        elif any("\t" in line for line in section):
            blocks += _rows_of_tabs(section, start)
        else:
            blocks += _bare_cells(section, start, tables)
    return blocks


def _cells_led_by_tabs(lines: Sequence[str], offset: int) -> Iterator[Block]:
    """A tab starts a cell, a blank line ends the row, any other line continues the cell."""
    rows: list[list[str]] = []
    numbers: list[int] = []
    is_open = False
    for at, line in enumerate(lines):
        if line.startswith("\t"):
            if not is_open:
                rows.append([])
                numbers.append(offset + at + 1)
            rows[-1] += line.split("\t")[1:]
            is_open = True
        elif not line.strip():
            is_open = False
        elif is_open:
            rows[-1][-1] += line
        else:
            if rows:
                yield _grid(rows, numbers)
                rows, numbers = [], []
            yield Paragraph(clean(line))
    if rows:
        yield _grid(rows, numbers)


def _rows_of_tabs(lines: Sequence[str], offset: int) -> Iterator[Block]:
    """A line with tabs is a row; a line without tabs between two rows is a row of one cell."""
    tabbed = [at for at, line in enumerate(lines) if "\t" in line.strip("\r\n")]
    first, last = tabbed[0], tabbed[-1]
    yield from (Paragraph(clean(line)) for line in lines[:first])
    inside = [at for at in range(first, last + 1) if lines[at].strip()]
    yield _grid([lines[at].split("\t") for at in inside], [offset + at + 1 for at in inside])
    yield from (Paragraph(clean(line)) for line in lines[last + 1 :])


def _grid(rows: Sequence[Sequence[str]], numbers: list[int]) -> Grid:
    cleaned = [[clean(cell) for cell in row] for row in rows]
    banners = frozenset(at for at, row in enumerate(rows) if len(row) == 1)
    return Grid(f"第 {numbers[0]} 行起的表", cleaned, banners, numbers=numbers)


def _bare_cells(
    lines: Sequence[str], offset: int, tables: Sequence[TableLayout]
) -> Iterator[Block]:
    """One cell per line: first the headers, then names, each followed by its figures.

    A blank cell leaves no trace, so a row must lack either no cell or all that may be blank.
    """
    cells = [(offset + at + 1, text) for at, line in enumerate(lines) if (text := clean(line))]
    texts = [text for _, text in cells]
    found = _bare_header(texts, tables)
    if not found:
        yield from map(Paragraph, texts)
        return
    start, end, header, table = found
    yield from map(Paragraph, texts[:start])
    runs = [
        (is_figures, list(run))
        for is_figures, run in groupby(cells[end:], lambda cell: is_number(cell[1]))
    ]
    banner_words = {*table.groups, *table.totals}
    rows, numbers, banners = [list(header)], [cells[start][0]], set()
    for is_figures, run in runs:
        if is_figures:
            rows[-1] += _placed([text for _, text in run], header, table)
            continue
        while len(run) > 1 and run[0][1] in banner_words:
            banners.add(len(rows))
            numbers.append(run[0][0])
            rows.append([run.pop(0)[1]])
        numbers.append(run[0][0])
        rows.append(["".join(text for _, text in run)])
    after = [text for _, text in runs[-1][1]] if runs and not runs[-1][0] else []
    kept = len(rows) - bool(after)
    yield Grid(f"第 {numbers[0]} 行起的表", rows[:kept], frozenset(banners), numbers=numbers[:kept])
    yield from map(Paragraph, after)


def _bare_header(
    texts: Sequence[str], tables: Sequence[TableLayout]
) -> tuple[int, int, list[str], TableLayout] | None:
    """The first run of lines that is a table's whole header: start, end, headers, layout."""
    for start in range(len(texts)):
        for table in tables:
            known = table.headers
            header: list[str] = []
            at = start
            while joined := next(
                (
                    (text, count)
                    for count in range(MAX_WRAP, 0, -1)
                    if (text := "".join(texts[at : at + count])) in known
                ),
                None,
            ):
                header.append(joined[0])
                at += joined[1]
            if header and table.misfit(header) == ([], []):
                return start, at, header, table
    return None


def _placed(figures: Sequence[str], header: Sequence[str], table: TableLayout) -> list[str]:
    """A row's figures by column; if exactly the ones that may be blank are missing, add blanks."""
    blanks = {text for item in table.measures if item.may_be_blank for text in item.headers}
    columns = header[1:]
    if len(figures) != sum(text not in blanks for text in columns):
        return list(figures)  # a full row, or one that the reader reports
    rest = iter(figures)
    return ["" if text in blanks else next(rest) for text in columns]
