"""Turns a difference of the last run into a row of the register of known discrepancies.

Reading and checking the register belongs to `checks.discrepancies`.
"""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NoReturn

from rapidfuzz import process

from orchestration.checks import reconciliation
from orchestration.checks.discrepancies import register_rows
from orchestration.common.errors import InputError
from orchestration.common.safe_text import csv_cell, one_line
from orchestration.common.settings import Home
from orchestration.publish.audit.labels import meant

EXPIRES_AFTER = timedelta(days=365)


# Placeholders for the reason and the evidence in a row that is only printed.
TO_WRITE = ("【请写明为什么不符】", "【请写明依据】")


def explain(
    home: Home,
    quarter: str,
    place: tuple[str, str, str],
    reason: str,
    evidence: str,
    expires_on: date | None,
) -> dict[str, str]:
    """The seed row that explains a difference of the latest run, exactly as it was found.

    Args:
        home: the home whose reconciliation is read.
        quarter: such as 2022Q2.
        place: control, subject (a unit by its code or its name) and measure.
        reason: why the figures differ.
        evidence: where the reason can be verified.
        expires_on: the last day on which the row is valid; a year from today if None.

    Raises:
        InputError: the quarter, control, subject or measure is unknown; there is nothing to
            explain; the reason or the evidence is missing or looks like a formula; the expiry isn't
            in the future.
    """
    today = date.today()
    last_day = expires_on or today + EXPIRES_AFTER
    reason, evidence = (one_line(" ".join(text.split())) for text in (reason, evidence))
    if not reason or not evidence:
        _refuse("missing_reason", "原因或依据是空的", "两样都写明", "补上 --reason 和 --evidence")
    if any(csv_cell(text) != text for text in (reason, evidence)):
        _refuse("formula", "原因或依据会被表格软件当作公式", "不以 = + - @ 开头的话", "换一种写法")
    if last_day <= today:
        _refuse("bad_expiry", f"到期日 {last_day} 不晚于今天", "今后的日期", "改正 --expires")
    owners = {control["control_id"]: control["owner"] for control in reconciliation.load_controls()}
    if place[0] not in owners:
        _refuse_unknown("control", "控制项", place[0], list(owners), "CONTROL")
    if place[0] not in reconciliation.explainable_controls():
        _refuse(
            "not_explainable",
            f"控制项 {place[0]} 不与通报核对，不能登记为已知差异",
            "与已发布通报核对、或通报自身核对的控制项",
            "改正数据或规则（拒收由契约的 rejected_tolerance 容许）",
        )
    found = _difference(home, quarter, *place)
    return {
        "discrepancy_id": _next_id(quarter),
        "control_id": found["control_id"],
        "quarter": quarter,
        "subject": found["subject"],
        "measure": found["measure"],
        "expected": _plain(found["expected"]),
        # Without an expected figure, the row records the actual one.
        "difference": _plain(found["actual" if found["expected"] is None else "difference"]),
        "reason": reason,
        "evidence": evidence,
        "owner": owners[found["control_id"]],
        "recorded_on": str(today),
        "expires_on": str(last_day),
    }


def _difference(
    home: Home, quarter: str, control_id: str, subject: str, measure: str
) -> dict[str, Any]:
    """The one row of the latest run that is meant; it must not hold."""
    run_id = reconciliation.required_run(home, quarter)
    rows = [r for r in reconciliation.controls(home, run_id) if r["control_id"] == control_id]
    named = [row for row in rows if subject in (row["subject"], row["unit_name"])]
    if not named:
        names = [name for row in rows for name in (row["subject"], row["unit_name"]) if name]
        _refuse_unknown("subject", f"{control_id} 的对象", subject, names, "SUBJECT")

    asked = meant(measure, (row["measure"] for row in named))
    if len(asked) > 1:
        _refuse(
            "ambiguous_measure",
            f"「{measure}」对应 {len(asked)} 个指标",
            "、".join(asked),
            "用其中一个",
        )
    found = [row for row in named if row["measure"] in asked]
    if not found:
        measures = [row["measure"] for row in named]
        _refuse_unknown("measure", f"{control_id} 的指标", measure, measures, "MEASURE")
    if len(found) > 1:
        codes = "、".join(row["subject"] for row in found)
        _refuse("ambiguous_unit", f"「{subject}」对应 {len(found)} 个单位", codes, "用单位代码")
    (row,) = found
    if row["status"] in reconciliation.HOLDING:
        status = "相符" if row["status"] == "match" else f"已说明（{row['explanation']}）"
        _refuse(
            "nothing_to_explain",
            f"{quarter} {control_id} · {row['subject']} · {row['measure']} {status}，"
            "没有差异可说明",
            "最近一次运行中不符的控制项",
            f"看 hotline reconcile {quarter}；实际情况变了就先重新运行",
        )
    return row


def _next_id(quarter: str) -> str:
    ids = [row["discrepancy_id"].rpartition("-") for row in register_rows()]
    numbers = [int(number) for prefix, _, number in ids if prefix == quarter and number.isdecimal()]
    return f"{quarter}-{max(numbers, default=0) + 1:02d}"


def _plain(value: Decimal | None) -> str:
    return "" if value is None else format(value.normalize(), "f")


def _refuse(code: str, found: str, expected: str, action: str) -> NoReturn:
    raise InputError(code=code, found=found, expected=expected, action=f"{action}后重试")


def _refuse_unknown(kind: str, label: str, text: str, known: list[str], argument: str) -> NoReturn:
    choices = sorted(set(known))
    nearest = "、".join(match[0] for match in process.extract(text, choices, limit=3))
    _refuse(
        f"unknown_{kind}",
        f"没有{label}「{text}」" + (f"，最接近的：{nearest}" if nearest else ""),
        "、".join(choices[:20]) + ("……" if len(choices) > 20 else "") or "（没有）",
        f"改正 {argument}",
    )
