"""The command's entry point: registers the commands; turns errors into messages and a status."""

import atexit
import gc
import logging
import os
import sys
from contextlib import suppress

from orchestration.cli import commands, home_commands  # noqa: F401 (they register themselves)
from orchestration.cli.app import (
    UNUSABLE,
    app,
)
from orchestration.common.console import err, plain
from orchestration.common.errors import for_people


def main() -> None:
    """Run the command; unusable input or a machine's failure ends it with a message and a status.

    Other errors are bugs: Python prints their traceback.
    """
    # Garbage collection of what was just imported took a tenth of a small quarter's time.
    gc.set_threshold(100_000, 50, 100)
    os.umask(0o077)  # only the owner may read what is written, also backups and Dagster's storage
    status = 1  # of a bug
    atexit.register(lambda: _leave(status))
    try:
        app()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        raise
    except Exception as error:
        told = for_people(error)
        if told is None:
            raise
        err.print(f"[bold red]✗[/] {plain(str(told))}", soft_wrap=True)
        status = UNUSABLE
    sys.exit(status)


def _leave(status: int) -> None:
    """Flush and exit without interpreter teardown, which goes through everything imported."""
    logging.shutdown()
    with suppress(BrokenPipeError):  # the reader of the output has closed the pipe
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)
