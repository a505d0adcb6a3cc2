"""The gate: publishing requires recorded evidence that exactly these bytes passed every check.

The required checks are fixed in advance by the control list, the dbt tests and the expectation
suites. They don't depend on what a run happened to record. Each check records in
`audit.check_result` the hash of what it checked (`checked_sha256`). For raw rows the hash covers
everything that decides a build; for all later checks it also covers the candidate. Evidence of
another build, or of other data, rules or code, therefore doesn't count, no matter which run,
command or executor recorded it. Missing evidence is a failure.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, NoReturn

from orchestration.checks import check_results, reconciliation
from orchestration.checks.check_results import CheckResult
from orchestration.checks.frames import MART_SUITES, RAW_SUITES
from orchestration.checks.recount import recomputed
from orchestration.common.errors import InputError
from orchestration.common.settings import Home, engine, expectation_suites
from orchestration.publish.candidate import Candidate, build_basis, has_bulletin, read_candidate
from orchestration.publish.publication_log import last_publication
from orchestration.publish.versions import digest_of, input_sha256, latest_manifest
from orchestration.warehouse.connection import query

# A check, identified by its layer and its name.
Name = tuple[str, str]
NO_UNMAPPED_UNIT = "no_unmapped_unit"
SHOWN = 8


@dataclass(frozen=True)
class Evidence:
    """The evidence for a candidate: its results by layer, and the controls of its build."""

    candidate: Candidate
    counts: dict[str, dict[str, int]]
    controls: list[dict[str, Any]]


def required() -> frozenset[Name]:
    """Every check whose result is required for a publication."""
    return frozenset(
        [
            *(("raw", check) for suite in RAW_SUITES for check in _suite_checks(suite)),
            *(("dbt", name) for name in _dbt_tests()),
            *(("marts", check) for suite in MART_SUITES for check in _suite_checks(suite)),
            *(("python", f"recomputed.{measure}") for measure in recomputed()),
            *(("reconciliation", _group_check(group)) for group in _control_groups()),
            ("staging", NO_UNMAPPED_UNIT),
        ]
    )


def record_raw(home: Home, run_id: str, quarter: str, results: Iterable[CheckResult]) -> None:
    """Record the results of checks on a quarter's raw rows."""
    _record(home, run_id, quarter, build_basis(home, quarter), results)


def record(home: Home, run_id: str, quarter: str, results: Iterable[CheckResult]) -> None:
    """Record the results of checks on a quarter's candidate."""
    _record(home, run_id, quarter, _checked(home, read_candidate(home, quarter)), results)


def judge_controls(home: Home, quarter: str) -> tuple[list[dict[str, Any]], list[CheckResult]]:
    """The controls of the build of a quarter's candidate, and a result for each control group.

    `record_controls` includes the controls in the recorded hash, so that a control that is later
    lost or altered is noticed.
    """
    rows = reconciliation.controls(home, read_candidate(home, quarter).run_id)
    judged = reconciliation.judge_groups(rows, has_bulletin=has_bulletin(home, quarter))
    return rows, [
        CheckResult(_group_check(group), "reconciliation", "error", count == 0, count)
        for group, count in judged.items()
    ]


def record_controls(
    home: Home,
    run_id: str,
    quarter: str,
    rows: list[dict[str, Any]],
    results: Iterable[CheckResult],
) -> None:
    """Record the results of `judge_controls`."""
    checked = _of_controls(_checked(home, read_candidate(home, quarter)), rows)
    _record(home, run_id, quarter, checked, results)


def demand(home: Home, quarter: str) -> Evidence:
    """The evidence that a quarter's candidate may be published.

    Raises:
        InputError: there is no candidate, a result is missing, or a check failed.
    """
    candidate = read_candidate(home, quarter)
    basis, checked = build_basis(home, quarter), _checked(home, candidate)
    rows = reconciliation.controls(home, candidate.run_id)
    by_layer = {"raw": basis, "reconciliation": _of_controls(checked, rows)}
    found = {
        (row["layer"], row["check_name"]): row
        for row in check_results.latest(home, quarter, [basis, checked, *by_layer.values()])
        if row["checked_sha256"] == by_layer.get(row["layer"], checked)
    }
    needed = required()
    if missing := sorted(needed - found.keys()):
        _refuse_missing(quarter, missing)
    failed = [
        name
        for name, row in sorted(found.items())
        if name in needed and not row["passed"] and row["severity"] == "error"
    ]
    judged = reconciliation.judge_groups(rows, has_bulletin=has_bulletin(home, quarter))
    failed += [("reconciliation", _group_check(g)) for g, count in judged.items() if count]
    if failed:
        _refuse_failed(quarter, sorted(set(failed)))
    counts: dict[str, dict[str, int]] = {}
    for (layer, _), row in sorted(found.items()):
        entry = counts.setdefault(layer, {"passed": 0, "failed": 0})
        entry["passed" if row["passed"] else "failed"] += 1
    return Evidence(candidate, counts, rows)


def require_published(home: Home, quarter: str) -> None:
    """Refuse to write documents for readers if the working state isn't the published one.

    Raises:
        InputError: the build that was published last isn't the quarter's candidate, or the working
            warehouse holds another quarter.
    """
    candidate, last = read_candidate(home, quarter), last_publication(home, quarter)
    manifest = latest_manifest(home, quarter)
    scope = query(home, "select quarter from raw.run_scope")
    is_published = (
        last is not None
        and manifest is not None
        and (last.run_id, manifest["outputs"]) == (candidate.run_id, candidate.outputs)
    )
    if not is_published or scope != [{"quarter": quarter}]:
        raise InputError(
            code="not_the_published_version",
            found=f"工作库里的 {quarter} 不是最后发布的那一次",
            expected="通报、网页和审计报告只由已发布的版本（published/marts）写出",
            action=f"完整运行 hotline run {quarter}",
        )


def _checked(home: Home, candidate: Candidate) -> str:
    return digest_of({"basis": build_basis(home, candidate.quarter), "candidate": candidate.sha256})


def _of_controls(checked: str, rows: list[dict[str, Any]]) -> str:
    return digest_of({"checked": checked, "controls": [list(map(str, r.values())) for r in rows]})


def _record(
    home: Home, run_id: str, quarter: str, checked: str, results: Iterable[CheckResult]
) -> None:
    check_results.record(home, run_id, quarter, input_sha256(home, quarter), checked, results)


@cache
def _control_groups() -> tuple[str, ...]:
    return tuple(sorted({row["control_group"] for row in reconciliation.load_controls()}))


def _group_check(group: str) -> str:
    return f"reconciliation.{group}"


def _suite_checks(suite: str) -> list[str]:
    content = json.loads(expectation_suites()[suite].read_text(encoding="utf-8"))
    return [f"{suite}.{entry['meta']['id']}" for entry in content["expectations"]]


@cache
def _dbt_tests() -> tuple[str, ...]:
    from orchestration.warehouse.dbt import parse_project  # slow to import

    nodes = parse_project(engine()).nodes.values()
    return tuple(node.name for node in nodes if str(node.resource_type) == "test")


def _refuse_missing(quarter: str, missing: list[Name]) -> NoReturn:
    raise InputError(
        code="missing_evidence",
        found=f"{quarter} 待发布的内容缺 {len(missing)} 项检查的结果：{_listed(missing)}",
        expected="每一项检查都在这些数据、规则和程序上做过并通过（audit.check_result）",
        action=f"完整运行 hotline run {quarter}",
    )


def _refuse_failed(quarter: str, failed: list[Name]) -> NoReturn:
    raise InputError(
        code="failed_evidence",
        found=f"{quarter} 待发布的内容有 {len(failed)} 项检查未过：{_listed(failed)}",
        expected="没有阻断的检查未过",
        action=f"看 hotline reconcile {quarter} 和审计报告，改正后完整运行 hotline run {quarter}",
    )


def _listed(names: list[Name]) -> str:
    shown = "、".join(f"{layer} · {check}" for layer, check in names[:SHOWN])
    return shown + ("……" if len(names) > SHOWN else "")
