"""The tables of a bulletin: which cells are headings, names and figures.

Taking a document apart (`document_blocks`) and finding its tables (`documents`) don't belong here.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from orchestration.common.errors import InputError
from orchestration.common.rounding import half_up
from orchestration.reading.contracts import EMPTY
from orchestration.reading.document_blocks import (
    Grid,
    is_number,
)
from orchestration.reading.layouts import Measure, TableLayout
from orchestration.reading.tables import HEADER_DEPTH, HEADER_SEARCH, spread


@dataclass
class _Record:
    """A printed row, which is filled in while its lines are read."""

    row: int
    group: str
    name: str
    figures: list[tuple[str, str]]


class Table:
    """The rows below a header that fits a layout; each row has one or more segments with a unit."""

    def __init__(
        self, path: Path, grid: Grid, layout: TableLayout, segments: list[list[str]]
    ) -> None:
        self.path, self.grid, self.layout = path, grid, layout
        self.measures = {text: item for item in layout.measures for text in item.headers}
        self.segments = segments
        self.header = [text for segment in segments for text in segment]
        self.groups = [""] * len(segments)
        self.open_names = [""] * len(segments)
        self.records: list[_Record] = []
        self.last: list[_Record | None] = [None] * len(segments)
        self.notes: list[str] = []
        self.ignored_numbers = 0
        self.seen_total = False

    def group_all(self, title: str) -> None:
        """Start a group in every segment, as a title over the whole width does."""
        self.groups = [title] * len(self.segments)

    def take(self, at: int, row: Sequence[str]) -> None:
        """Read one row.

        Raises:
            InputError: it isn't a unit, a total, a group's title or a note below the total.
        """
        filled = [cell for cell in row if cell]
        if not filled or list(row[: len(self.header)]) == self.header:
            return
        if len(filled) == 1 and self._banner(at, row, filled[0]):
            return
        if surplus := [cell for cell in row[len(self.header) :] if cell]:
            raise self.wrong_row(at, "unknown_cell", f"最后一列之外还有“{surplus[0][:20]}”")
        position = 0
        for number, segment in enumerate(self.segments):
            cells = dict(zip(segment, row[position:], strict=False))
            position += len(segment)
            if any(cells.values()):
                self._segment(at, number, cells)

    def _banner(self, at: int, row: Sequence[str], text: str) -> bool:
        """Process a row of one text if it is a title or a note; False if it is part of a name."""
        is_banner = at in self.grid.banners
        if text in self.layout.groups:
            if is_banner or (row[0] == text and len(self.segments) == 1):
                self.group_all(text)
                return True
            return False  # the title of one segment
        if is_banner and text.startswith(self.layout.totals):
            self.group_all("")
            return True
        if not is_number(text) and self.seen_total:
            self.notes.append(text)
            return True
        if is_banner:
            raise self.wrong_row(at, "unknown_row", f"有不认识的标题行“{text[:30]}”")
        return False

    def _segment(self, at: int, number: int, cells: Mapping[str, str]) -> None:
        layout = self.layout
        name = next(cells[text] for text in layout.name_headers if text in cells)
        group = next((cells[text] for text in layout.group_headers if text in cells), "")
        self.ignored_numbers += sum(
            is_number(cells[text]) for text in layout.ignored_headers if text in cells
        )
        filled = {text: cells[text] for text in cells if text in self.measures and cells[text]}
        if name in layout.groups and not filled:
            self.groups[number] = name
        elif name and not filled:
            self._wrap(at, number, name)
        elif not name and not self.open_names[number]:
            raise self.wrong_row(at, "missing_name", "有数字而没有单位名称")
        else:
            is_total = name.startswith(layout.totals)
            self.groups[number] = group or self.groups[number]
            record = _Record(
                self.grid.row_number(at),
                "" if is_total else self.groups[number],
                self.open_names[number] + name,
                list(self._figures(at, cells, is_total)),
            )
            self.seen_total = self.seen_total or is_total
            self.open_names[number] = ""
            self.last[number] = record
            self.records.append(record)

    def _wrap(self, at: int, number: int, name: str) -> None:
        """Add a part of a name that is split over two rows."""
        last = self.last[number]
        if self.layout.wrapped_name == "above":
            self.open_names[number] += name
        elif last is None:
            raise self.wrong_row(at, "unknown_row", f"“{name[:30]}”没有数字")
        else:
            last.name += name

    def _figures(
        self, at: int, cells: Mapping[str, str], is_total: bool
    ) -> Iterator[tuple[str, str]]:
        for header, text in cells.items():
            measure = self.measures.get(header)
            if measure is None:
                continue
            if is_number(text):
                yield measure.measure, self._value(at, header, measure, text)
            elif text and text not in EMPTY:
                raise self.wrong_row(at, "bad_figure", f"“{text[:20]}”不是数字", header)
            elif not (measure.may_be_blank or is_total):
                raise self.wrong_row(at, "blank_figure", "没有数字", header)

    def _value(self, at: int, header: str, measure: Measure, text: str) -> str:
        """A figure as printed: one percent sign for a rate; of a workbook, the digits it shows."""
        text = re.sub(r"[\s,]", "", text)
        number = re.sub("%+$", "", text)
        if measure.kind == "rate":
            if number == text:
                # A workbook stores a percentage as a fraction of 1.
                percent = _shown(100 * Fraction(number), measure.decimals)
                if not self.grid.is_workbook or Fraction(percent) > 100:
                    raise self.wrong_row(at, "bad_figure", f"比率 {text} 没有百分号", header)
                number = percent
            return f"{number}%"
        if number != text:
            raise self.wrong_row(at, "bad_figure", f"{text} 多了百分号", header)
        if self.grid.is_workbook and measure.kind == "index":
            return _shown(Fraction(number), measure.decimals)
        return number

    def finished(self) -> list[_Record]:
        """All rows, after the last one was taken.

        Raises:
            InputError: the rest of a wrapped name is missing.
        """
        if any(self.open_names):
            raise self.wrong_row(
                len(self.grid.rows) - 1, "unknown_row", f"“{''.join(self.open_names)}”没有数字"
            )
        return self.records

    def wrong_row(self, at: int, code: str, found: str, column: str = "") -> InputError:
        """The error for a row that can't be understood."""
        return InputError(
            code=code,
            file=f"{self.path.name}，{self.layout.label}，{self.grid.where}",
            row=self.grid.row_number(at),
            column=column,
            found=found,
            expected=f"版式“{self.layout.label}”的一行：名称和各列数字；"
            f"类别标题只有{'、'.join(self.layout.groups) or '无'}",
            action="改正文档，或在 exports/layouts 的版式里登记这种写法",
        )


def header_spans(rows: Sequence[Sequence[str]]) -> Iterator[range]:
    """Every run of one to three adjacent rows that may be a header, from the top."""
    for last in range(min(len(rows), HEADER_SEARCH)):
        for depth in range(1, min(HEADER_DEPTH, last + 1) + 1):
            yield range(last + 1 - depth, last + 1)


def header_texts(rows: Sequence[Sequence[str]], span: range, table: TableLayout) -> list[str]:
    """Each column's header in the given rows: as many of its texts as make a header of the layout.

    按期 over 办结率 is 按期办结率. A title over several columns is left out: 办理情况 over 办结率
    is 办结率.
    """
    header = []
    for texts in zip(*spread([tuple(rows[at]) for at in span]), strict=True):
        filled = [text for text in texts if text]
        readings = ["".join(filled[at:]) for at in range(len(filled))]
        lowest = filled[-1] if filled else ""
        header.append(next((text for text in readings if text in table.headers), lowest))
    return header


def header_segments(header: Sequence[str], table: TableLayout) -> list[list[str]] | None:
    """Split the header into equal blocks, one per name column; None if one doesn't fit."""
    names = [at for at, text in enumerate(header) if text in table.name_headers]
    if not names:
        return None
    texts = list(header)
    while texts and not texts[-1]:
        texts.pop()
    width, rest = divmod(len(texts), len(names))
    blocks = [texts[at : at + width] for at in range(0, len(texts), width)] if not rest else []
    fits = blocks and all(table.misfit(block) == ([], []) for block in blocks)
    return blocks if fits else None


def _shown(number: Fraction, decimals: int) -> str:
    """A number with at most `decimals` decimals, rounded half up, as a document prints it."""
    sign = "-" if number < 0 else ""
    text = format(half_up(abs(number), decimals), "f")
    return sign + (text.rstrip("0").rstrip(".") if "." in text else text)
