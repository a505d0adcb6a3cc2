"""The workspace that steps share: exports, contracts and the home, which it locks for the run.

Retries of a step, and runs whose process died, are handled here too.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from orchestration.common.errors import InputError, for_people
from orchestration.common.home import empty_scratch, remove_scratch
from orchestration.common.lock import writer
from orchestration.common.run_events import PROCESS
from orchestration.common.settings import Home, contracts_root, exports_root, seeds_root
from orchestration.operations import last_run
from orchestration.operations.erase import complete_erasures
from orchestration.operations.retention import forget_old_runs
from orchestration.publish.published_tables import finish
from orchestration.reading.contracts import Contract, load_contracts
from orchestration.warehouse.site_rules import check_policy

UNDER_WAY = [
    dg.DagsterRunStatus.NOT_STARTED,  # a run keeps this status if it couldn't record its start
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]
TRIES = 3
WAIT_SECONDS = 5.0


# Dagster's type parameter names the resource's value, which is this class itself.
class Workspace(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Gives steps their folders and holds the home for the whole run (one writer)."""

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["Workspace"]:
        """Lock the home from the first step to the last; scratch starts and ends empty."""
        instance, run_id = context.instance, context.run.run_id if context.run else ""
        if instance and instance.has_run(run_id):
            instance.add_run_tags(run_id, {PROCESS: str(os.getpid())})
        with writer(self.home, run_id) as died:
            last_run.begin(self.home, run_id)
            if instance:
                end_dead_runs(instance, died)
            empty_scratch(self.home)
            complete_erasures(self.home, self.contracts)
            finish(self.home)
            if context.instance and context.run:
                quarter = context.run.tags["dagster/partition"]
                check_policy(seeds_root(), quarter)
                forget_old_runs(self.home, context.instance, quarter)
            yield self
            # Imported after dagster_dbt, which removes the log handler that importing dbt adds.
            from orchestration.warehouse.dbt import close_warehouse

            close_warehouse()
            remove_scratch(self.home)

    @property
    def home(self) -> Home:
        """The home that the environment names."""
        return Home.current()

    @property
    def exports(self) -> Path:
        """The folder of exports that the environment names."""
        return exports_root()

    @property
    def contracts(self) -> dict[str, Contract]:
        """The contracts in force."""
        return load_contracts(contracts_root())


@contextmanager
def retrying() -> Iterator[None]:
    """Retry the step after a transient error, such as a short network failure.

    A lasting error, such as a wrong file, a full disk or a refused password, ends it at once.
    """
    try:
        yield
    except (InputError, OSError) as error:
        told = for_people(error)
        if told.may_pass if told else isinstance(error, OSError):
            raise dg.RetryRequested(TRIES - 1, seconds_to_wait=WAIT_SECONDS) from error
        raise


def end_dead_runs(instance: dg.DagsterInstance, died: str = "") -> None:
    """Report the runs in Dagster's storage whose processes died as failed.

    Otherwise they would count as running forever, and Dagster's queue would start no other run.

    Args:
        instance: the Dagster instance.
        died: the id of a run that is known to have died.
    """
    for run in instance.get_runs(dg.RunsFilter(statuses=UNDER_WAY)):
        if run.run_id == died or not _is_alive(run.tags.get(PROCESS)):
            instance.report_run_failed(run, message="进程中断，没有走到结尾；由下一次运行登记")


def _is_alive(process: str | None) -> bool:
    """Whether the process of a run is alive. A run without a recorded PID counts as alive."""
    try:
        os.kill(int(process or 0), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
