"""Asset checks in Python: Great Expectations on raw files and marts, recount, reconciliation.

The dbt tests become checks in `defs.dbt`. Every result is also recorded in `audit.check_result`.
"""

from collections.abc import Iterator

import dagster as dg

from orchestration.checks import reconciliation
from orchestration.checks.check_results import CheckResult, failures
from orchestration.checks.frames import MART_SUITES, RAW_SUITES, mart_table, raw_table
from orchestration.checks.recount import recompute
from orchestration.checks.validator import validate
from orchestration.common.quarters import Quarter
from orchestration.common.safe_text import markdown
from orchestration.defs.resources import Workspace
from orchestration.publish import gate
from orchestration.publish.audit.report import write_report
from orchestration.publish.candidate import read_candidate, require_scope
from orchestration.publish.findings import unmapped_units, write_rejected_workbook

CONTROL_GROUPS = sorted({row["control_group"] for row in reconciliation.load_controls()})
RECONCILIATION = dg.AssetKey(["audit", "reconciliation"])


def _spec(name: str, asset: dg.AssetKey, description: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(name, asset=asset, description=description, blocking=True)


def _check_op(
    context: dg.AssetCheckExecutionContext,
    workspace: Workspace,
    layer: str,
    suites: tuple[str, ...],
) -> Iterator[dg.AssetCheckResult]:
    """Run suites on their tables; record every expectation, then report one check per table."""
    home, quarter = workspace.home, context.run.tags["dagster/partition"]
    for suite in suites:
        table = (
            raw_table(home, workspace.contracts, suite, quarter)
            if layer == "raw"
            else mart_table(read_candidate(home, quarter).marts[suite])
        )
        results = validate(suite, table, layer)
        record = gate.record_raw if layer == "raw" else gate.record
        record(home, context.run.run_id, quarter, results)
        yield _asset_check_result("expectations", dg.AssetKey([layer, suite]), results)


def _asset_check_result(
    name: str, asset: dg.AssetKey, results: list[CheckResult]
) -> dg.AssetCheckResult:
    failed = [result for result in results if not result.passed]
    blocking = any(result.severity == "error" for result in failed)
    return dg.AssetCheckResult(
        check_name=name,
        asset_key=asset,
        passed=not failed,
        severity=dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN,
        metadata={
            "checks": len(results),
            "failed": dg.MetadataValue.md(
                "\n".join(f"- `{r.check_name}`：{r.failing_count} 处{_rows(r)}" for r in failed)
                or "无"
            ),
        },
    )


def _rows(result: CheckResult) -> str:
    shown = "、".join(f"{file} 第 {row} 行" for file, row in result.rows)
    return f"（{shown}{'……' if len(result.rows) < result.failing_count else ''}）" if shown else ""


@dg.multi_asset_check(
    name="raw_expectations",
    specs=[
        _spec("expectations", dg.AssetKey(["raw", suite]), "Great Expectations：原始导出的每一行")
        for suite in RAW_SUITES
    ],
)
def raw_expectations(
    context: dg.AssetCheckExecutionContext, workspace: Workspace
) -> Iterator[dg.AssetCheckResult]:
    """Validate every raw row of the run's quarter."""
    yield from _check_op(context, workspace, "raw", RAW_SUITES)


@dg.multi_asset_check(
    name="mart_expectations",
    specs=[
        _spec("expectations", dg.AssetKey(["marts", suite]), "Great Expectations：本季度的集市表")
        for suite in MART_SUITES
    ],
)
def mart_expectations(
    context: dg.AssetCheckExecutionContext, workspace: Workspace
) -> Iterator[dg.AssetCheckResult]:
    """Validate the quarter's marts."""
    yield from _check_op(context, workspace, "marts", MART_SUITES)


@dg.asset_check(
    asset=dg.AssetKey(["marts", "hotline_unit_quarter"]),
    description="用 Python 分数运算独立重算每个单位的件数、率与综合指标值，逐格相同",
    blocking=True,
)
def recomputed(context: dg.AssetCheckExecutionContext, workspace: Workspace) -> dg.AssetCheckResult:
    """Work the hotline mart out a second time, without SQL arithmetic."""
    home, quarter = workspace.home, context.run.tags["dagster/partition"]
    results = recompute(home, Quarter.parse(quarter), read_candidate(home, quarter).folder)
    gate.record(home, context.run.run_id, quarter, results)
    return _asset_check_result(
        "recomputed", dg.AssetKey(["marts", "hotline_unit_quarter"]), results
    )


@dg.multi_asset_check(
    name="reconciliation_gate",
    specs=[
        *(
            _spec(group, RECONCILIATION, f"对账：{group} 组的全部控制项相符或已说明")
            for group in CONTROL_GROUPS
        ),
        _spec("no_unmapped_unit", RECONCILIATION, "单位名称全部在别名表中，从不猜测"),
    ],
)
def reconciliation_gate(
    context: dg.AssetCheckExecutionContext, workspace: Workspace
) -> Iterator[dg.AssetCheckResult]:
    """Stop the publication on any difference that isn't explained, by control group."""
    home, run_id = workspace.home, context.run.run_id
    quarter = context.run.tags["dagster/partition"]
    require_scope(home, quarter)  # the unmapped names are those of the last quarter built
    write_rejected_workbook(home, quarter)
    rows, judged = gate.judge_controls(home, quarter)
    gate.record_controls(home, run_id, quarter, rows, judged)
    names = unmapped_units(home, quarter)
    unmapped = CheckResult(gate.NO_UNMAPPED_UNIT, "staging", "error", not names, len(names))
    gate.record(home, run_id, quarter, [unmapped])
    if failures(home, run_id):
        write_report(home, quarter, workspace.exports, stopped_run=run_id)
    results = {result.check_name.removeprefix("reconciliation."): result for result in judged}
    results[gate.NO_UNMAPPED_UNIT] = unmapped
    for name, result in results.items():
        outcome = _asset_check_result(name, RECONCILIATION, [result])
        if name in CONTROL_GROUPS:
            group = [row for row in rows if row["control_group"] == name]
            outcome = outcome._replace(metadata={**outcome.metadata, **_evidence(group)})
        yield outcome
    # A dbt test on a seed belongs to no asset whose check could stop the run.
    if all(result.passed for result in results.values()) and failures(home, run_id):
        raise dg.Failure("有阻断的检查未过，没有发布任何内容", allow_retries=False)


def _evidence(rows: list[dict[str, object]]) -> dict[str, dg.MetadataValue]:
    shown = rows[:20]
    lines = [
        f"| {r['control_id']} | {markdown(str(r['subject']))} | {markdown(str(r['measure']))} "
        f"| {r['expected']} | {r['actual']} | {r['status']} |"
        for r in shown
    ]
    head = (
        "| 控制项 | 对象 | 指标 | 应为 | 实为 | 状态 |\n| --- | --- | --- | ---: | ---: | --- |\n"
    )
    return {
        "controls": dg.MetadataValue.int(len(rows)),
        "evidence": dg.MetadataValue.md(head + "\n".join(lines)),
    }
