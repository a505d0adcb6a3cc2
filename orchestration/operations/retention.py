"""Deletes Dagster's records of a quarter's old runs once there are enough later ones.

What auditors need is never touched: the lake, the published versions, every run's results.
"""

import shutil

import dagster as dg

from orchestration.common.settings import Home

# Finished runs of a quarter kept in Dagster's storage, besides the last one that published.
KEPT_RUNS = 10
PARTITION = "dagster/partition"
FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def forget_old_runs(home: Home, instance: dg.DagsterInstance, quarter: str) -> None:
    """Delete a quarter's older finished runs and their logs from Dagster's storage.

    One quarter at a time, so that the cost doesn't grow with the number of quarters.
    """
    runs = instance.get_runs(dg.RunsFilter(statuses=FINISHED, tags={PARTITION: quarter}))
    published = [run for run in runs if run.status == dg.DagsterRunStatus.SUCCESS][:1]
    for run in runs[KEPT_RUNS:]:
        if run not in published:
            instance.delete_run(run.run_id)
            events, output = home.dagster_records(run.run_id)
            events.unlink(missing_ok=True)  # Dagster empties the file, but it keeps its size
            shutil.rmtree(output, ignore_errors=True)
