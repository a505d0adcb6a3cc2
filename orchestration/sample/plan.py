"""The plan of a sample: counts per unit, derived from a bulletin or invented for a given size.

Counts are exact integers. Single rows, times and files don't belong here.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from orchestration.common.quarters import Quarter
from orchestration.reading.contracts import Contract

Row = dict[str, str]
Figures = dict[str, str]  # printed measure -> printed value, of one printed row

SEED = 2022


@dataclass(frozen=True)
class Unit:
    """One unit's counts in one channel, under the name that the export writes."""

    name: str
    due: int
    handled: int
    on_time: int
    group: str = ""  # code of the evaluation group; empty where the channel writes none
    reworked: int = 0
    callbacks: int = 0  # completed in the quarter, those on carried tickets included
    dissatisfied: int = 0
    carried: int = 0  # dispatched in the quarter before, called back in this one
    other_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """The totals that the rows of a quarter's three exports must have.

    `request_types` and `categories` count due tickets by code. The last entry has the remainder,
    and the code "" means an empty cell.
    """

    quarter: Quarter
    tickets: Sequence[Unit]
    request_types: Mapping[str, int]
    categories: Mapping[str, int]
    letters: Sequence[Unit]
    satisfied_letters: int
    suggestions: Sequence[Unit]
    distinct_suggestions: int
    seed: int = SEED


def basis_points(part: int, whole: int) -> int:
    """Ratio of part to whole in hundredths of a percent, rounded half up."""
    return (20_000 * part + whole) // (2 * whole)


def printed_basis_points(text: str) -> int:
    """A printed rate such as `27.85%` in hundredths of a percent."""
    return int(Decimal(text.removesuffix("%")) * 100)


def apportion(total: int, weights: Sequence[int]) -> list[int]:
    """Split a total by integer weights with the largest remainder method; ties go to the first."""
    whole = sum(weights) or 1
    shares = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    for i in by_remainder[: total - sum(shares)]:
        shares[i] += 1
    return shares


def _only(candidates: Iterable[int], what: str) -> int:
    found = list(candidates)
    if len(found) != 1:
        raise ValueError(f"{what}: exactly one integer must fit the printed rate, found {found}")
    return found[0]


def _read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _printed_rows(figures: list[Row], table: str) -> list[tuple[str, str, Figures]]:
    """(printed group, printed name, figures) of each row of one table, in printed order."""
    printed: dict[int, tuple[str, str, Figures]] = {}
    for row in figures:
        if row["table"] == table:
            empty: Figures = {}
            place = (row["printed_group"], row["printed_name"], empty)
            printed.setdefault(int(row["row"]), place)[2][row["measure"]] = row["printed_value"]
    return [printed[number] for number in sorted(printed)]


def _aliases(seeds: Path, quarter: Quarter) -> list[Row]:
    """The aliases for all sources that are valid throughout the quarter and the one before it."""
    first, last = quarter.previous.start.isoformat(), quarter.end.isoformat()
    return [
        row
        for row in _read(seeds / "unit_alias.csv")
        if row["source"] == "*" and row["valid_from"] <= first and not "" < row["valid_to"] < last
    ]


def _hotline_unit(
    name: str, group: str, cells: Mapping[str, str], callbacks: int, other_names: tuple[str, ...]
) -> Unit:
    handled = int(cells["办理数"])
    return Unit(
        name=name,
        group=group,
        due=int(cells["应办理数"]),
        handled=handled,
        on_time=int(cells["按期办理数"]),
        reworked=int(cells["返工数"]),
        callbacks=callbacks,
        dissatisfied=int(cells["回访不满意数"]),
        carried=max(0, callbacks - handled),
        other_names=other_names,
    )


def _other_names(aliases: list[Row], name: str, group: str) -> tuple[str, ...]:
    """Further names that, written with this group, can only mean the same unit."""
    fitting = [row for row in aliases if row["evaluation_group"] in ("", group)]
    unit_code = next(row["unit_code"] for row in fitting if row["alias_name"] == name)
    return tuple(
        row["alias_name"]
        for row in fitting
        if row["unit_code"] == unit_code and row["alias_name"] != name
    )


def _values(contract: Contract, column: str) -> dict[str, str]:
    return next(item.values for item in contract.columns if item.name == column)


def _codes(seeds: Path, name: str, contract: Contract) -> dict[str, str]:
    """A code seed as bulletin label -> code; "" where the export has no written value for it."""
    written = _values(contract, name).values()
    rows = sorted(_read(seeds / f"{name}.csv"), key=lambda row: int(row["display_order"]))
    return {row["bulletin_label"]: row[name] if row[name] in written else "" for row in rows}


def _callback_counts(units: list[tuple[str, str, Figures]], total: Figures) -> list[int]:
    """Completed callbacks per unit: the denominators of 回访不满意率, which aren't printed.

    If anybody was dissatisfied, only one integer gives the printed rate. The rest of the total
    row's denominator is split among the other units in proportion to the tickets they handled.
    """
    counts = []
    for _, name, figures in units:
        part, rate = int(figures["回访不满意数"]), printed_basis_points(figures["回访不满意率"])
        # Carried tickets can lift callbacks above the due tickets, though not by much.
        bound = max(part, int(figures["应办理数"]) * 3 // 2 + 10)
        fits = (n for n in range(max(part, 1), bound + 1) if basis_points(part, n) == rate)
        counts.append(_only(fits, name) if part else 0)
    spare = [0 if n else int(unit[2]["办理数"]) for n, unit in zip(counts, units, strict=True)]
    known, most = sum(counts), sum(counts) + sum(spare)
    part, rate = int(total["回访不满意数"]), printed_basis_points(total["回访不满意率"])
    fits = (n for n in range(max(known, 1), most + 1) if basis_points(part, n) == rate)
    rest = apportion(_only(fits, "total row") - known, spare)
    return [known_count + share for known_count, share in zip(counts, rest, strict=True)]


def from_bulletin(bulletin: Path, seeds: Path, contracts: Mapping[str, Contract]) -> Plan:
    """The plan whose totals are the published figures.

    Raises:
        ValueError: no count, or more than one, gives a printed rate.
        KeyError: a figure that is needed isn't in the bulletin.
    """
    figures = _read(bulletin)
    (document,) = {row["document"] for row in figures}
    quarter = Quarter.parse(document)
    *hotline, (_, _, total) = _printed_rows(figures, "appendix_1")
    *mailbox, (_, _, mailbox_total) = _printed_rows(figures, "appendix_2")
    *advisory, _ = _printed_rows(figures, "appendix_3")
    text = {(row["printed_name"], row["measure"]): row["printed_value"] for row in figures}
    aliases = _aliases(seeds, quarter)
    groups = _values(contracts["bulletin"], "printed_group")

    tickets = [
        _hotline_unit(
            name, groups[group], cells, callbacks, _other_names(aliases, name, groups[group])
        )
        for (group, name, cells), callbacks in zip(
            hotline, _callback_counts(hotline, total), strict=True
        )
    ]

    def counts(seed_name: str) -> dict[str, int]:
        codes = _codes(seeds, seed_name, contracts["ticket"])
        *published, rest = codes
        found = {codes[label]: int(text[label, "件数"]) for label in published}
        return {**found, codes[rest]: sum(unit.due for unit in tickets) - sum(found.values())}

    finished = int(mailbox_total["已办结数"])
    rate = printed_basis_points(text["市长信箱、区长信箱", "群众满意率"])
    return Plan(
        quarter=quarter,
        tickets=tickets,
        request_types=counts("request_type"),
        categories=counts("category"),
        letters=[
            Unit(name, int(cells["应办理数"]), int(cells["已办结数"]), int(cells["按期办结"]))
            for _, name, cells in mailbox
        ],
        satisfied_letters=_only(
            (n for n in range(finished + 1) if basis_points(n, finished) == rate), "letters"
        ),
        # Appendix 3 prints what was finished in time; the rest is overdue and unfinished.
        suggestions=[
            Unit(name, int(cells["应办理数"]), int(cells["按期办理数"]), int(cells["按期办理数"]))
            for _, name, cells in advisory
        ],
        distinct_suggestions=int(text["政协云微建议", "应办理数"]),
    )


def synthetic(
    tickets: int, quarter: str, seeds: Path, contracts: Mapping[str, Contract], seed: int
) -> Plan:
    """A plausible plan of any size; units, types and categories follow the power law 1 / rank.

    The shares below are similar to the published quarter's, with some lateness added.
    """
    period = Quarter.parse(quarter)
    aliases = _aliases(seeds, period)
    names = {row["unit_code"]: row["unit_name"] for row in _read(seeds / "unit.csv")}
    grouped = [(row["unit_code"], row["evaluation_group"]) for row in _groups(seeds, period)]

    def per_mille(count: int, share: int) -> int:
        return (2 * count * share + 1000) // 2000

    def ranked(total: int, count: int) -> list[int]:
        return apportion(total, [10**9 // rank for rank in range(1, count + 1)])

    hotline = []
    for (code, group), due in zip(grouped, ranked(tickets, len(grouped)), strict=True):
        handled, carried = per_mille(due, 995), per_mille(due, 30)
        callbacks = carried + per_mille(handled, 920)
        hotline.append(
            Unit(
                name=names[code],
                group=group,
                due=due,
                handled=handled,
                on_time=min(handled, per_mille(due, 980)),
                reworked=per_mille(due, 30),
                callbacks=callbacks,
                dissatisfied=per_mille(callbacks, 150),
                carried=carried,
                other_names=_other_names(aliases, names[code], group),
            )
        )
    # The other channels write no group, so a name that needs one would stay unknown there.
    plain = {row["alias_name"] for row in aliases if not row["evaluation_group"]}
    ungrouped = [names[code] for code, _ in grouped if names[code] in plain]

    def channel(total: int) -> list[Unit]:
        counts = zip(ungrouped, ranked(total, len(ungrouped)), strict=True)
        return [Unit(name, due, due, per_mille(due, 980)) for name, due in counts]

    def shares(seed_name: str) -> dict[str, int]:
        codes = _codes(seeds, seed_name, contracts["ticket"]).values()
        return dict(zip(codes, ranked(tickets, len(codes)), strict=True))

    letters, suggestions = per_mille(tickets, 28), per_mille(tickets, 6)
    return Plan(
        quarter=period,
        tickets=hotline,
        request_types=shares("request_type"),
        categories=shares("category"),
        letters=channel(letters),
        satisfied_letters=per_mille(letters, 850),
        suggestions=channel(2 * suggestions),  # each goes to two units on average
        distinct_suggestions=suggestions,
        seed=seed,
    )


def _groups(seeds: Path, quarter: Quarter) -> list[Row]:
    """The evaluation groups in force on the quarter's first day, in printed order."""
    first = quarter.start.isoformat()
    held = [
        row
        for row in _read(seeds / "evaluation_group.csv")
        if row["valid_from"] <= first and not "" < row["valid_to"] <= first
    ]
    return sorted(held, key=lambda row: int(row["display_order"]))
