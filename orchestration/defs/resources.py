"""The workspace that steps share: exports, contracts, the home, and the hold on it."""

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
    dg.DagsterRunStatus.NOT_STARTED,  # as one stays that couldn't write that it started
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]
TRIES = 3
WAIT_SECONDS = 5.0


# Dagster leaves the type parameter open: the value it would name is this class itself.
class Workspace(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Gives steps their folders and holds the home for the whole run (one writer)."""

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["Workspace"]:
        """Hold the home from the first step to the last; scratch starts and ends empty."""
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
            # Not before dagster_dbt, which takes away the log handler that importing dbt adds.
            from orchestration.warehouse.dbt import close_warehouse

            close_warehouse()
            remove_scratch(self.home)

    @property
    def home(self) -> Home:
        """The home named by the environment."""
        return Home.current()

    @property
    def exports(self) -> Path:
        """The folder of exports named by the environment."""
        return exports_root()

    @property
    def contracts(self) -> dict[str, Contract]:
        """The contracts in force."""
        return load_contracts(contracts_root())


@contextmanager
def retrying() -> Iterator[None]:
    """Have the step tried again after what may pass, such as a network that is away for a moment.

    What stays as it is, such as a wrong file, a full disk or a refused password, ends it at once.
    """
    try:
        yield
    except (InputError, OSError) as error:
        told = for_people(error)
        if told.may_pass if told else isinstance(error, OSError):
            raise dg.RetryRequested(TRIES - 1, seconds_to_wait=WAIT_SECONDS) from error
        raise


def end_dead_runs(instance: dg.DagsterInstance, died: str = "") -> None:
    """End the runs in Dagster's storage whose processes died.

    They would count as running for ever, and Dagster's queue wouldn't start another one.

    Args:
        instance: Dagster's.
        died: a run that is known to have died.
    """
    for run in instance.get_runs(dg.RunsFilter(statuses=UNDER_WAY)):
        if run.run_id == died or not _is_alive(run.tags.get(PROCESS)):
            instance.report_run_failed(run, message="进程中断，没有走到结尾；由下一次运行登记")


def _is_alive(process: str | None) -> bool:
    """Whether the process of a run lives; one that hasn't said which it is isn't thought dead."""
    try:
        os.kill(int(process or 0), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
