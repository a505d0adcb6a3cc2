"""Whole synthetic quarters for benchmarks: all four exports of a quarter, of any size, that agree.

The plan and the rows are those of `hotline sample`. Added here is what a benchmark needs beside
them: a bulletin worked out from the plan, so that the reconciliation has published figures to
compare and closes without an exception; seconds in the tickets' times, as real systems write; one
row in a thousand written twice, as real exports have it. The same arguments give the same bytes.
"""

import csv
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import polars as pl

from orchestration.catalogue.composite_index import composite_index
from orchestration.catalogue.tables import made_of
from orchestration.common.quarters import Quarter
from orchestration.common.rounding import half_up
from orchestration.common.settings import PROJECT_ROOT, contracts_root, seeds_root
from orchestration.lint.bulletin import Rules
from orchestration.reading.contracts import load_contracts
from orchestration.sample import EXCEL_UTF8, SHORT_TIMES, plan, rows
from orchestration.sample.files import write_csv

QUARTER = Quarter(2023, 2)
COUNTS = made_of("hotline_unit_quarter", "count")
RATES = made_of("hotline_unit_quarter", "rate")
# Two units of the district share a name, which no bulletin can print without contradiction.
NAMESAKE = "public_security_other"
REPEATED_EVERY = 1000
DUE, HANDLED, ON_TIME = "应办理数", "已办结数", "按期办结"


def use_site() -> None:
    """Make the benchmark's site, the district without its namesake, and use it from now on.

    It always stands in the same place: dbt parses the models of a site that it knows in no time.
    """
    folder = Path(__file__).with_name("site")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(PROJECT_ROOT / "exports" / "contracts", folder / "contracts")
    (folder / "seeds").mkdir()
    for path in sorted((PROJECT_ROOT / "dbt_project" / "seeds").glob("*.csv")):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if NAMESAKE not in line]
        (folder / "seeds" / path.name).write_text("".join(kept), encoding="utf-8")
    os.environ["HOTLINE_SITE"] = str(folder)


def planned_quarter(tickets: int, seed: int = plan.SEED) -> plan.Plan:
    """How many of what, per unit."""
    contracts = load_contracts(contracts_root())
    return plan.synthetic(tickets, str(QUARTER), seeds_root(), contracts, seed)


def write_quarter(tickets: int, exports: Path, seed: int = plan.SEED) -> Path:
    """Write the ticket, mailbox, suggestion and bulletin files of `QUARTER`.

    Args:
        tickets: how many are dispatched in the quarter; some 3% more only have a callback in it.
        exports: where the quarter's folder is made.
        seed: of the random numbers.

    Returns:
        The ticket file.
    """
    contracts = load_contracts(contracts_root())
    planned = planned_quarter(tickets, seed)
    folder = exports / str(QUARTER)
    folder.mkdir(parents=True)
    ticket = folder / "ticket.csv"
    write_csv(_as_exported(rows.tickets(planned)), contracts["ticket"], ticket, EXCEL_UTF8)
    write_csv(rows.letters(planned), contracts["mailbox"], folder / "mailbox.csv", EXCEL_UTF8)
    suggestion = folder / "suggestion.csv"
    write_csv(
        rows.suggestions(planned), contracts["suggestion"], suggestion, "gb18030", SHORT_TIMES
    )
    write_bulletin(planned, folder / "bulletin.csv")
    return ticket


def write_bulletin(planned: plan.Plan, path: Path) -> None:
    """Write the bulletin that a plan's figures make, in the long form."""
    contract = load_contracts(contracts_root())["bulletin"]
    with path.open("w", encoding=EXCEL_UTF8, newline="") as file:
        writer = csv.writer(file)
        writer.writerow([column.label for column in contract.columns])
        writer.writerows(_bulletin(planned, Rules.load(seeds_root(), contract, QUARTER)))


def _as_exported(frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Tickets with seconds in their times, and at the end of each frame some a second time."""
    for frame in frames:
        # All times of a row get the same seconds: none comes before another that it was after.
        seconds = pl.duration(seconds=pl.int_range(pl.len()) * 37 % 60)
        timed = frame.with_columns(pl.col(pl.Datetime) + seconds)
        yield pl.concat([timed, timed.gather_every(REPEATED_EVERY)])


def _bulletin(planned: plan.Plan, rules: Rules) -> Iterator[tuple[object, ...]]:
    """Rows of the bulletin's long form: the three appendices, each with its total."""
    groups = {code: written for written, code in rules.groups.items()}
    hotline = [_hotline_counts(unit) for unit in planned.tickets]
    named = [(groups[unit.group], unit.name) for unit in planned.tickets]
    total = {name: sum(counts[name] for counts in hotline) for name in COUNTS}
    tables = {
        "appendix_1": [
            (*name, _appendix_1(counts, rules))
            for name, counts in [
                *zip(named, hotline, strict=True),
                (("", f"合计（{len(named)}）"), total),
            ]
        ],
        "appendix_2": _channel(
            planned.letters, {DUE: "due", HANDLED: "handled", ON_TIME: "on_time"}
        ),
        "appendix_3": _channel(planned.suggestions, {DUE: "due", "按期办理数": "on_time"}),
    }
    for table, lines in tables.items():
        for number, (group, name, cells) in enumerate(lines, start=1):
            for measure, value in cells.items():
                yield (planned.quarter, table, number, group, name, measure, value)


def _hotline_counts(unit: plan.Unit) -> dict[str, int]:
    counts = (
        unit.due,
        unit.handled,
        unit.on_time,
        unit.reworked,
        unit.callbacks,
        unit.dissatisfied,
    )
    return dict(zip(COUNTS, counts, strict=True))


def _appendix_1(counts: Mapping[str, int], rules: Rules) -> dict[str, str]:
    """A row's cells as the bulletin prints them; the callbacks aren't printed."""
    values = {name: str(count) for name, count in counts.items()}
    for rate, (part, whole) in RATES.items():
        exact = Fraction(counts[part], counts[whole]) if counts[whole] else Fraction(0)
        values[rate] = f"{half_up(100 * exact, 2)}%"
    index = composite_index(dict(counts), list(rules.items), rules.index_decimals)
    values["composite_index"] = str(index)
    return {
        label: values[row["measure"]]
        for (table, name, label), row in rules.measures.items()
        if table == "appendix_1" and name == "*" and row["measure"] in values
    }


def _channel(
    units: Sequence[plan.Unit], fields: Mapping[str, str]
) -> list[tuple[str, str, dict[str, str]]]:
    """Lines of an appendix that lists only units with something due."""
    listed = [unit for unit in units if unit.due]
    lines = [
        ("", unit.name, {label: str(getattr(unit, field)) for label, field in fields.items()})
        for unit in listed
    ]
    total = {
        label: str(sum(getattr(unit, field) for unit in listed)) for label, field in fields.items()
    }
    return [*lines, ("", "合计", total)]
