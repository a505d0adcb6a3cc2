"""What else would give the same `hotline_unit_quarter` from a quarter's ticket export.

Each contender reads the whole ticket file and counts by the name that is written there: every work
order once, what is due, handled, on time and reworked by the models' own rules. The other columns
follow from some fifty rows of counts; they are worked out here once for all of them, exactly.
"""

import csv
import json
import subprocess
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
from quarters import COUNTS, QUARTER, RATES

from orchestration.catalogue.composite_index import composite_index
from orchestration.common.rounding import half_up
from orchestration.common.settings import Home, contracts_root, seeds_root
from orchestration.lint.bulletin import Rules
from orchestration.reading.contracts import load_contracts

START, END = str(QUARTER.start), str(QUARTER.end)
DUE = f"dispatched >= '{START}' and dispatched < '{END}'"
CALLED = f"called >= '{START}' and called < '{END}'"
# The columns that the mart needs, by the names used here.
COLUMNS = {
    "id": "工单编号",
    "name": "承办单位",
    "unit_group": "单位类别",
    "dispatched": "交办时间",
    "deadline": "办理期限",
    "finished": "办结时间",
    "reworked": "是否返工",
    "called": "回访时间",
    "answer": "回访结果",
}
TIMES = ("dispatched", "deadline", "finished", "called")
Counted = Iterable[tuple[Any, ...]]
Contender = Callable[[Path, Path], Counted]
Mart = list[dict[str, Any]]


def sql(columns: Mapping[str, str]) -> str:
    """The one group by, after a load into a table of text; a repeated work order counts once.

    Args:
        columns: what the table calls them, by the names used here.
    """
    named = ", ".join(f'"{column}" as {name}' for name, column in columns.items())
    times = ", ".join(f"cast({time} as timestamp) as {time}" for time in TIMES)
    handled = f"{DUE} and finished < '{END}'"
    conditions = (
        DUE,
        handled,
        f"{handled} and finished <= deadline",
        f"{DUE} and reworked = '是'",
        CALLED,
        f"{CALLED} and answer = '不满意'",
    )
    counts = ", ".join(f"count(*) filter (where {condition})" for condition in conditions)
    return (
        f"select name, unit_group, {counts} from (select distinct on (id) name, unit_group, "
        f"reworked, answer, {times} from (select {named} from ticket)) group by name, unit_group"
    )


def with_duckdb(ticket: Path, folder: Path) -> Counted:
    """Bare: the export as text into a table of a database file, then one group by."""
    with duckdb.connect(str(folder / "bare.duckdb")) as connection:
        connection.execute("set enable_progress_bar = false")
        connection.execute(
            f"create table ticket as select * from read_csv('{ticket}', all_varchar = true)"
        )
        return connection.execute(sql(COLUMNS)).fetchall()


def with_polars(ticket: Path, folder: Path) -> Counted:  # noqa: ARG001 (stores nothing)
    """The limit: a lazy scan straight to the counts."""
    start, end = (pl.lit(text).str.to_datetime("%Y-%m-%d") for text in (START, END))
    columns = [pl.col(label).alias(name) for name, label in COLUMNS.items()]
    due = pl.col("dispatched").ge(start) & pl.col("dispatched").lt(end)
    handled = due & pl.col("finished").lt(end)
    called = pl.col("called").ge(start) & pl.col("called").lt(end)
    counts = (
        due,
        handled,
        handled & pl.col("finished").le(pl.col("deadline")),
        due & pl.col("reworked").eq("是"),
        called,
        called & pl.col("answer").eq("不满意"),
    )
    return (
        pl.scan_csv(ticket, infer_schema=False)
        .select(columns)
        .unique(subset="id", keep="any")
        .with_columns(pl.col(TIMES).str.to_datetime("%Y-%m-%d %H:%M:%S"))
        .group_by("name", "unit_group")
        .agg(count.sum().alias(name) for name, count in zip(COUNTS, counts, strict=True))
        .collect(engine="streaming")
        .rows()
    )


def with_pandas(ticket: Path, folder: Path) -> Counted:  # noqa: ARG001 (stores nothing)
    """What an analyst writes: only the columns needed, few-valued ones as categories."""
    few = dict.fromkeys(
        (COLUMNS[c] for c in ("name", "unit_group", "reworked", "answer")), "category"
    )
    names = {label: name for name, label in COLUMNS.items()}
    rows = pd.read_csv(ticket, usecols=list(names), dtype=dict.fromkeys(names, "str") | few)
    rows = rows.rename(columns=names).drop_duplicates("id")
    for time in TIMES:
        rows[time] = pd.to_datetime(rows[time], format="%Y-%m-%d %H:%M:%S")
    start, end = pd.Timestamp(START), pd.Timestamp(END)
    due = rows["dispatched"].ge(start) & rows["dispatched"].lt(end)
    handled = due & rows["finished"].lt(end)
    called = rows["called"].ge(start) & rows["called"].lt(end)
    counts = (
        due,
        handled,
        handled & rows["finished"].le(rows["deadline"]),
        due & rows["reworked"].eq("是"),
        called,
        called & rows["answer"].eq("不满意"),
    )
    flags = pd.DataFrame(dict(zip(COUNTS, counts, strict=True)))
    counted = flags.groupby([rows["name"], rows["unit_group"]], observed=True).sum()
    return counted.reset_index().itertuples(index=False, name=None)


def with_dlt(ticket: Path, folder: Path, python: Path) -> Counted:
    """dlt's load of the export into DuckDB in its own environment, and the same SQL there."""
    script = Path(__file__).with_name("dlt_load.py")
    query = sql({name: name for name in COLUMNS})
    columns = json.dumps(COLUMNS, ensure_ascii=False)
    command = [python, script, ticket, folder / "dlt.duckdb", query, columns]
    done = subprocess.run(
        [str(word) for word in command], check=True, capture_output=True, text=True, cwd=folder
    )
    return [tuple(row) for row in json.loads(done.stdout.splitlines()[-1])]


def unit_mart(counted: Counted) -> Mart:
    """`hotline_unit_quarter` from counts by written name and group.

    Raises:
        ValueError: a written name that isn't exactly one unit's.
    """
    rules = Rules.load(seeds_root(), load_contracts(contracts_root())["bulletin"], QUARTER)
    units = {row["unit_code"]: row for row in _rows("unit")}
    groups = {row["unit_code"]: row["evaluation_group"] for row in _rows("evaluation_group")}
    (policy,) = _rows("index_policy")
    totals: dict[str, dict[str, int]] = {code: dict.fromkeys(COUNTS, 0) for code in groups}
    for name, group, *numbers in counted:
        code = _unit_code(name, rules.groups[group])
        for measure, number in zip(COUNTS, numbers, strict=True):
            totals[code][measure] += int(number)
    mart = [
        {
            "quarter": str(QUARTER),
            "unit_code": code,
            "unit_name": units[code]["unit_name"],
            "evaluation_group": groups[code],
            **counts,
            **{
                rate: half_up(Fraction(counts[part], counts[whole]), 4) if counts[whole] else None
                for rate, (part, whole) in RATES.items()
            },
            "composite_index": composite_index(counts, list(rules.items), rules.index_decimals),
            "is_rated": counts["due_count"] > 0,
            "policy_version": policy["policy_version"],
        }
        for code, counts in sorted(totals.items())
    ]
    for row in mart:
        better = [
            other
            for other in mart
            if other["is_rated"]
            and other["evaluation_group"] == row["evaluation_group"]
            and other["composite_index"] > row["composite_index"]
        ]
        row["rank_in_group"] = len(better) + 1 if row["is_rated"] else None
    return mart


def published_mart(home: Home) -> Mart:
    """`hotline_unit_quarter` as the run published it."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{home.published / 'marts.duckdb'}' as published (read_only)")
        cursor = connection.execute(
            "select * from published.marts.hotline_unit_quarter order by unit_code"
        )
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _unit_code(written: str, group: str) -> str:
    name = "".join(written.split())
    codes = {
        row["unit_code"]
        for row in _rows("unit_alias")
        if row["source"] == "*"
        and row["alias_name"] == name
        and row["evaluation_group"] in ("", group)
    }
    if len(codes) != 1:
        raise ValueError(f"{written}: {codes}")
    return codes.pop()


def _rows(seed: str) -> list[Mapping[str, str]]:
    with (seeds_root() / f"{seed}.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))
