"""Computes the hotline mart a second time, in Python, with exact fractions and no SQL arithmetic.

An auditor may distrust one engine; two that share no code have to agree on every cell.
"""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from orchestration.catalogue.composite_index import composite_index
from orchestration.catalogue.tables import made_of
from orchestration.checks.check_results import CheckResult
from orchestration.common.quarters import Quarter
from orchestration.common.rounding import half_up
from orchestration.common.settings import Home
from orchestration.reading.canonical import clean_text
from orchestration.warehouse.connection import bare_connection, query, quoted

BATCH_VECTORS = 128  # of 2048 rows each
CODES = ("unit_code", "callback_result")
PLACE = ("file_sha256", "row_number")
MART = "hotline_unit_quarter"


def recomputed() -> tuple[str, ...]:
    """What is computed a second time: the mart's measures, and which units are in it."""
    return (*made_of(MART, "count"), *made_of(MART, "rate"), *made_of(MART, "index"), "unit_code")


def recompute(home: Home, quarter: Quarter, folder: Path) -> list[CheckResult]:
    """Compare every count, rate and index of `hotline_unit_quarter` with Python's own.

    Counts come from the facts' dates, not from the flags that the models derive from them.

    Args:
        home: where the index policies are.
        quarter: the quarter.
        folder: the folder with the Parquet files of its candidate.

    Returns:
        One result per measure; `failing_count` is the number of units that differ.
    """
    table = quoted(folder / f"{MART}.parquet")
    mart = query(home, f"from read_parquet('{table}')")
    items = query(
        home, "select * from rules.index_policy_item join rules.index_policy using (policy_version)"
    )
    counts = _counts(home, quarter, folder)
    rates = made_of(MART, "rate")
    differing = dict.fromkeys(recomputed(), 0)
    for row in mart:
        own: dict[str, Any] = {measure: counts[measure][row["unit_code"]] for measure in counts}
        policy = [item for item in items if item["policy_version"] == row["policy_version"]]
        own |= {
            rate: half_up(Fraction(own[part], own[whole]), 4) if own[whole] else None
            for rate, (part, whole) in rates.items()
        }
        own["composite_index"] = composite_index(own, policy, policy[0]["index_scale"])
        for measure, value in own.items():
            differing[measure] += value != row[measure]
    left_out = {unit for count in counts.values() for unit in count} - {
        r["unit_code"] for r in mart
    }
    differing["unit_code"] = len(left_out)
    return [
        CheckResult(f"recomputed.{measure}", "python", "error", count == 0, count)
        for measure, count in differing.items()
    ]


def _counts(home: Home, quarter: Quarter, folder: Path) -> dict[str, Counter[str]]:
    """Each count by unit code."""
    start, end = pd.Timestamp(quarter.start), pd.Timestamp(quarter.end)
    counts: dict[str, Counter[str]] = {measure: Counter() for measure in made_of(MART, "count")}

    def add(measure: str, rows: pd.DataFrame) -> None:
        for unit_code, count in rows["unit_code"].value_counts(sort=False).items():
            if count:  # value_counts also lists the categories without rows
                counts[measure][str(unit_code)] += int(count)

    ticket: tuple[str, ...] = (
        "unit_code",
        "dispatched_at",
        "finished_at",
        "deadline_at",
        "is_rework",
    )
    clocks = _rules_of_changed_clocks(home)
    if clocks:
        ticket += PLACE
    for rows in _frames(home, folder / "fct_ticket.parquet", ticket):
        due = rows[(rows["dispatched_at"] >= start) & (rows["dispatched_at"] < end)]
        handled = due[due["finished_at"] < end]
        add("due_count", due)
        add("handled_count", handled)
        is_on_time = handled["finished_at"] <= handled["deadline_at"]
        if clocks:
            is_on_time = _judged_by_instants(home, clocks, handled, is_on_time)
        add("on_time_count", handled[is_on_time])
        add("rework_count", due[due["is_rework"].astype(bool)])
    callback = ("unit_code", "called_back_at", "callback_result")
    for rows in _frames(home, folder / "fct_callback.parquet", callback):
        completed = rows[(rows["called_back_at"] >= start) & (rows["called_back_at"] < end)]
        add("callback_count", completed)
        add("dissatisfied_count", completed[completed["callback_result"] == "dissatisfied"])
    return counts


def _rules_of_changed_clocks(home: Home) -> Mapping[str, Any] | None:
    """The contract's rules for tickets' times if their zone changes its clocks, else None."""
    (found,) = query(home, "select max(rules) as rules from raw.contract where source = 'ticket'")
    rules: Mapping[str, Any] = json.loads(found["rules"] or "{}")
    return rules if rules.get("clock_changes") else None


def _judged_by_instants(
    home: Home, rules: Mapping[str, Any], rows: pd.DataFrame, is_on_time: "pd.Series[bool]"
) -> "pd.Series[bool]":
    """Judge rows again from the raw text if both times lie in an hour that the clocks repeat."""
    zone = rules["time_zone"]
    is_repeated = pd.Series(True, index=rows.index)
    for column in ("finished_at", "deadline_at"):
        known = rows[column].dt.tz_localize(zone, ambiguous="NaT", nonexistent="shift_forward")
        is_repeated &= known.isna() & rows[column].notna()
    in_time = [
        at for at, row in rows[is_repeated].iterrows() if _is_written_in_time(home, rules, row)
    ]
    return is_on_time & ~is_repeated | rows.index.to_series().isin(in_time)


def _is_written_in_time(home: Home, rules: Mapping[str, Any], row: "pd.Series[Any]") -> bool:
    """Whether the finish in a ticket's raw row is an instant no later than the deadline."""
    (written,) = query(
        home,
        "select finished_at, deadline_at from raw.ticket where file_sha256 = ? and row_number = ?",
        [row["file_sha256"], int(row["row_number"])],
    )
    finished, deadline = (
        _instant(written[column], rules) for column in ("finished_at", "deadline_at")
    )
    return finished is not None and deadline is not None and finished <= deadline


def _instant(text: str, rules: Mapping[str, Any]) -> datetime | None:
    """The instant of a time written with an offset; None if it has no offset."""
    text = re.sub(
        r"([+-]\d\d)$",
        r"\g<1>:00",
        re.sub("[Zz]$", "+00:00", unicodedata.normalize("NFKC", clean_text(text))),
    )
    for form in rules["zoned_formats"]:
        try:
            return datetime.strptime(text, form).astimezone(UTC)
        except ValueError:
            continue
    return None


def _frames(home: Home, file: Path, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
    """Columns of a fact in batches, so that memory doesn't grow with its size."""
    with bare_connection(home) as connection:
        rows = f"from read_parquet('{quoted(file)}')"
        taken = [_as_categories(connection, column, rows) for column in columns]
        connection.execute(f"select {', '.join(taken)} {rows}")
        while len(frame := connection.fetch_df_chunk(BATCH_VECTORS)):
            yield frame


def _as_categories(connection: duckdb.DuckDBPyConnection, column: str, rows: str) -> str:
    """SQL for a column. Codes become categories, so that rows don't each hold a text."""
    if column not in CODES:
        return column
    codes = connection.execute(f"select distinct {column} {rows}").fetchall()
    names = sorted("'" + code.replace("'", "''") + "'" for (code,) in codes if code is not None)
    return f"{column}::enum({', '.join(names)}) as {column}" if names else column
