"""The sensor that alerts if a run that Dagster started fails; `hotline run` sends its own alert."""

import dagster as dg

from orchestration.common.progress import STAGES
from orchestration.common.run_events import FILES_PUBLISHED_BY, STARTED_BY, input_error_of
from orchestration.common.settings import Home
from orchestration.defs.automation import quarterly_job
from orchestration.operations.alerts import not_published, send


@dg.run_failure_sensor(
    monitored_jobs=[quarterly_job],
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="运行失败时，向 HOTLINE_ALERT_WEBHOOK、HOTLINE_ALERT_SMTP 告警；都没有设置则不做事",
)
def run_failed(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
    """Tell what stopped the run; whoever typed the command has been told already."""
    run = context.dagster_run
    if STARTED_BY in run.tags:
        return dg.SkipReason("由 hotline run 启动，命令自己告警")
    failures = context.get_step_failure_events()
    published = {
        record.event_log_entry.step_key
        for record in context.instance.get_records_for_run(
            run.run_id, of_type=dg.DagsterEventType.STEP_SUCCESS
        ).records
    }
    alert = not_published(
        Home.current(),
        run.tags.get("dagster/partition", ""),
        run.run_id,
        [STAGES.get(event.step_key or "", event.step_key or "") for event in failures],
        input_error_of(failures),
        files_published=FILES_PUBLISHED_BY in published,
    )
    for fault in send(alert):
        context.log.warning(fault)
    return None
