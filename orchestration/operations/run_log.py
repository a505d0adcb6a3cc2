"""The run log of a home: one line of JSON per event, no matter who started the run.

Dagster passes every event of every run of its instance to the handler here (see `dagster.yaml` in
the home). The log holds steps, times and stable codes, but no messages: they may quote a name.
"""

import json
import re
from datetime import UTC, datetime
from logging import LogRecord
from logging.handlers import RotatingFileHandler

import dagster as dg
from dagster import DagsterEventType

from orchestration.common.run_events import input_error_of
from orchestration.common.settings import Home

# A run writes about 5 kB, so some thousand runs are kept.
MAX_BYTES, KEPT_FILES = 1 << 20, 5
EVENTS = {
    DagsterEventType.RUN_START: "run_started",
    DagsterEventType.STEP_SUCCESS: "stage_done",
    DagsterEventType.STEP_FAILURE: "stage_failed",
    DagsterEventType.STEP_UP_FOR_RETRY: "stage_tried_again",
    DagsterEventType.RUN_SUCCESS: "run_published",
    DagsterEventType.RUN_FAILURE: "run_failed",
}


class RunLog(RotatingFileHandler):
    """Writes run events to the log of the home that `HOTLINE_HOME` names."""

    def __init__(self) -> None:
        path = Home.current().log
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        super().__init__(
            path, maxBytes=MAX_BYTES, backupCount=KEPT_FILES, encoding="utf-8", delay=True
        )

    def emit(self, record: LogRecord) -> None:
        """Write a record if its event is one of `EVENTS`."""
        event = getattr(record, "dagster_meta", {}).get("dagster_event")
        if event is not None and event.event_type in EVENTS:
            super().emit(record)
            self.close()  # Dagster never closes the file; the next event reopens it

    def handleError(self, record: LogRecord) -> None:  # noqa: N802 (logging's name)
        """Ignore the error: a run goes on if its log can't be written."""

    def format(self, record: LogRecord) -> str:
        """Format the event as one line of JSON."""
        meta = record.dagster_meta  # type: ignore[attr-defined]  # what Dagster adds to a record
        event: dg.DagsterEvent = meta["dagster_event"]
        seconds = getattr(event.event_specific_data, "duration_ms", None)
        entry = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "run_id": meta["run_id"],
            "quarter": (meta.get("job_tags") or {}).get("dagster/partition"),
            "event": EVENTS[event.event_type],
            "stage": event.step_key,
            "seconds": None if seconds is None else round(seconds / 1000, 3),
            "code": _code(event),
        }
        return json.dumps({key: value for key, value in entry.items() if value is not None})


def _code(event: dg.DagsterEvent) -> str | None:
    """The stable code of a step's failure, without its message, or None."""
    if event.event_type != DagsterEventType.STEP_FAILURE:
        return None
    told = re.match(r"\[(\w+)\]", input_error_of([event]))
    error = getattr(event.event_specific_data, "error", None)
    return told[1] if told else getattr(error, "cls_name", None)
