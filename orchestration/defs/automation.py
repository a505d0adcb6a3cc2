"""The quarterly job and its triggers: a schedule after quarter end, and a sensor on new exports."""

import json
from datetime import timedelta
from pathlib import Path

import dagster as dg

from orchestration.common.quarters import Quarter
from orchestration.common.run_events import REASON_TAG
from orchestration.common.settings import Home, exports_root
from orchestration.defs.partitions import quarters
from orchestration.defs.resources import end_dead_runs
from orchestration.ingest.arrival import fingerprint, quarter_folders
from orchestration.publish.publication_log import Stale, read_log, stale

QUARTERLY_JOB = "quarterly_load"


def _oldest_first(key: str) -> dict[str, str]:
    """The tag that makes Dagster's queue run older quarters first, however they were requested.

    A quarter is compared with the quarter before as it is at that time.
    """
    quarter = Quarter.parse(key)
    return {"dagster/priority": str(-4 * quarter.year - quarter.number)}


quarterly_job = dg.define_asset_job(
    QUARTERLY_JOB,
    selection=dg.AssetSelection.all() | dg.AssetSelection.all_asset_checks(),
    description="一个季度：接收 → 校验 → 建模 → 对账 → 关口 → 发布",
    config=dg.PartitionedConfig(
        partitions_def=quarters,
        run_config_for_partition_key_fn=lambda _: {},
        tags_for_partition_key_fn=_oldest_first,
    ),
)


@dg.schedule(
    job=quarterly_job,
    cron_schedule="0 6 5 1,4,7,10 *",
    execution_timezone="Asia/Shanghai",
    description="季度结束后第 5 日早 6 点，装载上一季度",
)
def after_quarter_end(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Load the quarter that ended a few days ago."""
    end_dead_runs(context.instance)
    day = context.scheduled_execution_time.date()
    quarter = str(Quarter.containing(day - timedelta(days=15)))
    context.instance.add_dynamic_partitions(quarters.name or "", [quarter])
    return dg.RunRequest(run_key=f"{quarter}-scheduled-{day}", partition_key=quarter)


@dg.sensor(
    job=quarterly_job,
    minimum_interval_seconds=60,
    description="exports/ 下有新的或改动过的文件，且大小已稳定时，每个季度请求一次运行",
)
def exports_changed(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Ask for one run a quarter whose files changed since the last look and now stand still.

    The cursor holds what was seen last and what was last asked for, by quarter: a file that is
    still being written looks different at each tick and is left alone until it doesn't. Also one
    for a published quarter whose comparison a correction of the quarter before has overtaken, if
    its own files are still those that were asked for.
    """
    end_dead_runs(context.instance)
    cursor = json.loads(context.cursor) if context.cursor else {"seen": {}, "requested": {}}
    seen = _fingerprints(exports_root())
    overtaken = [
        one
        for one in stale(read_log(Home.current()))
        if cursor["requested"].get(one.quarter) == seen.get(one.quarter) is not None
    ]
    ready = {
        quarter: fingerprint
        for quarter, fingerprint in seen.items()
        if cursor["seen"].get(quarter) == fingerprint
        and cursor["requested"].get(quarter) != fingerprint
    }
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(run_key=f"{quarter}-{fingerprint}", partition_key=quarter)
            for quarter, fingerprint in ready.items()
        ]
        + [_compared_again(one) for one in overtaken if one.quarter not in ready],
        dynamic_partitions_requests=[quarters.build_add_request(sorted(ready))] if ready else [],
        cursor=json.dumps({"seen": seen, "requested": {**cursor["requested"], **ready}}),
    )


def _compared_again(one: Stale) -> dg.RunRequest:
    """A run request for a quarter that was compared with a version that is no longer the latest."""
    return dg.RunRequest(
        run_key=f"{one.quarter}-v{one.version}-{one.previous}-v{one.latest_version}",
        partition_key=one.quarter,
        tags={REASON_TAG: f"{one.previous} 已更正为第 {one.latest_version} 版，重算与它的比较"},
    )


def _fingerprints(exports: Path) -> dict[str, str]:
    """The fingerprint of the exports in each quarter's folder; empty folders are left out."""
    seen = {quarter: fingerprint(folder) for quarter, folder in quarter_folders(exports).items()}
    return {quarter: mark for quarter, mark in seen.items() if mark}
