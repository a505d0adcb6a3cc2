"""Masks the figures of a quarter that may not be shown to the public.

A count below the threshold may identify one citizen. It is hidden, and so is every figure that
would reveal it:

1. *Small counts.* A count of a unit, a category or a request type is hidden if it is at least one
   and below the threshold. The same applies to counts that aren't printed but can be found by
   subtraction, such as the callers who weren't dissatisfied: one of the counts that they follow
   from is hidden. A zero identifies nobody.
2. *Single sums.* A district's totals are shown, and a whole is the sum of its parts. If one term of
   a sum is hidden, a second one is hidden too. The hidden terms must leave enough room that any of
   them could be as large as the threshold. The smallest count that would be shown is hidden first,
   a zero only if nothing else is left.
3. *All sums together.* For each small count, a solver searches for a second table that fits
   everything shown. While there is none, one more count related to it is hidden.
4. *Derived figures.* A rate, a share and a change are hidden with either of their counts. An index
   and its components are hidden with any count that the index is computed from. All ranks of a
   group are hidden with one of its indexes, because a gap between ranks shows roughly where that
   index lies.
5. *Totals.* If nothing is left to hide and a small count is still known (four units with one letter
   each, four in total), all totals of its channel are hidden, with the figures derived from them.

Differences between quarters, and what a reader knows from other sources, aren't considered.
`small_counts` finds the counts to hide; the masking of derived figures is here.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from orchestration.catalogue.tables import made_of, repeated
from orchestration.publish.small_counts import (
    COUNTS,
    TOPICS,
    Row,
    channel,
    hidden_counts,
    is_total,
    placed,
)


class Hidden:
    """The placeholder for a hidden figure: it prints as a mark and can't be computed with.

    Ordering it, adding to it or taking its truth value raises TypeError.
    """

    def __str__(self) -> str:
        """The mark."""
        return "＊"

    def __repr__(self) -> str:
        """The mark, as in `str`."""
        return "＊"

    def __bool__(self) -> bool:
        """A hidden figure has no truth value.

        Raises:
            TypeError: always.
        """
        raise TypeError("a hidden figure is neither zero nor not")


HIDDEN: Final = Hidden()
OF_TOTALS = ("_count", "_rate", "_index")
OF_INDEX = ("numerator", "denominator", "rate", "points")


def mask(marts: Mapping[str, Sequence[Row]], threshold: int) -> dict[str, list[Row]]:
    """The rows of a quarter's marts with `HIDDEN` in place of figures that may not be shown.

    Args:
        marts: rows by mart; an unknown mart is returned unchanged.
        threshold: the smallest count that may be shown; at least 2.
    """
    hidden = hidden_counts(marts, threshold)
    shown = {mart: [dict(row) for row in rows] for mart, rows in marts.items()}
    for mart in COUNTS:
        for place, row in placed(shown, mart):
            gone = {name for name in row if (*place, name) in hidden}
            gone |= {
                name
                for name, counts in made_of(mart, "rate", "index").items()
                if not gone.isdisjoint(counts)
            }
            row.update(dict.fromkeys(gone, HIDDEN))
    _hide_indexes(shown)
    _hide_repeated(shown)
    _hide_totals(shown, {channel(cell) for cell in hidden if is_total(cell)})
    return shown


def _hide_totals(shown: Mapping[str, list[Row]], channels: set[str]) -> None:
    """Hide all totals of some channels, and the figures derived from them."""
    for row in shown.get("channel_quarter", ()):
        if row["channel"] in channels:
            row.update({name: HIDDEN for name in row if name.endswith(OF_TOTALS)})
    if "hotline" in channels:
        for row in shown.get("hotline_district_quarter", ()):
            gone = (n for n in row if n.endswith(OF_TOTALS) and n != "unit_count")
            row.update(dict.fromkeys(gone, HIDDEN))
        for mart, _ in TOPICS:  # a share and its count give the total
            for row in shown.get(mart, ()):
                row["share"] = HIDDEN


def largest_first(value: int | Hidden) -> tuple[bool, int]:
    """A sort key by size, the largest first; hidden figures come last and keep their order."""
    return (True, 0) if isinstance(value, Hidden) else (False, -value)


def _hide_indexes(shown: Mapping[str, list[Row]]) -> None:
    """Hide a unit's components with its index, and a group's ranks with one of its indexes.

    All components are hidden: their points are rounded to add up, so they reveal each other.
    """
    units = shown.get("hotline_unit_quarter", [])
    without = {row["unit_code"] for row in units if row["composite_index"] is HIDDEN}
    groups = {row["evaluation_group"] for row in units if row["unit_code"] in without}
    for row in units:
        if row["is_rated"] and row["evaluation_group"] in groups:
            row["rank_in_group"] = HIDDEN
    for row in shown.get("index_component_unit_quarter", ()):
        if row["unit_code"] in without:
            row.update(dict.fromkeys(OF_INDEX, HIDDEN))


def _hide_repeated(shown: Mapping[str, list[Row]]) -> None:
    """Hide the figures that `unit_quarter` repeats from other marts, and their sums."""
    repeats = repeated("unit_quarter")
    gone = {
        (name, row["unit_code"])
        for name, (mart, measure) in repeats.items()
        for row in shown.get(mart, ())
        if row[measure] is HIDDEN
    }
    for row in shown.get("unit_quarter", ()):
        row.update({name: HIDDEN for name in repeats if (name, row["unit_code"]) in gone})
        for total, addends in made_of("unit_quarter", "count").items():
            if any(row[name] is HIDDEN for name in addends):
                row[total] = HIDDEN
