"""Compares a bulletin with itself: totals, rates, index, ranks, changes, and repeated figures.

`hotline lint-bulletin` and the run share this implementation. In the run, its results are the two
sides of the controls of group `bulletin_self`. All arithmetic uses integers and fractions. Marts
don't belong here.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor

from orchestration.catalogue.composite_index import composite_index
from orchestration.common.quarters import Quarter
from orchestration.common.rounding import half_up
from orchestration.lint.bulletin import (
    CALLBACKS,
    DISSATISFIED,
    DUE,
    Bulletin,
    Printed,
    Row,
    Rules,
    any_printed,
)
from orchestration.reading.documents import (
    Figure,
)

# Not a check: the callback counts that the marts must have.
INFERRED = "bulletin_inferred_callback"
CHANGE, RANK, INDEX = "quarter_on_quarter_change", "rank_in_group", "composite_index"
CALLBACK_EXCESS = "callback_excess_count"
# Every handled letter or suggestion is surveyed; of tickets only those called back.
ANSWERED = "handled_count"
# A rate, its numerator and its denominator; None: the count isn't printed and has to be inferred.
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
# The marts of the breakdowns of the district's tickets in the running text.
REQUEST_TYPE, CATEGORY = "hotline_request_type_quarter", "hotline_category_quarter"
# Numbers of callbacks that an index is tried with; a real rate leaves a few, one of millions
# many.
MAX_OPTIONS = 1000
LISTED_BY_SIZE = ("published_text_category", "published_text_unit")


@dataclass(frozen=True)
class Comparison:
    """What a figure should be, according to other figures of the bulletin, and what it is."""

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
        """Expected value, actual value and difference, for a comparison that has both sides."""
        actual = self.expected if self.actual is None else self.actual
        return as_decimal(self.expected), as_decimal(actual), as_decimal(actual - self.expected)


def lint(bulletin: Bulletin, rules: Rules) -> list[Comparison]:
    """Every comparison of a bulletin with itself, including those that agree.

    Only printed figures are compared: a bulletin without ranks has no comparison of ranks.
    """
    checks: tuple[Callable[[Bulletin, Rules], Iterator[Comparison]], ...] = (
        _totals, _rates, _callbacks, _indexes, _ranks, _names, _parts, _changes, _text, _breakdown,
    )  # fmt: skip
    return _distinct(comparison for check in checks for comparison in check(bulletin, rules))


def _distinct(comparisons: Iterable[Comparison]) -> list[Comparison]:
    """Make comparisons unique by control, subject and measure; equal ones count once.

    A total may be printed in a table and in the running text. If the two differ, the later one's
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
    """The rows for the run's controls: (quarter, control, side, subject, measure, value).

    Args:
        records: rows of the long form in the order of the reader's `COLUMNS`; a row that isn't a
            figure is left to the controls of rejected rows and unmapped figures.
        rules: the business rules of the quarter.
        quarter: the run's quarter.
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
    """A fraction as a decimal; every value that is compared here has a finite decimal form."""
    return Decimal(value.numerator) / Decimal(value.denominator)


def _compare(
    control_id: str,
    printed: Printed,
    expected: Fraction,
    actual: Fraction | None,
    measure: str = "",
    subject: str = "",
) -> Comparison:
    """A comparison about a printed figure, with the figure's subject and measure by default."""
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
                    printed = own.get(label, any_printed(total))
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
    """The integer denominator that comes closest to a printed dissatisfaction rate."""
    part = row[DISSATISFIED].value
    if candidates := bulletin.callbacks(row):
        return candidates[0]
    if part and rate.value:
        return max(_nearest(part / rate.value), int(part))
    return int(row[DUE].value) if DUE in row else int(part)


def _callbacks(bulletin: Bulletin, _: Rules) -> Iterator[Comparison]:
    """Compare callbacks, which aren't printed but inferred, with due tickets and the total row."""
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
            # The index is monotonic in the callbacks, so the ends give its range however many.
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
        names = Counter(any_printed(row).figure.name for row in rows)
        last = {any_printed(row).figure.name: any_printed(row) for row in rows}
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
    """Compare each printed change with the nearest one that a whole previous number can give."""
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
    """Compare figures of the running text with those of tables."""
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
            # A letter goes to one unit, but a suggestion may go to several. So items and
            # assignments may differ, and it is no contradiction if the text gives both.
            control_id = f"bulletin_{printed.subject}"
            yield _compare(control_id, printed, table[items].value, printed.value, items[2])


def _breakdown(bulletin: Bulletin, _: Rules) -> Iterator[Comparison]:
    typed = [printed for printed in bulletin.text if printed.mart == REQUEST_TYPE]
    if typed and (whole := _district(bulletin)):
        parts = sum((printed.value for printed in typed), Fraction(0))
        yield _compare("bulletin_request_type", whole, whole.value, parts, "ticket_count")


def _district(bulletin: Bulletin) -> Printed | None:
    """The number of the district's tickets in the running text."""
    return next(
        (
            printed for printed in bulletin.text
            if (printed.mart, printed.measure) == ("hotline_district_quarter", DUE)
        ),
        None,
    )  # fmt: skip


def _nearest(value: Fraction) -> int:
    return floor(value + Fraction(1, 2))


def _rounded(value: Fraction, decimals: int) -> Fraction:
    """Round half away from zero."""
    rounded: Decimal = half_up(abs(value), decimals)
    return Fraction(rounded) if value >= 0 else -Fraction(rounded)
