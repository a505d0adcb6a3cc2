"""Dagster's records of a run: the tags that we set, and the errors in its events."""

from collections.abc import Iterator, Sequence

import dagster as dg
from dagster_shared.error import SerializableErrorInfo

from orchestration.common.errors import InputError, refusal

# A run's tag: the reason why it changes published figures, if it does.
REASON_TAG = "hotline/reason"
# A run's tag: the command itself reports how such a run ends.
STARTED_BY = "hotline/started_by"
# A run's tag: its process, so that others can tell whether it still lives.
PROCESS = "hotline/process"
# The step that publishes the files to readers.
FILES_PUBLISHED_BY = "published__marts"


def input_error_of(events: Sequence[dg.DagsterEvent]) -> str:
    """The events' last input error as text, else the last machine fault; empty if neither."""
    causes = list(errors_of(events))
    told = [cause for cause in causes if cause.cls_name == InputError.__name__]
    if told:
        return told[-1].message.partition(": ")[2].strip()
    refused = next(filter(None, (refusal(cause.message) for cause in reversed(causes))), None)
    return str(refused or "")


def errors_of(events: Sequence[dg.DagsterEvent]) -> Iterator[SerializableErrorInfo]:
    """The errors of the events, each followed by its chain of causes."""
    for event in events:
        cause = getattr(event.event_specific_data, "error", None)
        while cause is not None:
            yield cause
            cause = cause.cause
