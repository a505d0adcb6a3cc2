"""Runs Great Expectations in a child process, which imports it while this process still starts.

The import takes two seconds or more, a fifth of a small quarter's total time, and runs on the
machine's second core. The child ends when this process ends, for any reason. If this process was
killed or ran out of memory inside a library, and so couldn't report it, the child reports it.
"""

import atexit
import os
import pickle
import signal
import subprocess
import sys
import traceback
from contextlib import suppress
from functools import cache
from typing import IO, TYPE_CHECKING, cast

from orchestration.checks.check_results import CheckResult
from orchestration.common.errors import InputError

if TYPE_CHECKING:
    from orchestration.checks.frames import Table

# The last message of a process that ends by itself, in success or with an error.
LEAVE = None


@cache
def started() -> tuple[IO[bytes], IO[bytes]]:
    """The child's stdin and stdout; the first call starts the child."""
    command = [sys.executable, "-P", "-m", "orchestration.checks.validator"]
    # The arguments are fixed. No other process holds the child's stdin: it closes with this one.
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603
    there, back = cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout)
    atexit.register(_take_leave, there)
    return there, back


def _take_leave(there: IO[bytes]) -> None:
    with suppress(BrokenPipeError):  # the child was killed
        pickle.dump(LEAVE, there)
        there.flush()


def validate(name: str, table: "Table", layer: str) -> list[CheckResult]:
    """Run `expectations.validate` in the child, which reads the table's rows itself.

    Raises:
        RuntimeError: the validation raised an error there, or the child was killed.
    """
    there, back = started()
    try:
        pickle.dump((name, table, layer), there)
        there.flush()
        answer = pickle.load(back)  # noqa: S301 (from our own process)
    except (EOFError, BrokenPipeError) as error:
        raise RuntimeError("Great Expectations 的进程被中断，多半是内存不足") from error
    if isinstance(answer, str):
        raise RuntimeError(answer)
    return cast(list[CheckResult], answer)


def _serve(asked: IO[bytes], answers: IO[bytes]) -> None:
    from orchestration.checks import expectations

    while True:
        try:
            question = pickle.load(asked)  # noqa: S301 (from the process that started us)
        except (EOFError, pickle.UnpicklingError):  # no message, or an incomplete one
            sys.stderr.write(f"✗ {_interrupted()}\n")
            return
        if question is LEAVE:
            return
        try:
            name, table, layer = question
            answer: object = expectations.validate(name, table, layer)
        except Exception:
            answer = traceback.format_exc()
        pickle.dump(answer, answers)
        answers.flush()


def _interrupted() -> InputError:
    return InputError(
        code="interrupted",
        found="运行的进程突然中断：被人或操作系统终止，多半是内存不够",
        expected="约 2 GiB 可用内存，运行时不终止它",
        action="重新运行；已发布的内容是完好的，没有做完的从头再做",
    )


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process handles Ctrl-C
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # keep printed text out of the answers
    _serve(sys.stdin.buffer, answers)
    # A reader of the run's output also waits for this process: skip interpreter teardown (1 s).
    os._exit(0)
