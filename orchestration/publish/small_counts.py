"""Finds the counts of a quarter that may not be shown: small ones, and those that reveal one.

Figures derived from counts, and the placeholder for hidden figures, belong to `disclosure`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from orchestration.catalogue.tables import channel_of

Row = dict[str, Any]
# A count: its mart, the key of its row, its measure.
Cell = tuple[str, ...]
# For each mart of counts: its key columns, and how its counts split into parts. The last part of a
# split need not be a column; it is then what remains after the others.
LETTERS = (
    ("due_count", "handled_count", "unfinished"),
    ("handled_count", "on_time_count", "late"),
    ("due_count", "on_time_count", "not_on_time"),
    ("due_count", "on_time_count", "overdue_count", "running"),
    ("overdue_count", "late", "past_deadline"),
)
COUNTS: dict[str, tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]] = {
    "hotline_unit_quarter": (
        ("unit_code",),
        (
            ("due_count", "handled_count", "unfinished"),
            ("handled_count", "on_time_count", "late"),
            ("due_count", "on_time_count", "not_on_time"),
            ("due_count", "rework_count", "not_reworked"),
            ("callback_count", "dissatisfied_count", "satisfied"),
        ),
    ),
    "mailbox_unit_quarter": (("unit_code",), LETTERS),
    "mailbox_unit_mailbox_quarter": (("unit_code", "mailbox"), LETTERS),
    "suggestion_unit_quarter": (("unit_code",), LETTERS[2:4]),
    "hotline_category_quarter": (("category",), ()),
    "hotline_request_type_quarter": (("request_type",), ()),
}
HOTLINE = "hotline_unit_quarter"
# Topics are the hotline's tickets, split in other ways.
TOPICS = (
    ("hotline_category_quarter", "ticket_count"),
    ("hotline_request_type_quarter", "ticket_count"),
)
# Marts whose rows add up to a row of another mart, by the first column of their key. The rows of
# other marts add up to the district's total.
ADD_UP_TO = {"mailbox_unit_mailbox_quarter": "mailbox_unit_quarter"}


def placed(marts: Mapping[str, Sequence[Row]], mart: str) -> Iterator[tuple[Cell, Row]]:
    """A mart's rows, each with the prefix of its cells: the mart and the row's key."""
    key, _ = COUNTS[mart]
    for row in marts.get(mart, ()):
        yield (mart, *(row[name] for name in key)), row


def hidden_counts(marts: Mapping[str, Sequence[Row]], threshold: int) -> set[Cell]:
    """The counts that may not be shown, by mart, key and measure, including unprinted counts."""
    sums = _Sums.of(marts)
    hidden = {cell for cell, count in sums.counts.items() if 0 < count < threshold}
    reader = _Reader(sums, hidden)
    while True:
        if more := _unsafe(sums, hidden, threshold):
            hidden.add(more)
        elif not (known := reader.known(hidden)):
            return hidden
        elif more := _given_away(sums, hidden, known):
            hidden.add(more)
        elif not sums.hide_totals(hidden, known):
            raise AssertionError(f"{len(known)} small counts are known though all is hidden")


@dataclass
class _Sums:
    """Counts and the sums between them; a whole that isn't a count is a district's total."""

    counts: dict[Cell, int] = field(default_factory=dict)
    wholes: list[tuple[Cell, tuple[Cell, ...]]] = field(default_factory=list)
    """Each whole and its parts: first those of a row, then those of a column that is printed."""
    unsplit: set[Cell] = field(default_factory=set)
    """Columns (mart, measure) that are no part of another of their row, such as what is due."""
    certain: set[Cell] = field(default_factory=set)
    """Zeros that anybody knows: of a unit without items, or where the whole is zero."""

    @classmethod
    def of(cls, marts: Mapping[str, Sequence[Row]]) -> "_Sums":
        """The counts and sums of a quarter's marts."""
        sums = cls()
        for mart, (_, splits) in COUNTS.items():
            for place, row in placed(marts, mart):
                sums._add_row(place, row, splits)
        split = {_column(cell) for _, parts in sums.wholes for cell in parts}
        sums.unsplit = {_column(cell) for cell in sums.counts} - split
        sums._add_columns()
        sums._tell_zeros()
        return sums

    def _add_row(self, place: Cell, row: Row, splits: Iterable[tuple[str, ...]]) -> None:
        counts = {name: row[name] for name in row if name.endswith("_count")}
        for whole, *parts in splits:
            *others, last = parts
            counts.setdefault(last, counts[whole] - sum(counts[name] for name in others))
            self.wholes.append(((*place, whole), tuple((*place, name) for name in parts)))
        self.counts |= {
            (*place, name): count for name, count in counts.items() if count is not None
        }

    def _add_columns(self) -> None:
        columns: defaultdict[Cell, list[Cell]] = defaultdict(list)
        for cell in self.counts:
            mart, first, measure = cell[0], cell[1], cell[-1]
            above = (ADD_UP_TO[mart], first) if mart in ADD_UP_TO else (mart,)
            columns[(*above, measure)].append(cell)
        due = (HOTLINE, "due_count")
        tickets = sum(self.counts[cell] for cell in columns.get(due, ()))
        self.wholes += sorted(
            (
                # Topics add up to the same total as units do, unless a topic isn't listed.
                due
                if whole in TOPICS and sum(self.counts[cell] for cell in parts) == tickets
                else whole,
                tuple(parts),
            )
            for whole, parts in columns.items()
        )
        self.wholes.sort(key=lambda item: (len(item[0]) < 3, not _is_printed(item[0])))

    def _tell_zeros(self) -> None:
        zeros = {cell for cell, count in self.counts.items() if not count}
        found = {cell for cell in zeros if _column(cell) in self.unsplit}
        while True:
            self.certain |= found
            found = {
                cell
                for whole, parts in self.wholes
                if whole not in self.counts or whole in self.certain
                if zeros.issuperset(parts)
                for cell in parts
            }
            if found <= self.certain:
                return

    def hide_totals(self, hidden: set[Cell], known: Iterable[Cell]) -> bool:
        """Hide the totals of the channels of counts that are still known; False if none is left.

        A total whose parts are all shown isn't hidden: it is known even if it isn't printed.
        """
        channels = {channel(cell) for cell in known}
        found = {
            whole
            for whole, parts in self.wholes
            if is_total(whole) and whole not in hidden and channel(whole) in channels
            if not hidden.isdisjoint(parts)
        }
        kept = []
        for whole, parts in self.wholes:
            if whole in found and _is_printed(whole):
                self.counts[whole] = sum(self.counts[cell] for cell in parts)
                hidden.add(whole)
            if whole not in found or _is_printed(whole):
                kept.append((whole, parts))
        self.wholes = kept
        return bool(found)

    def total(self, whole: Cell, parts: Iterable[Cell]) -> int:
        """The count of a whole, printed or summed from its parts."""
        return self.counts.get(whole, sum(self.counts[cell] for cell in parts))

    def next_of(self, cells: Iterable[Cell], hidden: set[Cell]) -> Cell | None:
        """Which of some cells to hide next: an unprinted one, else the smallest, zeros last."""
        free = (
            cell
            for cell in cells
            if cell in self.counts and cell not in hidden and cell not in self.certain
        )

        def cost(cell: Cell) -> tuple[bool, bool, int, Cell]:
            return _is_printed(cell), not self.counts[cell], self.counts[cell], cell

        return min(free, key=cost, default=None)

    def floors(self, hidden: set[Cell]) -> dict[Cell, int]:
        """The smallest value that a reader has to assume for each hidden count.

        Zeros are shown, so a hidden count that would be printed is at least one. This doesn't hold
        in a column where zeros had to be hidden, or would have been because nothing else is left.
        """
        zeros = {_column(cell) for cell in hidden if not self.counts[cell]}
        left = {
            _column(cell) for cell, count in self.counts.items() if count and cell not in hidden
        }
        least_one = self.unsplit | (left - zeros)
        # Never above the count itself: if counts don't add up, narrowing bounds would never end.
        return {
            cell: min(int(_is_printed(cell) and _column(cell) in least_one), self.counts[cell])
            for cell in hidden
        }


def _is_printed(cell: Cell) -> bool:
    return cell[-1].endswith("_count")


def is_total(cell: Cell) -> bool:
    """Whether a whole is a total of the district, which has no row key."""
    return len(cell) == 2


def channel(cell: Cell) -> str:
    """The channel whose totals a count adds up to; counts of the previous quarter have none."""
    if cell[-1] == "previous_count":
        return cell[-1]
    return channel_of(cell[0])


def _column(cell: Cell) -> Cell:
    return cell[0], cell[-1]


def _unsafe(sums: _Sums, hidden: set[Cell], threshold: int) -> Cell | None:
    """The cell to hide next because of a single sum; None if no single sum reveals anything."""
    floors = sums.floors(hidden)
    for whole, parts in sums.wholes:
        missing = [cell for cell in parts if cell in hidden]
        if whole in hidden:
            if not missing and (more := sums.next_of(parts, hidden)):
                return more
            continue
        if not missing:
            continue
        room = sum(sums.counts[cell] - floors[cell] for cell in missing)
        if len(missing) > 1 and room >= threshold - 1:
            continue
        more = sums.next_of((whole, *parts) if len(missing) == 1 else parts, hidden)
        if more and (len(missing) == 1 or room == 0 or sums.counts[more]):
            return more
    return None


def _given_away(sums: _Sums, hidden: set[Cell], known: Iterable[Cell]) -> Cell | None:
    """The cell to hide because all sums together reveal small counts; None if none is left.

    The search begins with the sums of a known count, goes on to the sums that share a hidden count
    with those, and so on.
    """
    unprinted = _unprinted(sums)
    terms = [{whole, *parts} for whole, parts in sums.wholes]
    for cell in sorted(known):
        around, further = {cell}, _beside(terms, {cell})
        while further != around:
            around, further = further, further | _beside(terms, further & hidden)
            for cells in (further & unprinted, around, further):
                if more := sums.next_of(cells, hidden):
                    return more
    return None


def _beside(terms: Iterable[set[Cell]], cells: set[Cell]) -> set[Cell]:
    return set().union(*(others for others in terms if not cells.isdisjoint(others)))


def _unprinted(sums: _Sums) -> set[Cell]:
    return {cell for cell in sums.counts if not _is_printed(cell)} - sums.certain


class _Reader:
    """A reader who solves for all counts that aren't shown, in whole numbers."""

    def __init__(self, sums: _Sums, small: Iterable[Cell]):
        self.sums = sums
        self.doubtful = set(small)
        """Counts of which no second value is known yet; hiding more never takes one away."""

    def known(self, hidden: set[Cell]) -> set[Cell]:
        """The small counts that have the same value in all tables that fit the shown counts."""
        if not self.doubtful:
            return set()
        # Imported here because it takes half a second, and only sites with a threshold need it.
        from scipy.optimize import Bounds, LinearConstraint, milp

        unknown = sorted(hidden | _unprinted(self.sums))
        place = {cell: n for n, cell in enumerate(unknown)}
        floors = self.sums.floors(set(unknown))
        least = np.array([floors[cell] for cell in unknown], dtype=np.int64)
        truth = np.array([self.sums.counts[cell] for cell in unknown], dtype=np.int64)
        equations = self._equations(place)
        limits = LinearConstraint(equations, *(equations @ truth,) * 2)
        most = int(truth.sum()) + len(truth) + 1  # not a real bound, but the solver needs one
        bounds = Bounds(least, np.full(len(unknown), most))

        def try_for(cells: Iterable[Cell], direction: int) -> None:
            goal = np.zeros(len(unknown))
            goal[[place[cell] for cell in cells]] = direction
            found = milp(goal, constraints=limits, bounds=bounds, integrality=np.ones(len(goal)))
            if found.x is None:
                return
            table = np.rint(found.x).astype(np.int64)
            if (table >= least).all() and (equations @ table == equations @ truth).all():
                self.doubtful -= {c for c in self.doubtful if table[place[c]] != truth[place[c]]}

        for direction in (1, -1):  # most counts have another value in one of these two tables
            try_for(self.doubtful, direction)
        for cell in sorted(self.doubtful):
            for direction in (1, -1):
                if cell in self.doubtful:
                    try_for((cell,), direction)
        return set(self.doubtful)

    def _equations(self, place: Mapping[Cell, int]) -> Any:
        """A matrix row for each sum with unknown counts: 1 for its parts, -1 for its whole."""
        from scipy.sparse import coo_array  # as above

        entries: list[tuple[int, int, int]] = []
        lines = 0
        for whole, parts in self.sums.wholes:
            terms = [(place[cell], 1) for cell in parts if cell in place]
            terms += [(place[whole], -1)] if whole in place else []
            entries += [(lines, column, factor) for column, factor in terms]
            lines += bool(terms)
        row, column, factor = np.array(entries, dtype=np.int64).reshape(-1, 3).T
        return coo_array((factor, (row, column)), shape=(lines, len(place))).tocsr()
