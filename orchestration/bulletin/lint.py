"""A bulletin against itself: totals, rates, index, ranks, changes, and what two places say.

One implementation for `hotline lint-bulletin` and for the run, where its rows are the two sides of
the controls of group `bulletin_self`. Integers and fractions alone; marts don't belong here.
"""

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor
from pathlib import Path
from typing import Any

from orchestration.bulletin.reader import (
    DOCUMENTS,
    FOREIGN,
    RUNNING_TEXT,
    STEM,
    WORKBOOKS,
    Figure,
    read_document,
)
from orchestration.composite_index import composite_index
from orchestration.errors import InputError
from orchestration.ingest.contracts import Contract
from orchestration.ingest.readers import find_parts, open_table
from orchestration.quarters import Quarter
from orchestration.rounding import half_up

INFERRED = "bulletin_inferred_callback"
"""Not a check of its own: what the marts' callbacks have to be."""
TOTAL = re.compile("合计|总计")
CHANGE, RANK, INDEX = "quarter_on_quarter_change", "rank_in_group", "composite_index"
DISSATISFIED, CALLBACKS, DUE = "dissatisfied_count", "callback_count", "due_count"
CALLBACK_EXCESS = "callback_excess_count"
ANSWERED = "handled_count"
"""Everybody whose letter or suggestion was handled is asked; of tickets only those called back."""
# A rate with the counts that it is made of; None: not printed, so that it has to be inferred.
QUOTIENTS: tuple[tuple[str, str | None, str | None], ...] = (
    ("completion_rate", "handled_count", DUE),
    ("completion_rate", "handled_count", "distinct_item_count"),
    ("on_time_rate", "on_time_count", DUE),
    ("rework_rate", "rework_count", DUE),
    ("dissatisfaction_rate", DISSATISFIED, None),
    ("satisfaction_rate", None, CALLBACKS),
    ("satisfaction_rate", None, ANSWERED),
)
PARTS = (
    ("handled_count", DUE),
    ("handled_count", "distinct_item_count"),
    ("on_time_count", DUE),
    ("on_time_count", "handled_count"),
    ("overdue_count", DUE),
    ("rework_count", DUE),
    (DISSATISFIED, CALLBACKS),
)
# The marts that the running text breaks the district's tickets down by.
REQUEST_TYPE, CATEGORY = "hotline_request_type_quarter", "hotline_category_quarter"
MAX_OPTIONS = 1000
"""Numbers of callbacks that an index is tried with; a real rate leaves a few, one of millions
many."""
LISTED_BY_SIZE = ("published_text_category", "published_text_unit")


@dataclass(frozen=True)
class Comparison:
    """What a figure should be by other figures of the bulletin, and what it is."""

    control_id: str
    subject: str
    measure: str
    expected: Fraction
    actual: Fraction | None
    """None: the bulletin doesn't say; the run takes the other side from the marts."""
    name: str = ""
    place: str = ""

    @property
    def contradicts(self) -> bool:
        """Whether the bulletin disagrees with itself here."""
        return self.actual is not None and self.actual != self.expected

    @property
    def figures(self) -> tuple[Decimal, Decimal, Decimal]:
        """Expected, actual and their difference, of a comparison with both sides."""
        actual = self.expected if self.actual is None else self.actual
        return as_decimal(self.expected), as_decimal(actual), as_decimal(actual - self.expected)


@dataclass(frozen=True)
class Rules:
    """The business rules that give printed figures their meaning, of one quarter."""

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
        """The rules of a site that hold on the quarter's last day."""
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
        """The one unit that a printed name means in a printed group; staging's rule."""
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


Row = dict[str, Printed]
"""Figures of one printed row, or of one subject of the running text, by measure."""


@dataclass
class Bulletin:
    """A bulletin's figures by where they stand."""

    rows: dict[tuple[str, int], Row] = field(default_factory=dict)
    """Those of the tables, by table and row."""
    text: list[Printed] = field(default_factory=list)
    decimals: Counter[str] = field(default_factory=Counter)
    """Digits of the most precise rate of each table: shorter ones had zeros at their end."""
    unmapped: list[Figure] = field(default_factory=list)

    @classmethod
    def of(cls, figures: Iterable[Figure], rules: Rules) -> "Bulletin":
        """Give figures their meaning; one without is kept apart."""
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
        """Of each table the rows of units and the rows of totals."""
        tables: dict[str, tuple[list[Row], list[Row]]] = {}
        for (table, _), row in sorted(self.rows.items(), key=lambda item: item[0]):
            tables.setdefault(table, ([], []))[_any(row).is_total].append(row)
        return tables

    @property
    def text_rows(self) -> list[Row]:
        """The running text by what it is about."""
        rows: dict[tuple[str, str], Row] = {}
        for printed in self.text:
            rows.setdefault((printed.mart, printed.subject), {})[printed.measure] = printed
        return list(rows.values())

    def rate_decimals(self, printed: Printed) -> int:
        """To how many digits a rate was rounded."""
        return max(printed.decimals, self.decimals[printed.figure.table])

    def callbacks(self, row: Row) -> range:
        """The integers that a row's dissatisfaction rate can have been divided by.

        Those above the due count only where there is no other; none where nobody was dissatisfied,
        or where no integer gives the printed rate.
        """
        if CALLBACKS in row:  # printed after all
            printed = int(row[CALLBACKS].value)
            return range(printed, printed + 1)
        if DISSATISFIED not in row or "dissatisfaction_rate" not in row:
            return range(0)
        part, rate = int(row[DISSATISFIED].value), row["dissatisfaction_rate"]
        if not part:
            return range(0)
        due = int(row[DUE].value) if DUE in row else part
        # Half up: what is rounded to the rate reaches from half a step below it to just short of
        # half a step above.
        half = Fraction(1, 2 * 10 ** self.rate_decimals(rate))
        least = max(floor(part / (rate.value + half)) + 1, part)
        most = floor(part / (rate.value - half)) if rate.value > half else due
        return range(least, min(most, due) + 1) or range(least, most + 1)


def lint(bulletin: Bulletin, rules: Rules) -> list[Comparison]:
    """Every comparison of a bulletin with itself, those that agree included.

    What isn't printed isn't compared: a bulletin without ranks has no comparison of ranks.
    """
    checks: tuple[Callable[[Bulletin, Rules], Iterator[Comparison]], ...] = (
        _totals, _rates, _callbacks, _indexes, _ranks, _names, _parts, _changes, _text, _breakdown,
    )  # fmt: skip
    return _distinct(comparison for check in checks for comparison in check(bulletin, rules))


def _distinct(comparisons: Iterable[Comparison]) -> list[Comparison]:
    """Comparisons by control, subject and measure; what is printed alike in two places counts once.

    A total may stand in a table and in the running text. Where the two differ, the later one's
    subject gets a number, so that neither is lost.
    """
    found: dict[tuple[str, str, str], Comparison] = {}
    for comparison in comparisons:
        subject, number = comparison.subject, 1
        while known := found.get((comparison.control_id, subject, comparison.measure)):
            if (known.expected, known.actual) == (comparison.expected, comparison.actual):
                break
            number += 1
            subject = f"{comparison.subject}#{number}"
        else:
            key = (comparison.control_id, subject, comparison.measure)
            found[key] = replace(comparison, subject=subject)
    return list(found.values())


def control_rows(
    records: Iterable[Sequence[str | None]], rules: Rules, quarter: Quarter
) -> list[tuple[str, str, str, str, str, Decimal]]:
    """What the run's controls need: (quarter, control, side, subject, measure, value).

    Args:
        records: rows of the long form in the order of the reader's `COLUMNS`; one that is no
            figure is left to the controls of rejected rows and unmapped figures.
        rules: the business rules of the quarter.
        quarter: the run's.
    """
    texts = ([text or "" for text in record] for record in records)
    figures = [
        Figure(document, table, int(row), *rest)
        for document, table, row, *rest in texts
        if row.isdecimal()
    ]
    return [
        (str(quarter), found.control_id, side, found.subject, found.measure, as_decimal(value))
        for found in lint(Bulletin.of(figures, rules), rules)
        for side, value in (("expected", found.expected), ("actual", found.actual))
        if value is not None
    ]


def as_decimal(value: Fraction) -> Decimal:
    """A fraction that decimals can hold, as all that is compared here is."""
    return Decimal(value.numerator) / Decimal(value.denominator)


def read_bulletin(path: Path, contract: Contract, quarter: str = "") -> tuple[Figure, ...]:
    """The figures of a bulletin in any accepted form, whatever the file's name.

    Args:
        path: the document, or its long form.
        contract: the contract of the source, with its layouts.
        quarter: such as 2022Q2; empty: what the document says.

    Raises:
        InputError: unreadable, or something in it that neither contract nor layouts know.
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
    """What to say of figures that no row of `published_measure` gives a meaning."""
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


def _compare(
    control_id: str,
    printed: Printed,
    expected: Fraction,
    actual: Fraction | None,
    measure: str = "",
    subject: str = "",
) -> Comparison:
    """A comparison about a printed figure, its subject and measure unless others are named."""
    return Comparison(
        control_id, subject or printed.subject, measure or printed.measure, expected, actual,
        printed.figure.name, f"{printed.figure.place}“{printed.figure.measure}”",
    )  # fmt: skip


def _totals(bulletin: Bulletin, _: Rules) -> Iterator[Comparison]:
    for table, (rows, totals) in bulletin.tables.items():
        for total in totals[-1:]:
            sums: defaultdict[str, Fraction] = defaultdict(Fraction)
            names: dict[str, str] = {}
            for row in rows:
                for printed in row.values():
                    sums[printed.figure.measure] += printed.value
                    names[printed.figure.measure] = printed.measure
            own = {printed.figure.measure: printed for printed in total.values()}
            for label in dict.fromkeys([*names, *own]):
                measure = names[label] if label in names else own[label].measure
                if measure.endswith("_count"):
                    printed = own.get(label, _any(total))
                    stated = own[label].value if label in own else Fraction(0)
                    yield _compare("bulletin_total", printed, stated, sums[label], measure, table)


def _rates(bulletin: Bulletin, rules: Rules) -> Iterator[Comparison]:
    empty = {f"{item['component']}_rate": item["rate_when_empty"] for item in rules.items}
    for row in (*bulletin.rows.values(), *bulletin.text_rows):
        for measure, *sides in QUOTIENTS:
            if measure not in row or any(side and side not in row for side in sides):
                continue
            if sides == [None, ANSWERED] and DUE in row:
                continue
            rate = row[measure]
            decimals = bulletin.rate_decimals(rate)
            numerator, denominator = sides
            whole = row[denominator].value if denominator else _denominator(bulletin, row, rate)
            part = row[numerator].value if numerator else _nearest(rate.value * whole)
            if whole:
                yield _compare(
                    "bulletin_rate", rate, rate.value, _rounded(Fraction(part) / whole, decimals)
                )
            elif measure in empty:
                yield _compare("bulletin_rate", rate, rate.value, Fraction(empty[measure]))


def _denominator(bulletin: Bulletin, row: Row, rate: Printed) -> int:
    """The integer that comes closest to giving a printed dissatisfaction rate."""
    part = row[DISSATISFIED].value
    if candidates := bulletin.callbacks(row):
        return candidates[0]
    if part and rate.value:
        return max(_nearest(part / rate.value), int(part))
    return int(row[DUE].value) if DUE in row else int(part)


def _callbacks(bulletin: Bulletin, _: Rules) -> Iterator[Comparison]:
    """Callbacks aren't printed: what they must have been, against due tickets and the total row."""
    for table, (rows, totals) in bulletin.tables.items():
        least = most = Fraction(0)
        is_known = True
        for row in rows:
            if DISSATISFIED not in row or DUE not in row:
                is_known = False
                continue
            printed, due = row[DISSATISFIED], row[DUE].value
            candidates = bulletin.callbacks(row)
            if not printed.value:
                most += due  # nobody was dissatisfied: any number up to the due tickets
                continue
            if not candidates:
                is_known = False  # the rate itself is wrong
                continue
            least, most = least + candidates[0], most + candidates[-1]
            above = max(Fraction(0), candidates[0] - due)
            yield _compare("bulletin_callback", printed, Fraction(0), above, CALLBACK_EXCESS)
            if len(candidates) == 1:
                yield _compare(INFERRED, printed, Fraction(candidates[0]), None, CALLBACKS)
        for total in totals[-1:]:
            candidates = bulletin.callbacks(total)
            if not candidates or not is_known:
                continue
            fitting = next((n for n in candidates if least <= n <= most), candidates[0])
            nearest = min(max(least, Fraction(fitting)), most)
            printed = total["dissatisfaction_rate"]
            whole = Fraction(fitting)
            yield _compare("bulletin_total", printed, whole, nearest, CALLBACKS, table)
            if len(candidates) == 1:
                yield _compare(INFERRED, printed, whole, None, CALLBACKS)


def _indexes(bulletin: Bulletin, rules: Rules) -> Iterator[Comparison]:
    needed = {item[side] for item in rules.items for side in ("numerator", "denominator")}
    for row in bulletin.rows.values():
        if INDEX not in row or not needed or not needed - {CALLBACKS} <= set(row):
            continue
        counts = {measure: int(printed.value) for measure, printed in row.items()}
        if CALLBACKS not in needed:
            options: Sequence[int] = range(1)
        elif counts.get(DISSATISFIED):
            candidates = bulletin.callbacks(row)
            step = len(candidates) // MAX_OPTIONS + 1
            # The index goes one way as callbacks grow: the ends give its range, however many.
            options = (*candidates[::step], *candidates[-1:])
        else:
            options = range(counts[DUE], counts[DUE] + 1)
        items = list(rules.items)
        fitting = [
            Fraction(composite_index(counts | {CALLBACKS: option}, items, rules.index_decimals))
            for option in options
        ]
        if fitting:
            printed = row[INDEX]
            best = min(fitting, key=lambda value: abs(value - printed.value))
            yield _compare("bulletin_index", printed, best, printed.value)


def _ranks(bulletin: Bulletin, _: Rules) -> Iterator[Comparison]:
    for rows, _totals_of_it in bulletin.tables.values():
        rated = [row for row in rows if RANK in row and INDEX in row]
        for row in rated:
            own = row[INDEX]
            better = [
                other for other in rated
                if other[INDEX].figure.group == own.figure.group
                and other[INDEX].value > own.value
            ]  # fmt: skip
            expected = Fraction(1 + len(better))
            yield _compare("bulletin_rank", row[RANK], expected, row[RANK].value)
    for control_id in LISTED_BY_SIZE:
        listed = [
            printed for printed in bulletin.text
            if printed.control_id == control_id and printed.measure != CHANGE
        ]  # fmt: skip
        for before, printed in pairwise(listed):
            above = max(Fraction(0), printed.value - before.value)
            measure = f"text.{printed.measure}"
            yield _compare("bulletin_rank", printed, Fraction(0), above, measure)


def _names(bulletin: Bulletin, _: Rules) -> Iterator[Comparison]:
    for table, (rows, _totals_of_it) in bulletin.tables.items():
        names = Counter(_any(row).figure.name for row in rows)
        last = {_any(row).figure.name: _any(row) for row in rows}
        for name, count in names.items():
            measure = f"{table}_row_count"
            yield _compare("bulletin_name", last[name], Fraction(1), Fraction(count), measure, name)


def _parts(bulletin: Bulletin, _: Rules) -> Iterator[Comparison]:
    def excess(printed: Printed, whole: Fraction, measure: str) -> Comparison:
        above = max(Fraction(0), printed.value - whole)
        return _compare("bulletin_part", printed, Fraction(0), above, measure)

    for row in (*bulletin.rows.values(), *bulletin.text_rows):
        for part, whole in PARTS:
            if part in row and whole in row:
                measure = f"{row[part].figure.table}.{part}/{whole}"
                yield excess(row[part], row[whole].value, measure)
    if whole_text := _district(bulletin):
        for printed in bulletin.text:
            if printed.mart in (REQUEST_TYPE, CATEGORY) and printed.measure == "ticket_count":
                yield excess(printed, whole_text.value, f"text.{printed.mart}")


def _changes(bulletin: Bulletin, _: Rules) -> Iterator[Comparison]:
    """A printed change needs a whole number of the quarter before that gives it."""
    for row in bulletin.text_rows:
        if CHANGE in row and "ticket_count" in row:
            change, now = row[CHANGE], row["ticket_count"].value
            growth = 1 + change.value
            around = {floor(now / growth), ceil(now / growth)} - {0} if growth > 0 else set()
            possible = [_rounded(now / before - 1, change.decimals) for before in around]
            nearest = min(possible, key=lambda value: abs(value - change.value), default=None)
            if nearest is None:
                nearest = Fraction(-1 if not now else 0)
            yield _compare("bulletin_change", change, change.value, nearest)


def _text(bulletin: Bulletin, _: Rules) -> Iterator[Comparison]:
    """What the text says of something that a table has too."""
    table = {
        (printed.mart, printed.subject, printed.measure): printed
        for row in bulletin.rows.values()
        for printed in row.values()
    }
    two_grains = {row.subject for row in bulletin.text if row.measure == "assignment_count"}
    for printed in bulletin.text:
        key = (printed.mart, printed.subject, printed.measure)
        items = (printed.mart, printed.subject, "assignment_count")
        satisfied = printed.measure == "satisfaction_rate"
        dissatisfied = table.get((printed.mart, printed.subject, "dissatisfaction_rate"))
        if key in table:
            other = _rounded(table[key].value, printed.decimals)
            yield _compare("bulletin_text", printed, printed.value, other)
        elif satisfied and dissatisfied:
            rest = _rounded(1 - dissatisfied.value, printed.decimals)
            yield _compare("bulletin_satisfaction", printed, rest, printed.value)
        elif (
            printed.measure == "distinct_item_count"
            and items in table
            and printed.subject not in two_grains
        ):
            # A letter goes to one unit; a suggestion may go to several, which are other counts: no
            # contradiction where the text gives both.
            control_id = f"bulletin_{printed.subject}"
            yield _compare(control_id, printed, table[items].value, printed.value, items[2])


def _breakdown(bulletin: Bulletin, _: Rules) -> Iterator[Comparison]:
    typed = [printed for printed in bulletin.text if printed.mart == REQUEST_TYPE]
    if typed and (whole := _district(bulletin)):
        parts = sum((printed.value for printed in typed), Fraction(0))
        yield _compare("bulletin_request_type", whole, whole.value, parts, "ticket_count")


def _district(bulletin: Bulletin) -> Printed | None:
    """The text's own number of the district's tickets."""
    return next(
        (
            printed for printed in bulletin.text
            if (printed.mart, printed.measure) == ("hotline_district_quarter", DUE)
        ),
        None,
    )  # fmt: skip


def _any(row: Row) -> Printed:
    return next(iter(row.values()))


def _nearest(value: Fraction) -> int:
    return floor(value + Fraction(1, 2))


def _rounded(value: Fraction, decimals: int) -> Fraction:
    """Half up, away from zero."""
    rounded: Decimal = half_up(abs(value), decimals)
    return Fraction(rounded) if value >= 0 else -Fraction(rounded)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _holds(row: Mapping[str, str], day: date) -> bool:
    return row["valid_from"] <= day.isoformat() and not "" < row["valid_to"] < day.isoformat()
