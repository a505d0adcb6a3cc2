"""Draws the rows of the three exports from a plan's counts: items, their times and outcomes.

Times are numbers of working minutes, so that adding a term or comparing two times is integer
arithmetic. Frames have canonical columns and codes; headers and encodings don't belong here.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from orchestration.common.quarters import Quarter
from orchestration.sample.plan import Plan, Unit

Minutes = NDArray[np.int32]  # working minutes; NEVER for what didn't happen
Flags = NDArray[np.int8]

NEVER = -1
OPENS, DAY = 8 * 60 + 30, 9 * 60  # the office works from 08:30 to 17:30
ON_TIME, LATE, OPEN, CARRIED = range(4)
RESULTS = ["", "satisfied", "fairly_satisfied", "dissatisfied"]
MAILBOXES = ["mayor", "district_head"]
LONGEST_TERM, LONGEST_DELAY = 7, 5  # working days
CHUNK = 200_000  # rows written at a time; bounds the memory for their text


class Calendar:
    """Working days around a quarter; public holidays are ignored."""

    def __init__(self, quarter: Quarter) -> None:
        first = np.datetime64(quarter.previous.start, "D")
        days = np.arange(first, np.datetime64(quarter.end, "D") + 60)  # deadlines run past the end
        self.days = days[np.is_busday(days)]
        self.start = self._minute(quarter.start)
        self.end = self._minute(quarter.end)

    def _minute(self, day: date) -> int:
        return int(np.searchsorted(self.days, np.datetime64(day, "D"))) * DAY

    def times(self, minutes: Minutes) -> pl.Series:
        """Wall-clock times; null for what never happened."""
        wall = self.days[minutes // DAY].astype("datetime64[m]") + (OPENS + minutes % DAY)
        wall[minutes == NEVER] = np.datetime64("NaT")
        return pl.Series(wall.astype("datetime64[ms]"))


def _generator(plan: Plan, stream: int) -> np.random.Generator:
    """One random stream per source, so that a change to one file leaves the others unchanged."""
    return np.random.Generator(np.random.PCG64([plan.seed, stream]))


def _between(rng: np.random.Generator, low: Any, high: Any) -> Minutes:
    """Random integers from low to high, inclusive."""
    drawn: Minutes = rng.integers(low, high, dtype=np.int32, endpoint=True)
    return drawn


def _due_dates(
    rng: np.random.Generator, calendar: Calendar, state: Flags
) -> tuple[Minutes, Minutes]:
    """When each item is dispatched and must be finished.

    Late items start early enough to be both late and finished before the quarter ends.
    """
    closing = _closing(calendar, state)
    earliest = np.where(state == CARRIED, closing - 15 * DAY, calendar.start)
    margin = np.where(state == LATE, (LONGEST_TERM + 1) * DAY, 2 * 60)
    dispatched = _between(rng, earliest, closing - margin)
    return dispatched, dispatched + _between(rng, 3, np.full(state.size, LONGEST_TERM)) * DAY


def _closing(calendar: Calendar, state: Flags) -> Minutes:
    """The end of the quarter in which an item is dispatched and finished."""
    return np.where(state == CARRIED, calendar.start, calendar.end).astype(np.int32)


def _finish(
    rng: np.random.Generator,
    calendar: Calendar,
    state: Flags,
    dispatched: Minutes,
    deadline: Minutes,
) -> Minutes:
    """When each item is finished: by the deadline or after it, in the same quarter, or never."""
    late, last = state == LATE, _closing(calendar, state) - 60
    finished = _between(
        rng,
        np.where(late, deadline + 1, dispatched + 30),
        np.minimum(np.where(late, deadline + LONGEST_DELAY * DAY, deadline), last),
    )
    finished[state == OPEN] = NEVER
    return finished


def _states(unit: Unit) -> Flags:
    counts = [unit.on_time, unit.handled - unit.on_time, unit.due - unit.handled, unit.carried]
    return np.repeat(np.arange(4, dtype=np.int8), counts)


def _outcomes(rng: np.random.Generator, unit: Unit) -> tuple[Flags, Flags, Flags]:
    """State, rework and callback result (an index of RESULTS) of one unit's tickets."""
    state = _states(unit)
    reworked = np.zeros(state.size, np.int8)
    reworked[rng.permutation(unit.due)[: unit.reworked]] = 1
    # Only finished tickets are called back; `_states` puts them first and the carried ones last.
    called = rng.permutation(unit.handled)[: unit.callbacks - unit.carried]
    called = rng.permutation(np.concatenate([called, np.arange(unit.due, state.size)]))
    result = np.zeros(state.size, np.int8)
    result[called] = 1 + (rng.integers(3, size=called.size) == 0)
    result[called[: unit.dissatisfied]] = RESULTS.index("dissatisfied")
    return state, reworked, result


def _deal(
    rng: np.random.Generator, counts: Mapping[str, int], carried: NDArray[np.bool_]
) -> tuple[list[str], Flags]:
    """Assign codes: due tickets get exactly the counts, carried ones any code but the last."""
    codes = list(counts)
    dealt = rng.integers(len(codes) - 1, size=carried.size, dtype=np.int8)
    pool = np.repeat(np.arange(len(codes), dtype=np.int8), list(counts.values()))
    dealt[~carried] = rng.permutation(pool)
    return codes, dealt


def _pick(values: Sequence[str], index: NDArray[Any]) -> pl.Series:
    """Values by index, "" as null."""
    return pl.Series([value or None for value in values], dtype=pl.String).gather(index)


def _sequence(days: NDArray[Any], part: slice) -> NDArray[np.int64]:
    """Running numbers from 1 within each day, for a part of a sorted vector of days."""
    positions = np.arange(days.size)[part]
    return positions - np.searchsorted(days, days[part]) + 1


def _business_id(prefix: str, at: pl.Series, sequence: NDArray[np.int64]) -> pl.Series:
    number = pl.Series(sequence).cast(pl.String).str.zfill(6)
    return prefix + at.dt.strftime("%Y%m%d") + number


def _fictitious(number: NDArray[np.int64], letter: str, first: int) -> list[pl.Series]:
    """Person, telephone, address and text: obviously invented values that can be searched for."""
    count = pl.Series(number).cast(pl.String).str.zfill(4)
    digits = pl.Series(number + first).cast(pl.String).str.zfill(8)
    return [
        f"虚构人{letter}" + count,
        "000-" + digits.str.slice(0, 4) + "-" + digits.str.slice(4),
        "虚构路" + pl.Series(number).cast(pl.String) + "号",
        f"虚构内容：{letter}类事项" + count,
    ]


def tickets(plan: Plan) -> Iterator[pl.DataFrame]:
    """Tickets in chunks, sorted by (dispatched_at, work_order_id)."""
    rng, calendar = _generator(plan, 1), Calendar(plan.quarter)
    drawn = [_outcomes(rng, unit) for unit in plan.tickets]
    state, reworked, result = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
    sizes = [unit.due + unit.carried for unit in plan.tickets]
    unit = np.repeat(np.arange(len(sizes), dtype=np.int16), sizes)

    # One row in twenty has a variant of the name: an alias, or a trailing blank that nobody sees.
    spellings = [[u.name, *u.other_names, f"{u.name} ", f"{u.name}\u3000"] for u in plan.tickets]
    choices = np.array([len(names) for names in spellings], np.int16)
    first = (np.cumsum(choices) - choices).astype(np.int16)
    odd = rng.integers(20, size=unit.size, dtype=np.int8) == 0
    spelling = first[unit] + odd * rng.integers(1, choices[unit], dtype=np.int16)
    names = [name for group in spellings for name in group]

    types, request_type = _deal(rng, plan.request_types, state == CARRIED)
    categories, category = _deal(rng, plan.categories, state == CARRIED)
    dispatched, deadline = _due_dates(rng, calendar, state)
    received = dispatched - _between(rng, 5, np.full(state.size, 120))
    finished = _finish(rng, calendar, state, dispatched, deadline)
    earliest = np.maximum(finished + 10, calendar.start)
    called_back = _between(rng, earliest, np.minimum(earliest + 3 * DAY, calendar.end - 1))
    called_back[result == 0] = NEVER

    order = np.argsort(dispatched, kind="stable")
    days = dispatched[order] // DAY
    for start in range(0, max(order.size, 1), CHUNK):
        part = slice(start, start + CHUNK)
        take = order[part]
        at = calendar.times(dispatched[take])
        person = _fictitious(np.arange(order.size)[part] + 1, "甲", 0)
        yield pl.DataFrame(
            {
                "work_order_id": _business_id("YX", at, _sequence(days, part)),
                "received_at": calendar.times(received[take]),
                "dispatched_at": at,
                "unit_name": _pick(names, spelling[take]),
                "evaluation_group": _pick([u.group for u in plan.tickets], unit[take]),
                "request_type": _pick(types, request_type[take]),
                "category": _pick(categories, category[take]),
                "deadline_at": calendar.times(deadline[take]),
                "finished_at": calendar.times(finished[take]),
                "is_reworked": _pick(["false", "true"], reworked[take]),
                "called_back_at": calendar.times(called_back[take]),
                "callback_result": _pick(RESULTS, result[take]),
                "caller_name": person[0],
                "caller_telephone": person[1],
                "caller_address": person[2],
                "request_text": person[3],
            }
        )


def letters(plan: Plan) -> Iterator[pl.DataFrame]:
    """Letters, one per row, sorted by (dispatched_at, letter_id)."""
    rng, calendar = _generator(plan, 2), Calendar(plan.quarter)
    state = np.concatenate([_states(unit) for unit in plan.letters])
    names = np.repeat([unit.name for unit in plan.letters], [unit.due for unit in plan.letters])
    dispatched, deadline = _due_dates(rng, calendar, state)
    finished = _finish(rng, calendar, state, dispatched, deadline)
    answered = rng.permutation(np.flatnonzero(finished != NEVER))
    result = np.zeros(state.size, np.int8)
    result[answered] = RESULTS.index("dissatisfied")
    satisfied = answered[: plan.satisfied_letters]
    result[satisfied] = 1 + (rng.integers(3, size=satisfied.size) == 0)
    mailbox = rng.integers(len(MAILBOXES), size=state.size)

    order = np.argsort(dispatched, kind="stable")
    at = calendar.times(dispatched[order])
    person = _fictitious(np.arange(order.size) + 1, "乙", 80_000_000)
    yield pl.DataFrame(
        {
            "letter_id": _business_id("XJ", at, _sequence(dispatched[order] // DAY, slice(None))),
            "mailbox": _pick(MAILBOXES, mailbox[order]),
            "dispatched_at": at,
            "unit_name": pl.Series(names[order], dtype=pl.String),
            "deadline_at": calendar.times(deadline[order]),
            "finished_at": calendar.times(finished[order]),
            "satisfaction": _pick(RESULTS, result[order]),
            "sender_name": person[0],
            "sender_telephone": person[1],
            "letter_text": person[3],
        }
    )


def suggestions(plan: Plan) -> Iterator[pl.DataFrame]:
    """Suggestions, one row per suggestion and unit, sorted by (suggestion_id, unit)."""
    rng, calendar = _generator(plan, 3), Calendar(plan.quarter)
    state = np.concatenate([_states(unit) for unit in plan.suggestions])
    names = np.repeat([u.name for u in plan.suggestions], [u.due for u in plan.suggestions])
    # Assigned in rotation, so that a unit (in consecutive rows) never gets a suggestion twice.
    item = np.arange(state.size) % max(1, plan.distinct_suggestions)
    # One dispatch and one deadline for all units of a suggestion, early enough for any outcome.
    early = np.full(plan.distinct_suggestions, LATE, np.int8)
    dispatched, deadline = _due_dates(rng, calendar, early)
    by_time = np.argsort(dispatched, kind="stable")
    dispatched, deadline = dispatched[by_time], deadline[by_time]
    finished = _finish(rng, calendar, state, dispatched[item], deadline[item])

    order = np.argsort(item, kind="stable")
    rows = item[order]
    sequence = _sequence(dispatched // DAY, slice(None))
    at = calendar.times(dispatched[rows])
    person = _fictitious(rows + 1, "丙", 90_000_000)
    yield pl.DataFrame(
        {
            "suggestion_id": _business_id("WJ", at, sequence[rows]),
            "dispatched_at": at,
            "unit_name": pl.Series(names[order], dtype=pl.String),
            "deadline_at": calendar.times(deadline[rows]),
            "finished_at": calendar.times(finished[order]),
            "member_name": person[0],
            "member_telephone": person[1],
            "suggestion_text": person[3],
        }
    )
