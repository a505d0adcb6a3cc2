"""The headline figures of a quarter, printed as in the total row of the bulletin."""

from decimal import ROUND_HALF_UP, Decimal

from orchestration.catalogue.tables import column_names, kind_of
from orchestration.common.settings import Home
from orchestration.warehouse.connection import is_built, query

DISTRICT = "marts.hotline_district_quarter"
HEADLINE = (
    *("due_count", "handled_count", "completion_rate", "on_time_count", "on_time_rate"),
    *("rework_count", "rework_rate", "callback_count", "dissatisfied_count"),
    *("dissatisfaction_rate", "satisfaction_rate", "composite_index"),
)


def percent(rate: Decimal | None) -> str:
    """A fraction as the bulletin prints it: up to two decimals, no trailing zeros (`2.77%`)."""
    if rate is None:
        return "—"
    text = format((rate * 100).quantize(Decimal("0.01"), ROUND_HALF_UP), "f")
    return text.rstrip("0").rstrip(".") + "%"


def number(value: Decimal | int | None) -> str:
    """An exact number without trailing zeros (`95.7`, `60`)."""
    if value is None:
        return "—"
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def figure(measure: str, value: Decimal | int | None) -> str:
    """A figure as it is printed: a rate as a percentage, anything else as an exact number."""
    if kind_of(measure) == "rate" and value is not None:
        return percent(Decimal(value))
    return number(value)


def headline(home: Home, quarter: str) -> list[tuple[str, str]]:
    """(label, printed figure) pairs from the district's row of the working warehouse.

    Empty before the quarter's first build.
    """
    if not is_built(home, DISTRICT):
        return []
    # DISTRICT is this module's own constant.
    rows = query(home, f"select * from {DISTRICT} where quarter = ?", [quarter])  # noqa: S608
    if not rows:
        return []
    row = rows[0]
    return [(column_names()[measure][0], figure(measure, row[measure])) for measure in HEADLINE]
