"""The workspace that steps share: exports, contracts, the home, and the hold on it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from orchestration.forget import settle
from orchestration.ingest.contracts import Contract, load_contracts
from orchestration.lock import writer
from orchestration.settings import Home, contracts_root, exports_root


# Dagster leaves the type parameter open: the value it would name is this class itself.
class Workspace(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Gives steps their folders and holds the home for the whole run (one writer)."""

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["Workspace"]:
        """Hold the home from the first step to the last; scratch starts and ends empty."""
        with writer(self.home, context.run_id or "") as died:
            _close(context.instance, died)
            shutil.rmtree(self.home.scratch, ignore_errors=True)
            self.home.scratch.mkdir(parents=True)
            settle(self.home, self.contracts)
            yield self
            shutil.rmtree(self.home.scratch)

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


def _close(instance: dg.DagsterInstance | None, run_id: str) -> None:
    """End a run in Dagster's storage whose process died: it would count as running for ever."""
    run = instance.get_run_by_id(run_id) if instance and run_id else None
    if instance and run and not run.is_finished:
        instance.report_run_failed(run, message="进程中断，没有走到结尾；由下一次运行登记")
