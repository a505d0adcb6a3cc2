"""Which figures of a quarter may not be shown to everyone, and nothing else.

A count below the threshold may point at one citizen. It is hidden, and so is whatever would give
it away:

1. *Small.* A count of a unit, a category or a request type of at least one and below the threshold
   is hidden. So it is with counts that nobody prints but anybody can subtract, such as the callers
   who weren't dissatisfied: some count that they follow from is hidden. A zero points at nobody.
2. *Sums.* A district's totals are shown, and a whole is the sum of its parts. Where one term
   of a sum is hidden a second is too, and those hidden leave each other so much room that any of
   them could be as large as the threshold. Chosen is always the smallest count that was to be
   shown; a zero only where nothing else is left.
3. *All sums together.* For each small count a second table is looked for that fits all that is
   shown; while there is none, one more count is hidden beside it.
4. *What is made of counts.* A rate, a share and a change are hidden with either of their counts; an
   index and all that it is made of with any count of the unit; and all ranks of a group with one of
   its indexes, since a gap between ranks tells about where that one lies.

5. *Totals.* Where nothing is left to be hidden and a small count is still known (four units with a
   letter each, four in all), all totals of its channel are hidden with what is made of them.

What isn't looked at: the quarters' differences, and what a reader knows from elsewhere.
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
    """What stands in the place of a hidden figure: it prints as a mark and can't be reckoned with.

    Comparing it, adding to it or asking whether it is anything at all is a TypeError.
    """

    def __str__(self) -> str:
        """The mark."""
        return "＊"

    def __repr__(self) -> str:
        """The same."""
        return "＊"

    def __bool__(self) -> bool:
        """There is no answer.

        Raises:
            TypeError: always.
        """
        raise TypeError("a hidden figure is neither zero nor not")


HIDDEN: Final = Hidden()
OF_TOTALS = ("_count", "_rate", "_index")
OF_INDEX = ("numerator", "denominator", "rate", "points")


def mask(marts: Mapping[str, Sequence[Row]], threshold: int) -> dict[str, list[Row]]:
    """The rows of a quarter's marts with `HIDDEN` in the place of what may not be shown.

    Args:
        marts: rows by mart; a mart that isn't known here is returned as it is.
        threshold: the least count that may be shown; at least 2.
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
    """All totals of a channel, and what is made of them, where one of them has to be hidden."""
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
    """A sort key by size, the largest first; what is hidden comes last, in the order it is in."""
    return (True, 0) if isinstance(value, Hidden) else (False, -value)


def _hide_indexes(shown: Mapping[str, list[Row]]) -> None:
    """All of a unit's components with its index, all ranks of a group with an index of a rated one.

    Components go together: points are rounded so that they add up, which tells of each other.
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
    """What `unit_quarter` repeats of other marts, and the sums that it makes of that."""
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
