"""A small quarter as it really was, and its figures counted from it: no file, no SQL, no contract.

The edits write these rows into files in every way and damage them; what is published has to be what
is counted here, or nothing.
"""

import csv
import random
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction

from conftest import PROJECT

START, END = datetime(2022, 4, 1), datetime(2022, 7, 1)
TYPES = ("投诉", "咨询", "求助", "建议", "表扬", "举报")
CATEGORIES = (
    "人力资源和社会保障",
    "住房与城乡建设",
    "环境保护",
    "市场管理",
    "医疗卫生健康",
    "其他",
)
RESULTS = ("满意", "基本满意", "不满意")
MAILBOXES = ("市长信箱", "区长信箱")
GROUPS = {"A": "综合评价A类单位", "other": "其他单位"}
UNITS = 9


@dataclass(frozen=True)
class Item:
    """A ticket, a letter or a suggestion's assignment; what a source lacks is empty."""

    number: str
    unit: str
    name: str
    group: str
    dispatched: datetime
    deadline: datetime
    finished: datetime | None
    kind: str = ""
    category: str = ""
    is_reworked: bool = False
    called_back: datetime | None = None
    result: str = ""

    @property
    def is_due(self) -> bool:
        return START <= self.dispatched < END

    @property
    def is_handled(self) -> bool:
        return self.is_due and self.finished is not None and self.finished < END

    @property
    def is_on_time(self) -> bool:
        return self.is_handled and self.finished <= self.deadline

    @property
    def is_overdue(self) -> bool:
        return self.is_due and not self.is_on_time and self.deadline < END


Intended = dict[str, list[Item]]


def aliases() -> dict[str, list[str]]:
    """Written names by unit, of the units that have a group; only names of one unit."""
    seeds = PROJECT / "dbt_project" / "seeds"
    rows = list(csv.DictReader((seeds / "unit_alias.csv").open(encoding="utf-8-sig", newline="")))
    owners = Counter(row["alias_name"] for row in rows)
    names: dict[str, list[str]] = {}
    for row in rows:
        plain = row["source"] == "*" and not row["evaluation_group"] and not row["valid_to"]
        if plain and owners[row["alias_name"]] == 1 and row["valid_from"] <= "2022-01-01":
            names.setdefault(row["unit_code"], []).append(row["alias_name"])
    return names


def groups() -> dict[str, str]:
    path = PROJECT / "dbt_project" / "seeds" / "evaluation_group.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        return {row["unit_code"]: row["evaluation_group"] for row in csv.DictReader(file)}


def draw(chance: random.Random) -> Intended:
    """A quarter of a few units: 70 to 110 tickets, some carried over, a score of letters."""
    names, group_of = aliases(), groups()
    units = chance.sample(sorted(set(names) & set(group_of)), UNITS)

    def moments(carried: bool = False) -> tuple[datetime, datetime, datetime | None]:
        day = -chance.randint(2, 12) if carried else chance.randint(0, 88)
        dispatched = START + timedelta(days=day, hours=9, minutes=chance.randrange(480))
        deadline = dispatched + timedelta(days=chance.randint(3, 7))
        late = chance.random() < 0.15
        finished = deadline + timedelta(minutes=chance.randint(5, 3000) * (1 if late else -1) or 1)
        finished = max(finished, dispatched + timedelta(minutes=30))
        if not carried and chance.random() < 0.03:
            return dispatched, deadline, None
        return dispatched, deadline, finished

    def item(prefix: str, at: int, **more: object) -> Item:
        unit = chance.choice(units)
        dispatched, deadline, finished = moments(bool(more.pop("carried", False)))
        number = f"{prefix}{dispatched:%Y%m%d}{at:06d}"
        name = chance.choice(names[unit])
        return Item(number, unit, name, group_of[unit], dispatched, deadline, finished, **more)

    tickets = []
    for at in range(1, chance.randint(70, 110)):
        carried = chance.random() < 0.08
        ticket = item("YX", at, carried=carried, kind=chance.choice(TYPES))
        ticket = replace(
            ticket,
            category=chance.choice(CATEGORIES),
            is_reworked=chance.random() < 0.1,
        )
        after = (ticket.finished or END) + timedelta(hours=chance.randint(2, 90))
        if carried:
            after = max(after, START + timedelta(days=chance.randint(0, 20), hours=10))
        if ticket.finished and after < END and (carried or chance.random() < 0.97):
            result = chance.choices(RESULTS, (6, 2, 2))[0]
            ticket = replace(ticket, called_back=after, result=result)
        tickets.append(ticket)
    letters = [
        item("XJ", at, kind=chance.choice(MAILBOXES), result=chance.choice(RESULTS))
        for at in range(1, chance.randint(15, 25))
    ]
    suggestions = []
    for at in range(1, chance.randint(10, 16)):
        first = item("WJ", at)
        unit = chance.choice([unit for unit in units if unit != first.unit])
        second = replace(first, unit=unit, name=names[unit][0], group=group_of[unit])
        suggestions += [first, second] if chance.random() < 0.4 else [first]
    return {"ticket": tickets, "mailbox": letters, "suggestion": suggestions}


def figures(intended: Intended) -> dict[tuple[str, str, str], int | Fraction]:
    """Every figure by (table, subject, measure); zeros left out."""
    found: Counter[tuple[str, str, str]] = Counter()
    for ticket in intended["ticket"]:
        called = ticket.called_back is not None and START <= ticket.called_back < END
        counts = {
            "due_count": ticket.is_due,
            "handled_count": ticket.is_handled,
            "on_time_count": ticket.is_on_time,
            "rework_count": ticket.is_due and ticket.is_reworked,
            "callback_count": called,
            "dissatisfied_count": called and ticket.result == "不满意",
        }
        for measure, is_counted in counts.items():
            for subject in (ticket.unit, "district"):
                found["hotline", subject, measure] += is_counted
        found["request_type", ticket.kind, "ticket_count"] += ticket.is_due
        found["category", ticket.category, "ticket_count"] += ticket.is_due
    for source in ("mailbox", "suggestion"):
        for letter in intended[source]:
            counts = {
                "due_count": letter.is_due,
                "on_time_count": letter.is_on_time,
                "overdue_count": letter.is_overdue,
            }
            if source == "mailbox":
                counts["handled_count"] = letter.is_handled
            for measure, is_counted in counts.items():
                found[source, letter.unit, measure] += is_counted
    by_subject = {subject for table, subject, _ in found if table == "hotline"}
    index = {
        ("hotline", subject, "composite_index"): value
        for subject in by_subject
        if (value := _index(found, subject)) is not None
    }
    return {key: value for key, value in found.items() if value} | index


def _index(found: Counter[tuple[str, str, str]], subject: str) -> Fraction | None:
    """The method of 2022: 100 × (0.3 c + 0.3 o + 0.2 (1 − r) + 0.2 (1 − d)), half up to 0.1."""
    due, handled, on_time, rework, callbacks, dissatisfied = (
        found["hotline", subject, measure]
        for measure in (
            "due_count", "handled_count", "on_time_count", "rework_count", "callback_count",
            "dissatisfied_count",
        )
    )  # fmt: skip
    if not due:
        return None
    share = Fraction(dissatisfied, callbacks) if callbacks else Fraction(0)
    exact = 30 * Fraction(handled + on_time, due) + 20 * (1 - Fraction(rework, due))
    exact += 20 * (1 - share)
    return Fraction(int(exact * 10 + Fraction(1, 2)), 10)
