"""The register of known discrepancies: reading, checking and writing the site's seed.

A known discrepancy explains a difference from the published bulletin, or within it, and nothing
else: the pipeline's own counts have to agree with each other.
"""

import csv
import io
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from orchestration.checks import reconciliation
from orchestration.common.errors import InputError
from orchestration.common.quarters import Quarter
from orchestration.common.settings import Home, seeds_root
from orchestration.warehouse.connection import query

SEED = "known_discrepancy.csv"


def check_seed() -> None:
    """Refuse a row with a control that it may not explain, or with a malformed quarter.

    Raises:
        InputError: there is such a row.
    """
    explainable = reconciliation.explainable_controls()
    for number, row in enumerate(register_rows(), start=2):
        if row["control_id"] not in explainable:
            raise InputError(
                code="not_explainable",
                file=SEED,
                row=number,
                column="control_id",
                found=f"已知差异 {row['discrepancy_id']} 写的是控制项 {row['control_id']}",
                expected="与已发布通报核对、或通报自身核对的控制项；拒收的行和内部控制不能登记为已知差异",
                action="删去这一行：拒收由契约的 rejected_tolerance 容许，其余须改正数据或规则",
            )
        Quarter.parse(row["quarter"])


def ids_in_force(quarter: str, today: date) -> list[str]:
    """The ids of the seed's rows for a quarter that have not expired today."""
    return [
        row["discrepancy_id"]
        for row in register_rows()
        if row["quarter"] == quarter and row["expires_on"] >= str(today)
    ]


def as_csv(row: Mapping[str, str]) -> str:
    """A row as a CSV line of the seed, without the line ending."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(row.values())
    return line.getvalue()


def superseded(row: Mapping[str, str]) -> str:
    """The id of the seed's row that this one replaces; empty if there is none."""
    ids = [old["discrepancy_id"] for old in register_rows() if _place(old) == _place(row)]
    return ids[0] if ids else ""


def write(row: Mapping[str, str]) -> Path:
    """Add a row to the site's seed, replacing one that it supersedes; returns the seed's path."""
    kept = [old for old in register_rows() if _place(old) != _place(row)]
    path = seeds_root() / SEED
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(row), lineterminator="\n")
        writer.writeheader()
        writer.writerows([*kept, row])
    return path


def unused(home: Home, quarter: str, run_id: str) -> list[dict[str, Any]]:
    """The seed's rows that explained nothing in a run of a quarter with a bulletin.

    Each comes with the run's result; a null status means that the run has no such control.
    """
    return query(
        home,
        "select known.*, result.expected as found_expected, result.difference as found_difference, "
        "result.status from rules.known_discrepancy as known "
        "join raw.run_scope as scope on known.quarter = scope.quarter and scope.has_bulletin "
        "left join audit.reconciliation as result on result.run_id = ? "
        "and result.control_id = known.control_id and result.subject = known.subject "
        "and result.measure = known.measure "
        "where known.quarter = ? and result.status is distinct from 'explained' "
        "order by known.discrepancy_id",
        [run_id, quarter],
    )


def register_rows() -> list[dict[str, str]]:
    """The rows of the register, as they are written."""
    with (seeds_root() / SEED).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _place(row: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(row[column] for column in ("quarter", "control_id", "subject", "measure"))
