"""What may go: Dagster's records of a quarter's runs, once enough later ones are there.

What auditors need is never touched: the lake, the published versions, what every run found.
"""

import shutil

import dagster as dg

from orchestration.common.settings import Home

KEPT_RUNS = 10
"""Finished runs of a quarter that stay in Dagster's storage, and the last that published."""
PARTITION = "dagster/partition"
FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def forget_old_runs(home: Home, instance: dg.DagsterInstance, quarter: str) -> None:
    """Take the older finished runs of a quarter out of Dagster's storage, with their logs.

    By quarter, so that it costs the same however many quarters there are.
    """
    runs = instance.get_runs(dg.RunsFilter(statuses=FINISHED, tags={PARTITION: quarter}))
    published = [run for run in runs if run.status == dg.DagsterRunStatus.SUCCESS][:1]
    for run in runs[KEPT_RUNS:]:
        if run not in published:
            instance.delete_run(run.run_id)
            events, output = home.dagster_records(run.run_id)
            events.unlink(missing_ok=True)  # emptied by Dagster, but as large as before
            shutil.rmtree(output, ignore_errors=True)
