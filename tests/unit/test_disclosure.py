"""Small counts: what is hidden, and that it can't be worked out from what is shown."""

from collections import defaultdict
from itertools import accumulate, product

import pytest
from attack import attack
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestration.common.privacy import PrivacySettings
from orchestration.publish.disclosure import HIDDEN, largest_first, mask

HOTLINE, MAILBOX, BY_MAILBOX, SUGGESTION = (
    "hotline_unit_quarter",
    "mailbox_unit_quarter",
    "mailbox_unit_mailbox_quarter",
    "suggestion_unit_quarter",
)
CASES = ("due_count", "handled_count", "on_time_count", "rework_count")
CALLS = ("callback_count", "dissatisfied_count")
LETTERS = ("due_count", "handled_count", "on_time_count", "overdue_count")
RATES = {
    "completion_rate": ("handled_count", "due_count"),
    "on_time_rate": ("on_time_count", "due_count"),
    "rework_rate": ("rework_count", "due_count"),
    "dissatisfaction_rate": ("dissatisfied_count", "callback_count"),
}
# No zero of these is hidden.
NEVER_ZERO = ("due_count", "callback_count", "ticket_count")


def hotline(code, *counts, group="A"):
    row = dict(zip((*CASES, *CALLS), counts, strict=True))
    row |= {
        "unit_code": code,
        "evaluation_group": group,
        "is_rated": row["due_count"] > 0,
        "composite_index": 90,
        "rank_in_group": 1 if row["due_count"] else None,
    }
    return row | {
        rate: row[part] / row[whole] if row[whole] else None
        for rate, (part, whole) in RATES.items()
    }


def letter_counts(on_time, late, past_deadline, running):
    return {
        "due_count": on_time + late + past_deadline + running,
        "handled_count": on_time + late,
        "on_time_count": on_time,
        "overdue_count": late + past_deadline,
    }


def topics(mart, **counts):
    key, total = mart.split("_", 1)[1].removesuffix("_quarter"), sum(counts.values())
    return {mart: [{key: k, "ticket_count": n, "share": n / total} for k, n in counts.items()]}


def masked(rows, threshold, mart=HOTLINE):
    return mask({mart: rows}, threshold)[mart]


def column(rows, measure):
    return [row[measure] for row in rows]


def test_a_hidden_figure_is_printed_and_never_reckoned_with():
    assert f"{HIDDEN}" == str(HIDDEN) == "＊"
    for wrong in (
        lambda: HIDDEN + 1,
        lambda: 1 - HIDDEN,
        lambda: sum([HIDDEN]),
        lambda: HIDDEN > 0,
        lambda: sorted([HIDDEN, 1]),
        lambda: HIDDEN or 0,
        lambda: f"{HIDDEN:f}",
        lambda: int(HIDDEN),
    ):
        with pytest.raises(TypeError):
            wrong()
    assert sorted([3, HIDDEN, 7], key=largest_first) == [7, 3, HIDDEN]


def test_a_threshold_that_hides_nothing_is_refused():
    assert PrivacySettings().small_count_threshold is None
    for wrong in (1, 0, -3):
        with pytest.raises(ValidationError):
            PrivacySettings(small_count_threshold=wrong)


def test_what_is_large_enough_stays_as_it_is():
    marts = {
        HOTLINE: [hotline("a", 9, 9, 9, 0, 9, 0), hotline("b", 12, 12, 12, 6, 12, 6)],
        "channel_quarter": [{"channel": "mailbox", "assignment_count": 1}],
    }
    assert mask(marts, 5) == marts


def test_one_small_topic_takes_the_smallest_other_with_it_and_never_a_zero():
    """2 alone is total less the others. With 7, the two are 9 together: 1 and 8 to 8 and 1."""
    mart = "hotline_category_quarter"
    rows = mask(topics(mart, noise=40, trees=7, lamps=2, signs=0, water=30), 5)[mart]
    assert column(rows, "ticket_count") == [40, HIDDEN, HIDDEN, 0, 30]
    assert column(rows, "share") == [40 / 79, HIDDEN, HIDDEN, 0, 30 / 79]


def test_two_small_ones_need_a_third_if_they_leave_each_other_no_room():
    """1 and 2 are 3 together: neither could be 5. With 7 they are 10, and any could be 8.

    That is 2022Q2: one suggestion, two times praise, seven reports.
    """
    counts = {"complaint": 834, "help": 1032, "suggestion": 1, "praise": 2, "report": 7}
    mart = "hotline_request_type_quarter"
    rows = mask(topics(mart, **counts, untyped=137), 5)[mart]
    assert column(rows, "ticket_count") == [834, 1032, HIDDEN, HIDDEN, HIDDEN, 137]


def test_a_change_goes_with_either_of_its_counts():
    rows = [
        {"category": code, "ticket_count": now, "share": 0.5, "previous_count": before,
         "quarter_on_quarter_change": change}
        for code, now, before, change in (
            ("a", 90, 4, 21.5), ("b", 80, 60, 0.3333), ("c", 70, 50, 0.4), ("d", 60, None, None),
        )
    ]  # fmt: skip
    rows = masked(rows, 5, "hotline_category_quarter")
    assert column(rows, "ticket_count") == [90, 80, 70, 60]
    assert column(rows, "previous_count") == [HIDDEN, 60, HIDDEN, None]
    assert column(rows, "quarter_on_quarter_change") == [HIDDEN, 0.3333, HIDDEN, None]


def test_what_is_made_of_a_hidden_count_is_hidden_and_nothing_else():
    rows = [
        hotline("a", 50, 50, 50, 2, 40, 8),
        hotline("b", 30, 30, 30, 6, 30, 0),
        hotline("c", 20, 20, 20, 9, 20, 7),
        hotline("d", 0, 0, 0, 0, 0, 0),
        hotline("e", 25, 25, 25, 0, 25, 0, group="other"),
    ]
    parts = [
        {"unit_code": row["unit_code"], "component": "rework", "weight": 0.2, "points": 19,
         "numerator": row["rework_count"], "denominator": row["due_count"], "rate": 0}
        for row in rows
    ]  # fmt: skip
    shown = mask({HOTLINE: rows, "index_component_unit_quarter": parts}, 5)
    units = shown[HOTLINE]
    # 2 of 17 sent back; with the next smallest, 6, the two are 8: 1 to 7.
    assert column(units, "rework_count") == [HIDDEN, HIDDEN, 9, 0, 0]
    assert column(units, "rework_rate") == [HIDDEN, HIDDEN, 0.45, None, 0]
    assert column(units, "composite_index") == [HIDDEN, HIDDEN, 90, 90, 90]
    # Of a group without all indexes, a rank would tell where a missing one lies.
    assert column(units, "rank_in_group") == [HIDDEN, HIDDEN, HIDDEN, None, 1]
    for measure in set(units[0]) - {
        *("rework_count", "rework_rate", "composite_index", "rank_in_group")
    }:
        assert column(units, measure) == column(rows, measure), measure
    hidden = ("numerator", "denominator", "rate", "points")
    components = shown["index_component_unit_quarter"]
    for before, row in zip(parts, components, strict=True):
        is_hidden = row["unit_code"] in "ab"
        assert row == (before | dict.fromkeys(hidden, HIDDEN) if is_hidden else before)


def test_a_count_that_only_a_subtraction_gives_is_protected_too():
    """a: 2 of 40 callers weren't dissatisfied, b: 1 of 60 tickets is unfinished."""
    rows = [
        hotline("a", 70, 70, 70, 0, 40, 38),
        hotline("b", 60, 59, 59, 0, 90, 20),
        hotline("c", 80, 80, 80, 0, 80, 15),
    ]
    a, b, _ = masked(rows, 5)
    assert HIDDEN in (a["callback_count"], a["dissatisfied_count"])
    assert HIDDEN in (b["due_count"], b["handled_count"])
    assert a["dissatisfaction_rate"] is b["completion_rate"] is HIDDEN
    assert column(masked(rows, 2)[:1], "dissatisfied_count") == [38]


def test_a_zero_is_hidden_only_where_nothing_else_is_left():
    """The district's one reworked ticket: a zero beside it hides whose it was."""
    rows = [
        hotline(code, 20, 20, 20, count, 20, 0) for code, count in (("a", 1), ("b", 0), ("c", 0))
    ]
    assert sorted(map(str, column(masked(rows, 5), "rework_count"))) == ["0", "＊", "＊"]
    assert masked(rows, 5)[0]["rework_count"] is HIDDEN


def test_mailboxes_add_up_to_their_unit_and_units_to_the_district():
    def row(unit, count, mailbox=None):
        counts = letter_counts(count, 0, 0, 0)
        return {"unit_code": unit, **({"mailbox": mailbox} if mailbox else {}), **counts}

    marts = {
        MAILBOX: [row("a", 20), row("b", 30), row("c", 3)],
        BY_MAILBOX: [
            row("a", 18, "mayor"), row("a", 2, "head"), row("b", 15, "mayor"), row("b", 15, "head"),
            row("c", 3, "mayor"),
        ],
        "unit_quarter": [
            {"unit_code": code, "hotline_due_count": 0, "hotline_composite_index": None,
             "mailbox_due_count": count, "mailbox_on_time_count": count, "suggestion_due_count": 0,
             "suggestion_on_time_count": 0, "total_due_count": count}
            for code, count in (("a", 20), ("b", 30), ("c", 3), ("d", 0))
        ],
    }  # fmt: skip
    shown = mask(marts, 5)
    assert column(shown[MAILBOX], "due_count") == [HIDDEN, 30, HIDDEN]
    assert column(shown[BY_MAILBOX], "due_count") == [HIDDEN, HIDDEN, 15, 15, HIDDEN]
    for measure in ("mailbox_due_count", "mailbox_on_time_count", "total_due_count"):
        assert column(shown["unit_quarter"], measure) == [HIDDEN, 30, HIDDEN, 0]
    assert column(shown["unit_quarter"], "hotline_due_count") == [0, 0, 0, 0]


# What a reader can work out, found by trying every table: nothing is shared with the module.


def case_worlds(due):
    for on_time, late, unfinished in product(range(due + 1), repeat=3):
        if (cases := on_time + late + unfinished) <= due:
            for rework in range(cases + 1):
                yield {
                    "due_count": cases, "handled_count": on_time + late, "on_time_count": on_time,
                    "rework_count": rework, "unfinished": unfinished, "late": late,
                    "not_on_time": late + unfinished, "not_reworked": cases - rework,
                }  # fmt: skip


def call_worlds(calls):
    for count in range(calls + 1):
        for dissatisfied in range(count + 1):
            yield {
                "callback_count": count, "dissatisfied_count": dissatisfied,
                "satisfied": count - dissatisfied,
            }  # fmt: skip


def letter_worlds(due):
    for atoms in product(range(due + 1), repeat=4):
        if sum(atoms) <= due:
            _, late, past, running = atoms
            yield letter_counts(*atoms) | {
                "late": late, "past": past, "running": running, "unfinished": past + running,
                "not_on_time": late + past + running,
            }  # fmt: skip


def least(rows, shown, measures):
    """What a reader may know of a hidden count at best: whether it can be a zero.

    It can where one is hidden, or would be: in a column that shows nothing else.
    """
    return {
        measure: int(
            measure in NEVER_ZERO
            or (
                any(row[measure] is not HIDDEN and row[measure] for row in shown)
                and not any(
                    now[measure] is HIDDEN and not row[measure]
                    for row, now in zip(rows, shown, strict=True)
                )
            )
        )
        for measure in measures
    }


def fitting(worlds, row, floors):
    return [
        world
        for world in worlds
        if all(
            world[measure] >= floor if row[measure] is HIDDEN else world[measure] == row[measure]
            for measure, floor in floors.items()
        )
    ]


def possible(units, totals):
    """Each unit's values by measure over all tables that fit: (unit, measure) -> set.

    Args:
        units: the rows that each unit by itself could have.
        totals: what measures add up to.
    """
    end = tuple(totals.values())

    def vector(world):
        return tuple(world[measure] for measure in totals)

    def plus(sums, worlds):
        added = {
            tuple(map(sum, zip(a, b, strict=True))) for a in sums for b in set(map(vector, worlds))
        }
        return {found for found in added if all(x <= y for x, y in zip(found, end, strict=True))}

    zero = {tuple(0 for _ in end)}
    before = [*accumulate(units, plus, initial=zero)]
    after = [*accumulate(reversed(units), plus, initial=zero)][::-1]
    values = defaultdict(set)
    for place, worlds in enumerate(units):
        around = {
            tuple(map(sum, zip(a, b, strict=True))) for a in before[place] for b in after[place + 1]
        }
        for world in worlds:
            if tuple(t - x for t, x in zip(end, vector(world), strict=True)) in around:
                for measure, value in world.items():
                    values[place, measure].add(value)
    return values


def given_away(rows, shown, threshold, measures, make_worlds):
    """Small counts, printed or not, that every table that fits what is shown has alike."""
    totals = {measure: sum(column(rows, measure)) for measure in measures}
    worlds = list(make_worlds(totals[measures[0]]))
    floors = least(rows, shown, measures)
    values = possible([fitting(worlds, row, floors) for row in shown], totals)
    found = set()
    for place, row in enumerate(rows):
        (own,) = fitting(worlds, row, dict.fromkeys(measures, 0))
        for measure, value in own.items():
            assert value in values[place, measure], "the true table fits"
            if 0 < value < threshold and len(values[place, measure]) == 1:
                found.add((place, measure))
    return found


def is_safe(rows, shown, threshold, measures, make_worlds):
    """Whether nothing small is given away but what no hiding would keep.

    Two units with a ticket each, and a total of two, have one each whatever is hidden.
    """
    found = given_away(rows, shown, threshold, measures, make_worlds)
    if not found:
        return True
    whole = measures[0]
    none = [row | (dict.fromkeys(measures, HIDDEN) if row[whole] else {}) for row in rows]
    return found <= given_away(rows, none, threshold, measures, make_worlds)


parts = st.tuples(st.integers(0, 2), st.sampled_from((0, 0, 1)), st.sampled_from((0, 0, 1)))
calls = st.tuples(st.integers(0, 5), st.sampled_from((0, 1, 4)))


@st.composite
def units(draw):
    found = []
    for place in range(draw(st.integers(2, 3))):
        on_time, late, unfinished = draw(parts)
        due = on_time + late + unfinished
        rework = min(due, draw(st.sampled_from((0, 0, 1, 2))))
        dissatisfied, satisfied = draw(calls)
        cases = (due, on_time + late, on_time, rework)
        found.append(hotline(f"u{place}", *cases, dissatisfied + satisfied, dissatisfied))
    return found


@settings(max_examples=40, deadline=None)
@given(rows=units(), threshold=st.integers(2, 4))
def test_no_small_count_of_the_hotline_can_be_worked_out(rows, threshold):
    assume(sum(column(rows, "due_count")) <= 6)
    shown = masked(rows, threshold)
    assert is_safe(rows, shown, threshold, CASES, case_worlds)
    assert is_safe(rows, shown, threshold, CALLS, call_worlds)


@settings(max_examples=30, deadline=None)
@given(
    atoms=st.lists(
        st.tuples(st.integers(1, 2), *[st.sampled_from((0, 0, 1))] * 3), min_size=2, max_size=3
    ),
    threshold=st.integers(2, 4),
)
def test_no_small_count_of_a_channel_can_be_worked_out(atoms, threshold):
    rows = [{"unit_code": f"u{n}", **letter_counts(*each)} for n, each in enumerate(atoms)]
    assume(sum(column(rows, "due_count")) <= 6)
    shown = masked(rows, threshold, MAILBOX)
    assert is_safe(rows, shown, threshold, LETTERS, letter_worlds)


@settings(max_examples=60, deadline=None)
@given(counts=st.lists(st.integers(0, 12), min_size=2, max_size=6), threshold=st.integers(2, 5))
def test_of_topics_any_small_one_could_be_as_large_as_the_threshold(counts, threshold):
    """Those hidden add up to what the total leaves, and each can be what the others leave."""
    mart = "hotline_request_type_quarter"
    rows = [
        {"request_type": f"t{n}", "ticket_count": n_, "share": 0} for n, n_ in enumerate(counts)
    ]
    shown = column(masked(rows, threshold, mart), "ticket_count")
    hidden = [n for n, told in zip(counts, shown, strict=True) if told is HIDDEN]
    assert all(told is HIDDEN or told in (0, n) for n, told in zip(counts, shown, strict=True))
    assert 0 not in hidden
    assert all(n in hidden for n in counts if 0 < n < threshold)
    is_all = len(hidden) == sum(n > 0 for n in counts)
    assert not hidden or is_all or sum(hidden) - (len(hidden) - 1) >= threshold
    assert len(hidden) != 1 or is_all


def letters_of(*due):
    return [{"unit_code": f"u{n}"} | letter_counts(count, 0, 0, 0) for n, count in enumerate(due)]


@pytest.mark.parametrize("due", [(1, 1, 1, 1), (1,), (3,), (2, 0, 0), (1, 1), (1, 1, 1)])
def test_a_total_goes_that_gives_every_count_away(due):
    """Four units with a letter each: all hidden, and a total of four, are four times one."""
    total = sum(due)
    channels = [
        {"channel": name, "assignment_count": total, "distinct_item_count": total,
         "handled_count": total, "on_time_count": total, "satisfaction_rate": 1}
        for name in ("mailbox", "hotline")
    ]  # fmt: skip
    shown = mask({MAILBOX: letters_of(*due), "channel_quarter": channels}, 5)
    assert all(told in (0, HIDDEN) for told in column(shown[MAILBOX], "due_count"))
    mailbox, hotline_ = shown["channel_quarter"]
    assert {value for name, value in mailbox.items() if name != "channel"} == {HIDDEN}
    assert hotline_ == channels[1]


@pytest.mark.parametrize("due", [(1, 1, 1, 1, 9), (4, 4), (1, 2, 2, 0), (30, 1, 20)])
def test_a_total_stays_that_leaves_room(due):
    channels = [{"channel": "mailbox", "assignment_count": sum(due)}]
    shown = mask({MAILBOX: letters_of(*due), "channel_quarter": channels}, 5)
    assert shown["channel_quarter"] == channels


def test_shares_of_topics_go_with_the_total_of_tickets():
    """A share and its count would give the total, and three topics of one ticket each with it."""
    marts = topics("hotline_category_quarter", noise=1, trees=1, lamps=1)
    marts |= {"hotline_district_quarter": [{"due_count": 3, "completion_rate": 1, "unit_count": 9}]}
    shown = mask(marts, 5)
    assert column(shown["hotline_category_quarter"], "share") == [HIDDEN] * 3
    (district,) = shown["hotline_district_quarter"]
    assert district == {"due_count": HIDDEN, "completion_rate": HIDDEN, "unit_count": 9}


def test_no_reader_of_all_that_is_published_works_a_small_count_out(request):
    """`make test-attack` tries two thousand districts."""
    tried = 0
    for seed in range(request.config.getoption("districts")):
        found, count = attack(seed)
        tried += count
        assert not found, f"district {seed}: {sorted(found)[:5]}"
    print(f"{tried} hidden small counts attacked, none worked out")
    assert tried > request.config.getoption("districts")


def test_the_reader_does_find_what_is_given_away(monkeypatch):
    """The same attack on what only hides what is small: most districts give something away."""
    monkeypatch.setattr("orchestration.publish.small_counts._unsafe", lambda *_: None)
    monkeypatch.setattr("orchestration.publish.small_counts._Reader.known", lambda *_: set())
    assert sum(bool(attack(seed)[0]) for seed in range(6)) >= 4
