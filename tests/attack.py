"""A reader who works out hidden counts: every relation between published figures, solved at once.

Random small districts, masked as for publication. The reader knows all that is shown, the method
(what adds up to what, what is never below what, that a zero is shown where it can be), and solves
integer programs: a hidden small count is given away if every solution has the same value for it.
Nothing is shared with the module but the mark of what is hidden.

    python tests/attack.py 2000       # the districts numbered from 0; prints how many were tried
"""

import random
import sys
from collections import defaultdict

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array

from orchestration.publish.disclosure import HIDDEN, mask

HOTLINE, MAILBOX, BY_MAILBOX, SUGGESTION, CATEGORY, REQUEST = (
    f"{name}_quarter"
    for name in (
        *("hotline_unit", "mailbox_unit", "mailbox_unit_mailbox", "suggestion_unit"),
        *("hotline_category", "hotline_request_type"),
    )
)
CASES = ("due_count", "handled_count", "on_time_count", "rework_count")
CALLS = ("callback_count", "dissatisfied_count")
LETTERS = ("due_count", "handled_count", "on_time_count", "overdue_count")
SUGGESTIONS = ("due_count", "on_time_count", "overdue_count")
DISTRICT = "hotline_district_quarter"
# What is never below what; the difference is a count, too.
ABOVE = {
    HOTLINE: (
        ("due_count", "handled_count"), ("handled_count", "on_time_count"),
        ("due_count", "rework_count"), ("callback_count", "dissatisfied_count"),
    ),
    MAILBOX: (("due_count", "handled_count"), ("handled_count", "on_time_count")),
    BY_MAILBOX: (("due_count", "handled_count"), ("handled_count", "on_time_count")),
    SUGGESTION: (),
    CATEGORY: (),
    REQUEST: (),
}  # fmt: skip
KEYS = {BY_MAILBOX: ("unit_code", "mailbox"), CATEGORY: ("category",), REQUEST: ("request_type",)}
MOST = 1000  # a bound that no total reaches, so that every program has a solution
NEVER_ZERO = ("due_count", "callback_count", "ticket_count", "previous_count")


def district(seed):
    """The marts of a made-up district: few units, many small counts, all that can be published."""
    pick = random.Random(seed)
    scale = pick.choice((1, 2, 3, 6, 12, 40))

    def count(most):
        return pick.choice((0, pick.randint(0, min(most, 3)), pick.randint(0, most)))

    def few(most):
        return pick.choice((0, 0, 0, min(most, 1), pick.randint(0, most)))

    units = [f"u{n}" for n in range(pick.randint(2, 9))]
    marts = {mart: [] for mart in (*ABOVE, "unit_quarter", "index_component_unit_quarter")}
    for unit in units:
        due, calls = count(scale), count(scale)
        handled = due - few(due)
        on_time = handled - few(handled)
        row = dict(zip(CASES, (due, handled, on_time, few(due)), strict=True))
        row |= {"callback_count": calls, "dissatisfied_count": few(calls)}
        row |= {
            "unit_code": unit,
            "evaluation_group": pick.choice(("A", "other")),
            "is_rated": due > 0,
            "rank_in_group": 1 if due else None,
            "composite_index": 90 if due else None,
        }
        for rate, part, whole in (
            ("completion_rate", "handled_count", "due_count"),
            ("on_time_rate", "on_time_count", "due_count"),
            ("rework_rate", "rework_count", "due_count"),
            ("dissatisfaction_rate", "dissatisfied_count", "callback_count"),
        ):
            row[rate] = row[part] / row[whole] if row[whole] else None
        marts[HOTLINE].append(row)
        letters = [_letters(pick, count(scale), few) for _ in range(pick.choice((0, 1, 2)))]
        for box, each in zip(("mayor", "district_head"), letters, strict=False):
            if each["due_count"]:
                marts[BY_MAILBOX].append({"unit_code": unit, "mailbox": box} | each)
        added = {name: sum(each[name] for each in letters) for name in LETTERS}
        if added["due_count"]:
            marts[MAILBOX].append({"unit_code": unit} | added)
        given = _letters(pick, count(scale), few)
        if given["due_count"]:
            own = {name: given[name] for name in SUGGESTIONS}
            marts[SUGGESTION].append({"unit_code": unit} | own)
        else:
            own = dict.fromkeys(SUGGESTIONS, 0)
        marts["unit_quarter"].append(
            {
                "unit_code": unit,
                "hotline_due_count": due,
                "hotline_composite_index": row["composite_index"],
                "mailbox_due_count": added["due_count"],
                "mailbox_on_time_count": added["on_time_count"],
                "suggestion_due_count": own["due_count"],
                "suggestion_on_time_count": own["on_time_count"],
                "total_due_count": due + added["due_count"] + own["due_count"],
            }
        )
    total = sum(row["due_count"] for row in marts[HOTLINE])
    for mart, key, names in ((CATEGORY, "category", 7), (REQUEST, "request_type", 7)):
        now = _parted(pick, total, names)
        before = _parted(pick, count(scale * 4), names)
        for place in range(names):
            found = {
                key: f"k{place}",
                "ticket_count": now[place],
                "share": now[place] / (total or 1),
            }
            if mart == CATEGORY:
                found |= {"previous_count": before[place], "quarter_on_quarter_change": 0}
            marts[mart].append(found)
    return marts | _totals(marts)


def _letters(pick, due, few):
    """Due, handled, on time, overdue: what is unfinished may be past its deadline or running."""
    handled = due - few(due)
    on_time = handled - few(handled)
    past = pick.randint(0, due - handled)
    return dict(zip(LETTERS, (due, handled, on_time, handled - on_time + past), strict=True))


def _parted(pick, total, parts):
    found = [0] * parts
    for _ in range(total):
        found[min(int(pick.expovariate(0.6)), parts - 1)] += 1
    return found


def _totals(marts):
    def total(mart, name):
        return sum(row[name] for row in marts[mart])

    channels = (("hotline", HOTLINE), ("mailbox", MAILBOX), ("suggestion", SUGGESTION))
    rows = []
    for channel, mart in channels:
        handled = "handled_count" if channel != "suggestion" else "on_time_count"
        names = ("due_count", handled, "on_time_count")
        named = ("assignment_count", "handled_count", "on_time_count")
        counts = {to: total(mart, name) for to, name in zip(named, names, strict=True)}
        rows.append(
            {"channel": channel, "satisfaction_rate": 0.8}
            | {"distinct_item_count": counts["assignment_count"]}
            | counts
        )
    hotline = {name: total(HOTLINE, name) for name in (*CASES, *CALLS)}
    return {DISTRICT: [hotline | {"unit_count": len(marts[HOTLINE])}], "channel_quarter": rows}


class Reader:
    """What is shown of a district, as a system of equations and bounds on whole numbers."""

    def __init__(self, marts, shown, totals):
        self.marts, self.shown = marts, shown
        self.place, self.truth, self.low, self.high = {}, [], [], []
        self.rows, self.least, self.most = [], [], []
        for mart in ABOVE:
            self._read(mart)
        for unit, now in zip(marts["unit_quarter"], shown["unit_quarter"], strict=True):
            self._read_unit(unit, now)
        self._add_up(totals)

    def _variable(self, cell, value, low, high=MOST):
        self.place[cell] = len(self.truth)
        self.truth.append(value)
        self.low.append(low)
        self.high.append(high)

    def _relate(self, terms, low, high):
        self.rows.append([(self.place[cell], factor) for cell, factor in terms])
        self.least.append(low)
        self.most.append(high)

    def _read(self, mart):
        key = KEYS.get(mart, ("unit_code",))
        floors = self._floors(mart)
        for row, now in zip(self.marts[mart], self.shown[mart], strict=True):
            at = (mart, *(row[name] for name in key))
            for name in (n for n in row if n.endswith("_count")):
                if now[name] is HIDDEN:
                    self._variable((*at, name), row[name], floors[name])
                else:
                    assert now[name] == row[name]
                    self._variable((*at, name), row[name], row[name], row[name])
            for whole, part in ABOVE[mart]:
                self._left(at, (whole, part), f"{whole} less {part}")
            if "overdue_count" in row:
                self._left(at, ("due_count", "on_time_count", "overdue_count"), "running")
            if "overdue_count" in row and "handled_count" in row:
                self._left(
                    at, ("overdue_count", "on_time_count", "handled_count"), "past", (1, 1, -1)
                )
                self._left(at, ("due_count", "on_time_count"), "not on time")
            if mart == HOTLINE:
                self._left(at, ("due_count", "on_time_count"), "not on time")

    def _left(self, at, names, called, factors=(1, -1, -1)):
        """A count that nobody prints: what a sum leaves, never below zero."""
        cells = [(*at, name) for name in names]
        left = sum(f * self.truth[self.place[c]] for f, c in zip(factors, cells, strict=False))
        self._variable((*at, called), left, 0)
        terms = [*zip(cells, factors, strict=False), ((*at, called), -1)]
        self._relate(terms, 0, 0)

    def _floors(self, mart):
        """A hidden count is at least one, but in a column where a zero is hidden or might be."""
        rows = list(zip(self.marts[mart], self.shown[mart], strict=True))
        names = [n for n in (rows[0][0] if rows else ()) if n.endswith("_count")]
        return {
            name: int(
                name in NEVER_ZERO
                or (
                    any(now[name] is not HIDDEN and now[name] for _, now in rows)
                    and not any(now[name] is HIDDEN and not row[name] for row, now in rows)
                )
            )
            for name in names
        }

    def _read_unit(self, unit, now):
        sources = {
            "hotline_due_count": (HOTLINE, "due_count"),
            "mailbox_due_count": (MAILBOX, "due_count"),
            "mailbox_on_time_count": (MAILBOX, "on_time_count"),
            "suggestion_due_count": (SUGGESTION, "due_count"),
            "suggestion_on_time_count": (SUGGESTION, "on_time_count"),
        }
        addends = []
        for name, (mart, measure) in sources.items():
            cell = (mart, unit["unit_code"], measure)
            if name in ("hotline_due_count", "mailbox_due_count", "suggestion_due_count"):
                addends += [(cell, 1)] if cell in self.place else []
            if now[name] is not HIDDEN and cell in self.place:
                self._relate([(cell, 1)], unit[name], unit[name])
        if now["total_due_count"] is not HIDDEN and addends:
            self._relate(addends, unit["total_due_count"], unit["total_due_count"])

    def _add_up(self, totals):
        """Columns and the district's totals, those that are shown; boxes and their unit."""
        columns = defaultdict(list)
        for cell in self.place:
            if cell[0] == BY_MAILBOX:
                columns[MAILBOX, cell[1], cell[-1]].append(cell)
            elif cell[-1].endswith("_count"):
                columns[cell[0], cell[-1]].append(cell)
        for whole, cells in columns.items():
            terms = [(cell, 1) for cell in cells]
            if whole in self.place:
                self._relate([*terms, (whole, -1)], 0, 0)
            elif whole in totals and totals[whole] is not HIDDEN:
                self._relate(terms, totals[whole], totals[whole])
        due = [(cell, -1) for cell in columns[HOTLINE, "due_count"]]
        for mart in (CATEGORY, REQUEST):
            self._relate([*((cell, 1) for cell in columns[mart, "ticket_count"]), *due], 0, 0)

    def small(self, threshold):
        """The cells that may not be known: small, and not shown as they are."""
        return {
            cell
            for cell, place in self.place.items()
            if 0 < self.truth[place] < threshold and self.low[place] != self.high[place]
        }

    def leaks(self, threshold):
        """The small counts, printed or not, that have the same value in every solution."""
        entries = [(n, at, f) for n, row in enumerate(self.rows) for at, f in row]
        lines, columns, factors = zip(*entries, strict=True)
        matrix = coo_array(
            (factors, (lines, columns)), shape=(len(self.rows), len(self.truth))
        ).tocsr()
        limits = LinearConstraint(matrix, self.least, self.most)
        bounds = Bounds(self.low, self.high)
        truth = np.array(self.truth)
        open_ = self.small(threshold)
        known = set()

        def solve(goal):
            found = milp(goal, constraints=limits, bounds=bounds, integrality=np.ones(len(truth)))
            return None if found.x is None else np.rint(found.x)

        def differ(goal):
            found = solve(goal)
            if found is not None:
                open_.difference_update(
                    [c for c in open_ if found[self.place[c]] != truth[self.place[c]]]
                )

        pick = random.Random(len(open_))
        for _ in range(4):  # most counts can be moved many at a time
            goal = np.zeros(len(truth))
            goal[[self.place[c] for c in sorted(open_)]] = [pick.choice((1, -1)) for _ in open_]
            if open_:
                differ(goal)
        while open_:
            cell = min(open_)
            goal = np.zeros(len(truth))
            goal[self.place[cell]] = 1
            differ(goal)
            differ(-goal)
            if cell in open_:
                known.add(cell)
                open_.discard(cell)
        return known


def published_totals(marts, shown):
    """The district's totals as the pages and the bulletin show them."""
    (row,) = shown[DISTRICT]
    totals = {(HOTLINE, name): row[name] for name in (*CASES, *CALLS)}
    channels = {row["channel"]: row for row in shown["channel_quarter"]}
    for channel, mart, names in (
        ("mailbox", MAILBOX, LETTERS),
        ("suggestion", SUGGESTION, SUGGESTIONS),
    ):
        is_hidden = channels[channel]["assignment_count"] is HIDDEN
        for name in names:
            totals[mart, name] = HIDDEN if is_hidden else sum(row[name] for row in marts[mart])
    shares = [
        row["ticket_count"] / row["share"]
        for mart in (CATEGORY, REQUEST)
        for row in shown[mart]
        if row["share"] is not HIDDEN and row["ticket_count"] is not HIDDEN and row["share"]
    ]
    if shares:
        totals[HOTLINE, "due_count"] = round(shares[0])
    # What the quarter before published of its own categories.
    before = {CATEGORY: [row | {"ticket_count": row["previous_count"]} for row in marts[CATEGORY]]}
    before[CATEGORY] = [
        {k: v for k, v in row.items() if k != "previous_count"} for row in before[CATEGORY]
    ]
    return totals, before


def attack(seed):
    """The small counts that a district's publication gives away, and how many it hides."""
    marts = district(seed)
    threshold = random.Random(seed).choice((2, 3, 5, 5, 5, 10))
    shown = mask(marts, threshold)
    totals, before = published_totals(marts, shown)
    total = sum(row["ticket_count"] for row in before[CATEGORY])
    before[HOTLINE] = []
    before[DISTRICT] = [{"due_count": total}]
    totals[CATEGORY, "previous_count"] = mask(before, threshold)[DISTRICT][0]["due_count"]
    reader = Reader(marts, shown, totals)
    for place, now in enumerate(reader.truth):
        assert reader.low[place] <= now <= reader.high[place], "the truth fits"
    return reader.leaks(threshold), len(reader.small(threshold))


if __name__ == "__main__":
    count = int(sys.argv[1])
    broken, counts = {}, 0
    for seed in range(count):
        found, tried = attack(seed)
        counts += tried
        if found:
            broken[seed] = sorted(map(str, found))
    print(
        f"{count} districts, {counts} hidden small counts attacked, {len(broken)} districts broken"
    )
    for seed, cells in list(broken.items())[:20]:
        print(seed, len(cells), *cells[:4])
    sys.exit(bool(broken))
