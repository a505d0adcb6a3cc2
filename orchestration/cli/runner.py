"""Runs the quarterly Dagster job from the command line; it is the same job as in the UI."""

import json
import logging
import os
import sqlite3
import uuid
import warnings
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from time import perf_counter

import dagster as dg
from dagster import DagsterEventType

from orchestration.common.errors import InputError, for_people
from orchestration.common.home import claim
from orchestration.common.run_events import (
    FILES_PUBLISHED_BY,
    PROCESS,
    REASON_TAG,
    STARTED_BY,
    errors_of,
    input_error_of,
)
from orchestration.common.settings import Home
from orchestration.operations.event_storage import KEPT_OPEN
from orchestration.publish.published_tables import holds_run

DAGSTER_DATABASES = ("history/runs.db", "history/runs/index.db", "schedules/schedules.db")
# Dagster would redirect a step's output to a file in the home. If that disk is full, it never
# restores the terminal, and no error is shown. Our steps print nothing; errors are events.
DAGSTER_YAML = """\
# Written by hotline: storage of Dagster's own events; one run at a time, further ones queue.
compute_logs:
  module: dagster.core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
telemetry:
  enabled: false
nux:
  enabled: false
concurrency:
  runs:
    max_concurrent_runs: 1
python_logs:
  dagster_handler_config:
    handlers:
      hotline:
        class: orchestration.operations.run_log.RunLog
"""

_log = logging.getLogger(__name__)


@dataclass
class RunOutcome:
    """How a run ended; `input_error` is the message about unusable input, if that ended it.

    `changes` has a line per source about what superseding files changed, and the warnings that
    `_Collector` caught. `reached_readers` means that the readers' copy has this run, although
    Dagster couldn't record the end of the step.
    """

    run_id: str
    succeeded: bool
    stages: list[tuple[str, float]] = field(default_factory=list)
    failed_steps: list[str] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    input_error: str = ""
    failure: str = ""
    reached_readers: bool = False

    @property
    def files_published(self) -> bool:
        """Whether the readers' files were published, even if a later step failed."""
        done = {step for step, _ in self.stages} - set(self.failed_steps)
        return self.reached_readers or FILES_PUBLISHED_BY in done


def dagster_instance(home: Home, kept_open: bool = False) -> dg.DagsterInstance:
    """The Dagster instance of a home; it is created on first use, and again if it is damaged.

    Args:
        home: the home.
        kept_open: keep the databases open, faster for one run of this process (`event_storage`).
    """
    claim(home)
    if damaged := _damaged(home.dagster):
        aside = home.dagster.with_name(f"dagster.damaged-{datetime.now():%Y%m%d-%H%M%S}")
        home.dagster.rename(aside)
        _log.warning(
            "Dagster 的存储已损坏（%s），移到 %s，另建空白的；数字不受影响，"
            "运行的历史从这一次重新开始，自动运行要在 hotline ui 里重新打开",
            damaged,
            aside.name,
        )
    home.dagster.mkdir(exist_ok=True, mode=0o700)
    runs = json.dumps(str(home.dagster / "history" / "runs"), ensure_ascii=False)
    texts = {
        "dagster.yaml": DAGSTER_YAML,
        "command.yaml": DAGSTER_YAML + KEPT_OPEN.format(folder=runs),
    }
    for name, text in texts.items():
        settings = home.dagster / name
        if not settings.exists() or settings.read_text(encoding="utf-8") != text:
            settings.write_text(text, encoding="utf-8")
    os.environ["DAGSTER_HOME"] = str(home.dagster)
    # Only this beta setting gives every run a handler, also in the UI. Dagster's version is pinned.
    warnings.filterwarnings("ignore", "Handling yaml-defined logging", dg.BetaWarning)
    name = "command.yaml" if kept_open else "dagster.yaml"
    return dg.DagsterInstance.from_config(str(home.dagster), name)


def _damaged(folder: Path) -> str:
    """The name of a Dagster database that SQLite can't read; empty if all are sound."""
    for path in (folder / name for name in DAGSTER_DATABASES):
        if not path.exists():
            continue
        with closing(sqlite3.connect(path)) as connection:
            try:
                ((verdict,),) = connection.execute("pragma quick_check(1)")
            except sqlite3.OperationalError:  # busy or unreachable, not necessarily damaged
                continue
            except sqlite3.DatabaseError:
                return path.name
        if verdict != "ok":
            return path.name
    return ""


def register_quarters(home: Home, exports: Path) -> None:
    """Add a partition for every quarter's folder, so that Dagster's pages show it."""
    from orchestration.defs.partitions import quarters
    from orchestration.defs.resources import end_dead_runs
    from orchestration.ingest.arrival import quarter_folders

    with dagster_instance(home) as instance:
        end_dead_runs(instance)
        instance.add_dynamic_partitions(quarters.name or "", list(quarter_folders(exports)))


def run_quarter(
    home: Home, quarter: str, on_stage: Callable[[str], None], reason: str = ""
) -> RunOutcome:
    """Run the quarterly job in this process.

    Args:
        home: where everything is written; must be the one that `HOTLINE_HOME` names.
        quarter: such as 2022Q2.
        on_stage: called with a step's key when the step starts.
        reason: why the run changes what is published, if it does.
    """
    outcome = RunOutcome(run_id=str(uuid.uuid4()), succeeded=False)
    mended = _Collector(outcome.changes)
    logger = logging.getLogger(__name__.partition(".")[0])  # the whole package's
    logger.addHandler(mended)
    try:
        _run_job(home, quarter, on_stage, reason, outcome)
    except Exception as error:  # such as unreadable rules of a site, or a disk full for Dagster
        told = for_people(error)
        if told is None:
            raise
        outcome.input_error = str(told)
        outcome.reached_readers = holds_run(home, outcome.run_id)
    finally:
        logger.removeHandler(mended)
    return outcome


class _Collector(logging.Handler):
    """Collects this package's warnings for the screen; Dagster sends a step's logs to its files."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the message."""
        self._lines.append(record.getMessage())


def _run_job(
    home: Home, quarter: str, on_stage: Callable[[str], None], reason: str, outcome: RunOutcome
) -> None:
    """Run the job and record its course in `outcome`.

    The definitions are imported here because their import parses the dbt models.
    """
    from orchestration.definitions import defs
    from orchestration.defs.automation import QUARTERLY_JOB
    from orchestration.defs.ingest import CHANGES
    from orchestration.defs.partitions import quarters

    started: dict[str, float] = {}

    def listen(entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event is None or event.step_key is None:
            return
        if event.event_type == DagsterEventType.STEP_START:
            started[event.step_key] = perf_counter()
            on_stage(event.step_key)
        elif event.event_type in (DagsterEventType.STEP_SUCCESS, DagsterEventType.STEP_FAILURE):
            outcome.stages.append((event.step_key, perf_counter() - started[event.step_key]))

    with dagster_instance(home, kept_open=True) as instance:
        instance.add_dynamic_partitions(quarters.name or "", [quarter])
        instance.add_event_listener(outcome.run_id, listen)
        result = defs.resolve_job_def(QUARTERLY_JOB).execute_in_process(
            instance=instance,
            partition_key=quarter,
            run_id=outcome.run_id,
            raise_on_error=False,
            tags={STARTED_BY: "command", PROCESS: str(os.getpid())}
            | ({REASON_TAG: reason} if reason else {}),
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    outcome.succeeded = result.success
    for event in result.all_events:
        if event.event_type == DagsterEventType.STEP_FAILURE and event.step_key:
            outcome.failed_steps.append(event.step_key)
        if event.is_step_materialization and CHANGES in event.materialization.metadata:
            outcome.changes.append(str(event.materialization.metadata[CHANGES].value))
    if result.success:
        return  # ignore errors from attempts that were retried
    outcome.input_error = input_error_of(result.all_events)
    others = (c for c in errors_of(result.all_events) if c.cls_name != InputError.__name__)
    outcome.failure = next((cause.message.strip() for cause in others), "")
