"""The list of controls, and the reconciliation of a run: its rows, its summary, what blocks.

The models compute the reconciliation; this module only reads it.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestration.common.errors import InputError
from orchestration.common.quarters import Quarter
from orchestration.common.settings import CONTROLS, Home
from orchestration.warehouse.connection import is_built, query

TABLE = "audit.reconciliation"
HOLDING = ("match", "explained")
# The control, and its group, that compare the marts with the quarter's last published version.
LAST_VERSION, LAST_VERSION_GROUP = "last_version", "version_to_version"
REJECTED_ROWS = "rejected_rows"
# `explained_by` of controls against the bulletin or within it: the register of known discrepancies.
REGISTER = "register"
STATED = (
    *("control_group", "severity", "tolerance", "is_exhaustive", "explained_by", "compares"),
    "owner",
)


@dataclass(frozen=True)
class GroupSummary:
    """The number of controls by status, for one control group of a run or for all.

    `facts` counts the figures that the explained controls are about: two controls may be about the
    same figure.
    """

    control_group: str
    total: int
    match: int
    explained: int
    broken: int
    blocking: int
    facts: int


def load_controls() -> list[dict[str, str]]:
    """The list of controls, one per row: what each compares, how strictly, and who owns it.

    Raises:
        InputError: a control leaves a required column empty.
    """
    with CONTROLS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows, start=2):
        for column in STATED:
            if not (row[column] or "").strip():
                raise InputError(
                    code="incomplete_control",
                    file=CONTROLS.name,
                    row=number,
                    column=column,
                    found=f"控制项 {row['control_id'] or '（无代码）'} 的这一列是空的",
                    expected="每个控制项写明核对什么、容差、严重程度和负责人",
                    action="补上后重新运行",
                )
    return rows


def explainable_controls() -> set[str]:
    """The controls against the published bulletin or within it: only these may be explained."""
    return {row["control_id"] for row in load_controls() if row["explained_by"] == REGISTER}


def judge_groups(rows: Sequence[dict[str, Any]], *, has_bulletin: bool) -> dict[str, int]:
    """The number of rows that stop a publication, for each control group of the list.

    A group without rows counts as 1, because nothing was compared. Groups that only check the
    bulletin may be empty while there is no bulletin.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["control_group"], []).append(row)
    needed = {
        row["control_group"]
        for row in load_controls()
        if has_bulletin or row["explained_by"] != REGISTER
    }
    return {
        group: len(blocking(found[group])) if group in found else int(group in needed)
        for group in sorted({row["control_group"] for row in load_controls()})
    }


def latest_run(home: Home, quarter: str) -> str | None:
    """The run that reconciled a quarter last, or None."""
    if not is_built(home, TABLE):
        return None
    rows = query(
        home,
        "select run_id from audit.reconciliation where quarter = ? "
        "order by checked_at desc, run_id desc limit 1",
        [quarter],
    )
    return rows[0]["run_id"] if rows else None


def required_run(home: Home, quarter: str) -> str:
    """The run that reconciled a quarter last.

    Raises:
        InputError: the quarter isn't written as one, or it was never reconciled.
    """
    Quarter.parse(quarter)
    run_id = latest_run(home, quarter) if home.warehouse.exists() else None
    if run_id is None:
        raise InputError(
            code="not_reconciled",
            found=f"{quarter} 还没有对账结果",
            expected="至少运行过一次的季度",
            action=f"先运行 hotline run {quarter}",
        )
    return run_id


def controls(home: Home, run_id: str) -> list[dict[str, Any]]:
    """A run's controls: failing ones first, then explained ones; empty if it didn't reach them."""
    if not is_built(home, TABLE):
        return []
    return query(
        home,
        "select control_id, control_group, subject, measure, expected, actual, difference, "
        "tolerance, severity, status, explanation, "
        "(select max(unit_name) from rules.unit where unit_code = subject) as unit_name "
        "from audit.reconciliation where run_id = ? "
        "order by case status when 'match' then 2 when 'explained' then 1 else 0 end, "
        "control_group, control_id, subject, measure",
        [run_id],
    )


def summarise(rows: Sequence[dict[str, Any]]) -> list[GroupSummary]:
    """Count a run's controls by group, in order of the group's name."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["control_group"], []).append(row)
    return [overall(members, group) for group, members in sorted(groups.items())]


def overall(rows: Sequence[dict[str, Any]], group: str = "") -> GroupSummary:
    """Count the controls of one group, or of the whole run, by status."""
    explained = [row for row in rows if row["status"] == "explained"]
    return GroupSummary(
        control_group=group,
        total=len(rows),
        match=sum(row["status"] == "match" for row in rows),
        explained=len(explained),
        broken=sum(row["status"] not in HOLDING for row in rows),
        blocking=len(blocking(rows)),
        facts=len({(row["subject"], row["measure"]) for row in explained}),
    )


def blocking(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows that stop a publication: they don't hold, and their severity is `error`."""
    return [row for row in rows if row["status"] not in HOLDING and row["severity"] == "error"]
