"""What each figure counts, as data; a new measure is a new line here.

`COUNTS` defines which facts each count takes, `marts` which counts each cell of a mart uses.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from orchestration.catalogue.tables import channels, made_of, repeated

INDEX = "composite_index"
ALL = "unit_quarter"
BUSINESS_ID = {
    "fct_ticket": "work_order_id",
    "fct_callback": "work_order_id",
    "fct_letter": "letter_id",
    "fct_suggestion_assignment": "suggestion_id",
}


class Count(NamedTuple):
    """A count: the fact table, and in `flag` the SQL condition on its rows."""

    fact: str
    flag: str


COUNTS = {
    "due_count": Count("fct_ticket", "is_due"),
    "handled_count": Count("fct_ticket", "is_handled"),
    "on_time_count": Count("fct_ticket", "is_on_time"),
    "rework_count": Count("fct_ticket", "is_rework"),
    "callback_count": Count("fct_callback", "true"),
    "dissatisfied_count": Count("fct_callback", "is_dissatisfied"),
    "satisfied_count": Count("fct_callback", "not is_dissatisfied"),
    "mailbox.due_count": Count("fct_letter", "is_due"),
    "mailbox.handled_count": Count("fct_letter", "is_handled"),
    "mailbox.on_time_count": Count("fct_letter", "is_on_time"),
    "mailbox.overdue_count": Count("fct_letter", "is_overdue"),
    "mailbox.rated_count": Count("fct_letter", "is_due and satisfaction is not null"),
    "mailbox.satisfied_count": Count(
        "fct_letter", "is_due and satisfaction in ('satisfied', 'fairly_satisfied')"
    ),
    "suggestion.due_count": Count("fct_suggestion_assignment", "is_due"),
    "suggestion.handled_count": Count("fct_suggestion_assignment", "is_handled"),
    "suggestion.on_time_count": Count("fct_suggestion_assignment", "is_on_time"),
    "suggestion.overdue_count": Count("fct_suggestion_assignment", "is_overdue"),
}


@dataclass(frozen=True)
class Mart:
    """A mart's cells: a row's key columns as SQL over a fact, and the counts behind each measure.

    A measure has one count, a numerator and a denominator, or all the counts that it depends on.
    """

    table: str
    keys: Mapping[str, str]
    measures: Mapping[str, tuple[str, ...]]
    of_next_quarter: bool = False


UNIT = {"unit_code": "unit_code"}
SATISFACTION = {"satisfaction_rate": ("satisfied_count", "callback_count")}
CATEGORY = {"category": "coalesce(category, 'other')"}


def _channel(channel: str, prefix: str, rating: tuple[str, ...]) -> Mart:
    counts = {
        "distinct_item_count": (f"{prefix}due_count",),
        "assignment_count": (f"{prefix}due_count",),
        "handled_count": (f"{prefix}handled_count",),
        "on_time_count": (f"{prefix}on_time_count",),
    }
    rates = {"satisfaction_rate": rating} if rating else {}
    return Mart("channel_quarter", {"channel": f"'{channel}'"}, counts | rates)


def cells(mart: str, prefix: str = "") -> dict[str, tuple[str, ...]]:
    """The counts and rates in a unit's row of a mart, each with the counts that find its rows.

    Args:
        mart: a mart of the hotline, or of the prefix's channel.
        prefix: the prefix of the counts in `COUNTS`, such as `mailbox.`.
    """
    found = made_of(mart, "count", "rate").items()
    return {name: tuple(prefix + count for count in counts) for name, counts in found}


class ChannelCounts(NamedTuple):
    """A channel: the name of its items, its mart by unit, and the counts of each measure."""

    item: str
    mart: str
    measures: Mapping[str, tuple[str, ...]]


@cache
def channel_counts() -> Mapping[str, ChannelCounts]:
    """The channels by the prefix of their counts in `COUNTS`; the hotline's prefix is empty."""
    prefixes = {code: "" if code == "hotline" else f"{code}." for code in channels()}
    return {
        prefixes[code]: ChannelCounts(table.item, table.name, cells(table.name, prefixes[code]))
        for code, table in channels().items()
    }


def _of_all_channels(
    by_mart: Mapping[str, Mapping[str, tuple[str, ...]]],
) -> dict[str, tuple[str, ...]]:
    """The measures of `unit_quarter`: those repeated from the channels' marts, and their sums."""
    own = {name: by_mart[mart][measure] for name, (mart, measure) in repeated(ALL).items()}
    sums = {name: parts for name, parts in made_of(ALL, "count").items() if name not in own}
    return own | {
        name: tuple(count for part in parts for count in own[part]) for name, parts in sums.items()
    }


def marts(index_counts: Mapping[str, tuple[str, str]]) -> list[Mart]:
    """The cells of all marts in which source rows are counted.

    Args:
        index_counts: the numerator and denominator of each component of the index.
    """
    index = tuple(dict.fromkeys(count for pair in index_counts.values() for count in pair))
    by_mart = {channel.mart: channel.measures for channel in channel_counts().values()}
    hotline = {**by_mart["hotline_unit_quarter"], INDEX: index}
    by_mart["hotline_unit_quarter"] = hotline
    return [
        *(Mart(mart, UNIT, measures) for mart, measures in by_mart.items()),
        Mart("hotline_district_quarter", {}, hotline | SATISFACTION),
        *(
            Mart(
                "index_component_unit_quarter",
                UNIT | {"component": f"'{component}'"},
                {"numerator": pair[:1], "denominator": pair[1:], "rate": pair, "points": pair},
            )
            for component, pair in index_counts.items()
        ),
        Mart(
            "mailbox_unit_mailbox_quarter",
            UNIT | {"mailbox": "mailbox"},
            cells("mailbox_unit_mailbox_quarter", "mailbox."),
        ),
        _channel("hotline", "", SATISFACTION["satisfaction_rate"]),
        _channel("mailbox", "mailbox.", ("mailbox.satisfied_count", "mailbox.rated_count")),
        _channel("suggestion", "suggestion.", ()),
        Mart(
            "hotline_request_type_quarter",
            {"request_type": "coalesce(request_type, 'untyped')"},
            {"ticket_count": ("due_count",)},
        ),
        # Every ticket counts in the denominator of every share.
        Mart("hotline_request_type_quarter", {}, {"share": ("due_count",)}),
        Mart("hotline_category_quarter", {}, {"share": ("due_count",)}),
        Mart(
            "hotline_category_quarter",
            CATEGORY,
            {"ticket_count": ("due_count",), "quarter_on_quarter_change": ("due_count",)},
        ),
        Mart(
            "hotline_category_quarter",
            CATEGORY,
            {"previous_count": ("due_count",), "quarter_on_quarter_change": ("due_count",)},
            of_next_quarter=True,
        ),
        Mart("unit_quarter", UNIT, _of_all_channels(by_mart)),
    ]
