"""The command in a child of a process that has imported everything already.

Importing takes more than half of a small quarter's CPU time, and nearly all of a refused one's. The
child has its own environment, folder and streams, and enters where the command does. `first_run`
starts the command itself, and so do the tests whose subject is the process.
"""

import atexit
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import IO

PRELOADED = [
    *("orchestration.cli.main", "orchestration.cli.runner", "orchestration.cli.run_output"),
    *("orchestration.definitions", "orchestration.checks.expectations"),
    *("vl_convert", "daff", "alembic.command", "dagster._core.storage.event_log"),
]
# With one of these the project's own modules are imported anew.
READ_AT_IMPORT = ("HOTLINE_SITE", "HOTLINE_ENGINE", "HOTLINE_POSTGRES_URL")


@cache
def _server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    put_aside = {name: os.environ.pop(name) for name in READ_AT_IMPORT if name in os.environ}
    try:
        forkserver.ensure_running()
    finally:
        os.environ.update(put_aside)
    return context


def run_command(
    arguments: Sequence[str], environment: Mapping[str, str], seconds: float
) -> tuple[int, str, str]:
    """Run the command in a child; its status and what it printed.

    Raises:
        TimeoutError: it took longer than `seconds`.
    """
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        child = _server().Process(
            target=_child, args=(list(arguments), dict(environment), str(Path.cwd()), out, err)
        )
        child.start()
        child.join(seconds)
        if child.exitcode is None:
            child.kill()
            raise TimeoutError(f"hotline {arguments}: more than {seconds} s")
        return child.exitcode, out.read_text("utf-8"), err.read_text("utf-8")


def _child(
    arguments: list[str], environment: dict[str, str], folder: str, out: Path, err: Path
) -> None:
    """Become the command: its environment, folder, streams and entry."""
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    for stream, path in ((sys.stdout, out), (sys.stderr, err)):
        with path.open("wb") as file:
            os.dup2(file.fileno(), stream.fileno())
    with Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), 0)
    multiprocessing.set_start_method("fork", force=True)  # as in a process of its own
    sys.argv = [str(Path(sys.executable).with_name("hotline")), *arguments]
    if any(environment.get(name) for name in READ_AT_IMPORT):
        for name in [name for name in sys.modules if name.partition(".")[0] == "orchestration"]:
            del sys.modules[name]
    from orchestration.checks import validator
    from orchestration.cli.main import main

    validator.started = cache(_forked_validator)
    status = 1
    try:
        main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    with suppress(BrokenPipeError):
        atexit._run_exitfuncs()
    os._exit(status)


def _forked_validator() -> tuple[IO[bytes], IO[bytes]]:
    """In the place of `validator.started`, which would import Great Expectations anew."""
    from orchestration.checks import validator

    asked, there = os.pipe()
    back, answers = os.pipe()
    if os.fork() == 0:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.close(there)
        os.close(back)
        validator._serve(os.fdopen(asked, "rb"), os.fdopen(answers, "wb"))
        os._exit(0)
    os.close(asked)
    os.close(answers)
    question = os.fdopen(there, "wb")
    atexit.register(validator._take_leave, question)
    return question, os.fdopen(back, "rb")
