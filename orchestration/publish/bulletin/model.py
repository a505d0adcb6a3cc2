"""The parts of a bulletin: its appendices, its columns, and the office's settings.

Filling them with figures belongs to `content`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from orchestration.catalogue.tables import Kind, column_names, kind_of
from orchestration.common.settings import bulletin_root
from orchestration.common.settings_file import load_settings_file
from orchestration.publish.disclosure import Hidden
from orchestration.publish.headline import HEADLINE, percent

Figure = int | Decimal | Hidden | None
ABSENT = "—"
TOTAL = "合计"
NUMERALS = "一二三四"


class Words(BaseModel):
    """The office's own words for a quarter, one item per paragraph."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    problems: tuple[str, ...] = ("【请在此填写本季度存在的问题】",)
    requirements: tuple[str, ...] = ("【请在此填写下一步工作要求】",)


class Office(BaseModel):
    """A site's settings for its bulletin (`bulletin.yml`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    groups: dict[str, str]
    """Printed labels of the evaluation groups, in the order in which they are printed."""
    listed: int = Field(6, ge=1)
    """How many categories and units the overview names."""
    distribution: tuple[str, ...] = ()
    words: dict[str, Words] = {}
    """The office's own words by quarter."""


@dataclass(frozen=True)
class Column:
    """A column of figures; `heading` is a common heading above neighbouring columns that share it.

    `printed_label` is the label in the document, if it differs from the measure's own label.
    """

    measure: str
    printed_label: str = ""
    heading: str = ""

    @property
    def label(self) -> str:
        """The label above the column."""
        return self.printed_label or column_names()[self.measure][0]

    @property
    def kind(self) -> Kind:
        """The kind of the measure."""
        return kind_of(self.measure)


@dataclass(frozen=True)
class Row:
    """A unit, or a total, with a figure for each column."""

    name: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Band:
    """Rows under a common label, such as an evaluation group; the label may be empty."""

    label: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Appendix:
    """One table of the bulletin."""

    number: int
    title: str
    name_label: str
    columns: tuple[Column, ...]
    bands: tuple[Band, ...]
    total: Row


@dataclass(frozen=True)
class Bulletin:
    """A quarter's bulletin.

    `texts` holds printed figures and short phrases, by the names that sentences use for them;
    `paragraphs` holds passages of any number of paragraphs, also by name.
    """

    quarter: str
    version: int
    published_at: datetime
    output_sha256: str
    title_lines: tuple[str, ...]
    """The title, broken where a line may end without cutting a word."""
    notice: str
    footnote: str
    """What stands below each table; empty where all figures are shown."""
    texts: Mapping[str, str]
    paragraphs: Mapping[str, tuple[str, ...]]
    appendices: tuple[Appendix, ...]

    @property
    def title(self) -> str:
        """The title in one line."""
        return "".join(self.title_lines)


APPENDIX_1 = tuple(
    Column(measure)
    for measure in HEADLINE
    if measure not in ("callback_count", "satisfaction_rate")  # in no column of the document
)
APPENDIX_2 = (
    Column("due_count"),
    Column("handled_count", "已办结数"),
    Column("on_time_count", "按期办结", heading="其中"),
    Column("overdue_count", "超期办结", heading="其中"),
)
APPENDIX_3 = (
    Column("due_count"),
    Column("on_time_count"),
    Column("overdue_count", "超期未办数"),
)


def printed(value: Figure, kind: Kind) -> str:
    """A figure as the bulletin prints it: `307`, `27.85%`, `100%`, `95.7`, `95`.

    Rates are fractions and get up to two decimals of a percent, the index up to one, both rounded
    half up and without trailing zeros; a figure that doesn't exist is a dash, a hidden one a star.
    """
    if value is None:
        return ABSENT
    if isinstance(value, Hidden):
        return str(value)
    if kind == "rate":
        return percent(Decimal(value))
    if kind == "index":
        text = format(Decimal(value).quantize(Decimal("0.1"), ROUND_HALF_UP), "f")
        return text.removesuffix(".0")
    return str(value)


def load_office(path: Path) -> Office | None:
    """Read a site's `bulletin.yml`; None if the site has none and therefore makes no bulletin.

    Raises:
        InputError: the file is invalid.
    """
    if not path.is_file():
        return None
    expected = "groups、listed、distribution、words，写法见项目自带的 bulletin/bulletin.yml"
    return load_settings_file(path, Office, "bad_bulletin_settings", expected)


def group_labels() -> dict[str, str]:
    """The evaluation groups' printed labels by code, in the bulletin's order; may be empty."""
    office = load_office(bulletin_root() / "bulletin.yml")
    return dict(office.groups) if office else {}
