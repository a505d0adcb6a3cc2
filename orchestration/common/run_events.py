"""Dagster's records of a run: the tags that we set, and the errors in its events."""

from collections.abc import Iterator, Sequence

import dagster as dg
from dagster_shared.error import SerializableErrorInfo

from orchestration.common.errors import InputError, refusal

REASON_TAG = "hotline/reason"
"""A run's tag: why it changes what was published, where it does."""
STARTED_BY = "hotline/started_by"
"""A run's tag: the command itself reports how such a run ends."""
PROCESS = "hotline/process"
"""A run's tag: its process, by which others see that it is dead."""
FILES_PUBLISHED_BY = "published__marts"
"""The step after which readers have the files."""


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
