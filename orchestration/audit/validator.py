"""Great Expectations in a process of its own, which imports it while this one still starts.

The import takes two seconds and more, a fifth of what a small quarter takes in all, and has the
machine's second core to itself. The process ends when this one does, however that ends.
"""

import signal
import traceback
from functools import cache
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, cast

from orchestration.audit.check_results import CheckResult

if TYPE_CHECKING:
    from orchestration.audit.frames import Table


@cache
def started() -> "Connection[Any, Any]":
    """The way to the process, which is started on the first call."""
    here, there = get_context("spawn").Pipe()
    get_context("spawn").Process(target=_serve, args=(there,), daemon=True).start()
    there.close()  # the process alone holds that end: each learns of the other's death
    return here


def validate(name: str, table: "Table", layer: str) -> list[CheckResult]:
    """As `expectations.validate`; the process asks the table for its rows.

    Raises:
        RuntimeError: the validation failed there, or the process was killed.
    """
    way = started()
    way.send((name, table, layer))
    try:
        answer = way.recv()
    except EOFError as error:
        raise RuntimeError("Great Expectations 的进程被中断，多半是内存不足") from error
    if isinstance(answer, str):
        raise RuntimeError(answer)
    return cast(list[CheckResult], answer)


def _serve(way: "Connection[Any, Any]") -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that waits for us
    from orchestration.audit import expectations

    while True:
        try:
            name, table, layer = way.recv()
        except EOFError:
            return
        try:
            way.send(expectations.validate(name, table, layer))
        except Exception:
            way.send(traceback.format_exc())
