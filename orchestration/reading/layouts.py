"""Layouts: how an office writes its bulletins, as data (`exports/layouts/*.yml`).

A layout defines which headers mean which measure, what a total or a group's title looks like, and
which sentences contain figures. Taking a document apart doesn't belong here.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    model_validator,
)

from orchestration.common.settings_file import load_settings_file


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"正则表达式写错了：{pattern}（{error}）") from error
    return pattern


def _as_tuple(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Pattern = Annotated[str, AfterValidator(_compiles)]
Patterns = Annotated[tuple[Pattern, ...], BeforeValidator(_as_tuple)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Measure(_Model):
    """A column of figures: the measure's printed name, and its accepted headers."""

    measure: str
    aliases: tuple[str, ...] = ()
    kind: Literal["count", "rate", "index", "rank"] = "count"
    decimals: int = 0
    """Digits that a workbook's cell shows after the point: of a percent, where it is a rate."""
    may_be_blank: bool = False
    """A blank cell means that there is none; elsewhere it is an error."""
    optional: bool = False
    """A bulletin need not have the column."""

    @property
    def headers(self) -> tuple[str, ...]:
        """Every accepted header of this measure."""
        return (self.measure, *self.aliases)


class TableLayout(_Model):
    """One table of a bulletin."""

    table: str
    label: str
    titles: Patterns
    """What a line that announces the table looks like; decides where two tables have one header."""
    name_headers: tuple[str, ...]
    group_headers: tuple[str, ...] = ()
    """Headers of a column that holds each row's group."""
    ignored_headers: tuple[str, ...] = ()
    """Headers of columns that hold no figure, such as running numbers."""
    groups: tuple[str, ...] = ()
    totals: tuple[str, ...] = ("合计", "总计")
    """How a total's name begins."""
    wrapped_name: Literal["below", "above"] = "below"
    """Of a name cut over two rows: its rest stands `below` the figures, or its start `above`."""
    measures: tuple[Measure, ...]

    @property
    def headers(self) -> tuple[str, ...]:
        """Every header that a column of this table may have."""
        measures = (text for measure in self.measures for text in measure.headers)
        return (*self.name_headers, *self.group_headers, *self.ignored_headers, *measures)

    def misfit(self, header: Sequence[str]) -> tuple[list[str], list[str]]:
        """Compare with a table's header: (missing headers, surplus or repeated headers)."""
        needed = [self.name_headers, *(item.headers for item in self.measures if not item.optional)]
        surplus = [text for text in header if text not in self.headers]
        for meanings in (
            self.name_headers, self.group_headers, *((text,) for text in self.ignored_headers),
            *(item.headers for item in self.measures),
        ):  # fmt: skip
            surplus += [text for text in header if text in meanings][1:]
        return [texts[0] for texts in needed if not set(texts) & set(header)], surplus

    @model_validator(mode="after")
    def _means_one_thing(self) -> Self:
        headers = self.headers
        if twice := sorted({text for text in headers if headers.count(text) > 1}):
            raise ValueError(f"列名重复登记：{'、'.join(twice)}")
        return self


class TextPattern(_Model):
    """Figures of the running text: patterns with a group `value`, optionally a group `subject`."""

    within: Pattern = ".+"
    """Which part of a paragraph is searched."""
    find: Patterns
    """Variants of one sentence may overlap: a figure that two of them find counts once."""
    subject: str = ""
    measure: str
    falls: bool = False
    """The sentence says by how much something fell: the figure is negative."""

    @model_validator(mode="after")
    def _names_its_subject(self) -> Self:
        for pattern in self.find:
            groups = re.compile(pattern).groupindex
            if "value" not in groups:
                raise ValueError(f"缺少命名组 value：{pattern}")
            if ("subject" in groups) == bool(self.subject):
                raise ValueError(f"subject 与命名组 subject 应恰有一个：{pattern}")
        return self


class Layout(_Model):
    """How one kind of bulletin is written."""

    label: str
    quarter: Pattern
    """Where the bulletin names its quarter: groups `year` and `quarter` (1 to 4 or 一 to 四)."""
    tables: tuple[TableLayout, ...]
    text: tuple[TextPattern, ...] = ()
    text_figure: Pattern
    """What any figure of the running text looks like: one that no pattern takes is an error."""
    text_no_figure: Patterns = ()
    """Where something looks like a figure and isn't one: targets, deadlines."""

    def no_figures(self, paragraph: str) -> Iterator[re.Match[str]]:
        """The places in a paragraph that look like a figure and aren't one."""
        for pattern in self.text_no_figure:
            yield from re.finditer(pattern, paragraph)

    @model_validator(mode="after")
    def _names_the_quarter(self) -> Self:
        if not {"year", "quarter"} <= set(re.compile(self.quarter).groupindex):
            raise ValueError(f"缺少命名组 year 或 quarter：{self.quarter}")
        return self


def load_layouts(folder: Path) -> tuple[Layout, ...]:
    """Read every layout of a folder in file order; none if there is no folder.

    Raises:
        InputError: a file isn't a valid layout.
    """
    return tuple(
        load_settings_file(path, Layout, "bad_layout", "exports/layouts/README.md 所列的写法")
        for path in sorted(folder.glob("*.yml"))
    )
