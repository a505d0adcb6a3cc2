"""A bulletin as the comparisons need it: its figures as rows, and the rules of its period.

Comparing belongs to `comparisons`.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any

from orchestration.common.errors import InputError
from orchestration.common.quarters import Quarter
from orchestration.reading.contracts import Contract
from orchestration.reading.documents import (
    DOCUMENTS,
    FOREIGN,
    RUNNING_TEXT,
    STEM,
    WORKBOOKS,
    Figure,
    read_document,
)
from orchestration.reading.exports import find_parts, open_table

DISSATISFIED, CALLBACKS, DUE = "dissatisfied_count", "callback_count", "due_count"
TOTAL = re.compile("合计|总计")


@dataclass(frozen=True)
class Rules:
    """The business rules of one quarter that give printed figures their meaning."""

    measures: Mapping[tuple[str, str, str], Mapping[str, str]]
    """Rows of `published_measure` by table, printed name and printed measure."""
    aliases: Sequence[Mapping[str, str]]
    groups: Mapping[str, str]
    """Codes of the printed groups."""
    items: Sequence[dict[str, Any]]
    """The scored items of the quarter's index policy; none: the index isn't recomputed."""
    index_decimals: int

    @classmethod
    def load(cls, seeds: Path, contract: Contract, quarter: Quarter) -> "Rules":
        """The rules of a site that are in force on the quarter's last day."""
        day = quarter.end - timedelta(days=1)
        policies = [row for row in _rows(seeds / "index_policy.csv") if _holds(row, day)]
        policy = policies[0] if policies else {"policy_version": "", "index_scale": "0"}
        return cls(
            measures={
                (row["table_name"], row["printed_name"], row["printed_measure"]): row
                for row in _rows(seeds / "published_measure.csv")
            },
            aliases=[
                row for row in _rows(seeds / "unit_alias.csv")
                if row["source"] in ("*", STEM) and _holds(row, day)
            ],
            groups=next(
                (column.values for column in contract.columns if column.name == "printed_group"), {}
            ),
            items=[
                row for row in _rows(seeds / "index_policy_item.csv")
                if row["policy_version"] == policy["policy_version"]
            ],
            index_decimals=int(policy["index_scale"]),
        )  # fmt: skip

    def unit(self, name: str, group: str) -> str | None:
        """The one unit that a printed name means in a printed group, by staging's rule, or None."""
        key, code = re.sub(r"\s", "", name), self.groups.get(group, "")
        fitting = [
            row for row in self.aliases
            if re.sub(r"\s", "", row["alias_name"]) == key
            and row["evaluation_group"] in ("", code)
        ]  # fmt: skip
        closest = [row for row in fitting if row["evaluation_group"]] or fitting
        units = {row["unit_code"] for row in closest}
        return units.pop() if len(units) == 1 else None


@dataclass(frozen=True)
class Printed:
    """A figure with its meaning."""

    figure: Figure
    value: Fraction
    decimals: int
    """Digits printed after the point of the fraction: of 27.85% four."""
    is_total: bool
    mart: str
    subject: str
    measure: str
    control_id: str

    @property
    def is_rate(self) -> bool:
        """Whether it was printed as a percentage."""
        return self.figure.value.endswith("%")


# The figures of one printed row, or of one subject of the running text, by measure.
Row = dict[str, Printed]


@dataclass
class Bulletin:
    """A bulletin's figures by their place."""

    rows: dict[tuple[str, int], Row] = field(default_factory=dict)
    """Those of the tables, by table and row."""
    text: list[Printed] = field(default_factory=list)
    decimals: Counter[str] = field(default_factory=Counter)
    """Digits of the most precise rate of each table: shorter ones had zeros at their end."""
    unmapped: list[Figure] = field(default_factory=list)

    @classmethod
    def of(cls, figures: Iterable[Figure], rules: Rules) -> "Bulletin":
        """Give figures their meaning; those without one go to `unmapped`."""
        found = cls()
        for figure in figures:
            printed = _printed(figure, rules)
            if printed is None:
                found.unmapped.append(figure)
            elif figure.table == RUNNING_TEXT:
                found.text.append(printed)
            else:
                row = found.rows.setdefault((figure.table, figure.row), {})
                row.setdefault(printed.measure, printed)
                if printed.is_rate:
                    known = found.decimals[figure.table]
                    found.decimals[figure.table] = max(known, printed.decimals)
        return found

    @property
    def tables(self) -> dict[str, tuple[list[Row], list[Row]]]:
        """The unit rows and the total rows of each table."""
        tables: dict[str, tuple[list[Row], list[Row]]] = {}
        for (table, _), row in sorted(self.rows.items(), key=lambda item: item[0]):
            tables.setdefault(table, ([], []))[any_printed(row).is_total].append(row)
        return tables

    @property
    def text_rows(self) -> list[Row]:
        """The figures of the running text, grouped by mart and subject."""
        rows: dict[tuple[str, str], Row] = {}
        for printed in self.text:
            rows.setdefault((printed.mart, printed.subject), {})[printed.measure] = printed
        return list(rows.values())

    def rate_decimals(self, printed: Printed) -> int:
        """The number of decimals to which a rate was rounded."""
        return max(printed.decimals, self.decimals[printed.figure.table])

    def callbacks(self, row: Row) -> range:
        """The possible denominators of a row's dissatisfaction rate.

        Numbers above the due count are included only if there is no other. There is none if nobody
        was dissatisfied, or if no integer gives the printed rate.
        """
        if CALLBACKS in row:  # this bulletin prints them
            printed = int(row[CALLBACKS].value)
            return range(printed, printed + 1)
        if DISSATISFIED not in row or "dissatisfaction_rate" not in row:
            return range(0)
        part, rate = int(row[DISSATISFIED].value), row["dissatisfaction_rate"]
        if not part:
            return range(0)
        due = int(row[DUE].value) if DUE in row else part
        # Rounding half up gives the rate for values from half a step below it to just under half a
        # step above it.
        half = Fraction(1, 2 * 10 ** self.rate_decimals(rate))
        least = max(floor(part / (rate.value + half)) + 1, part)
        most = floor(part / (rate.value - half)) if rate.value > half else due
        return range(least, min(most, due) + 1) or range(least, most + 1)


def read_bulletin(path: Path, contract: Contract, quarter: str = "") -> tuple[Figure, ...]:
    """The figures of a bulletin in any accepted form; the file may have any name.

    Args:
        path: the document, or its long form.
        contract: the contract of the source, with its layouts.
        quarter: such as 2022Q2; if empty, the one that the document names.

    Raises:
        InputError: the file is unreadable, or neither contract nor layouts know something in it.
    """
    if not path.is_file():
        raise InputError(
            code="missing_file", file=path.name, found="没有这个文件",
            expected="通报的 .docx、.html、.txt、.xlsx，或长表 .csv", action="改正路径",
        )  # fmt: skip
    suffix = path.suffix.lower()
    if suffix not in (*DOCUMENTS, *FOREIGN):
        try:
            return _long_form(path, contract)
        except InputError as error:
            if error.code != "unknown_header" or suffix not in WORKBOOKS:
                raise
    return read_document(path, contract.layouts, quarter, contract.ignored_sheets)


def _long_form(path: Path, contract: Contract) -> tuple[Figure, ...]:
    figures = []
    for part in find_parts(path, {contract.source: contract}):
        position = {text: str(at) for at, text in enumerate(part.header)}
        columns = [
            next(position[text] for text in column.headers if text in position)
            for column in contract.columns
        ]
        for frame in open_table(path, part, contract).frames:
            rows = frame.collect().select(*columns, "row_number", "row_defect").rows()
            figures += [_figure(path, *row) for row in rows]
    return tuple(figures)


def _figure(path: Path, *cells: Any) -> Figure:
    *texts, number, defect = cells
    document, table, row, group, name, measure, value = ((text or "").strip() for text in texts)
    if defect or not row.isdecimal():
        raise InputError(
            code="malformed_row", file=path.name, row=number, found="格数不对，或行次不是整数",
            expected="长表的一行：一个印出的数字", action="改正这一行",
        )  # fmt: skip
    place = f"第 {number} 行"
    return Figure(document, table, int(row), group, name, measure, value, place)


def unknown_measures(bulletin: Bulletin) -> InputError | None:
    """The error for figures that have no meaning in `published_measure`; None if there are none."""
    if not bulletin.unmapped:
        return None
    first = bulletin.unmapped[0]
    return InputError(
        code="unknown_measure",
        file=first.document,
        column=first.measure,
        found=f"{len(bulletin.unmapped)} 个数字没有含义，例如 {first.table} 第 {first.row} 行"
        f"“{first.name}”的“{first.measure}”：{first.value[:20]}",
        expected="published_measure.csv 中登记的指标，值为数字",
        action="改正通报，或在 published_measure.csv 中登记这个指标",
    )


def _printed(figure: Figure, rules: Rules) -> Printed | None:
    is_total = bool(TOTAL.match(figure.name))
    names = (figure.name, *(("合计",) if is_total else ("*",)))
    keys = ((figure.table, name, figure.measure) for name in names)
    meaning = next((rules.measures[key] for key in keys if key in rules.measures), None)
    number = re.fullmatch(r"(-?\d+(?:\.(\d+))?)(%?)", figure.value.replace(",", ""))
    if meaning is None or number is None:
        return None
    scale = 100 if number[3] else 1
    return Printed(
        figure=figure,
        value=Fraction(number[1]) / scale,
        decimals=len(number[2] or "") + (2 if number[3] else 0),
        is_total=is_total,
        mart=meaning["mart"],
        subject=(rules.unit(figure.name, figure.group) or figure.name)
        if meaning["subject"] == "*"
        else meaning["subject"],
        measure=meaning["measure"],
        control_id=meaning["control_id"],
    )


def any_printed(row: Row) -> Printed:
    """A row's first figure, for what all figures of a row share, such as its place."""
    return next(iter(row.values()))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _holds(row: Mapping[str, str], day: date) -> bool:
    return row["valid_from"] <= day.isoformat() and not "" < row["valid_to"] < day.isoformat()
