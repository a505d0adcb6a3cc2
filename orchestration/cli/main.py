"""Where the command begins and ends: its commands registered, its status, its messages."""

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
    """The command: unusable input, or a machine that can't, ends with its message and status."""
    # A tenth of a small quarter's time went into looking for garbage among what was just imported.
    gc.set_threshold(100_000, 50, 100)
    os.umask(0o077)  # what it writes, backups and Dagster's storage too, is for its owner alone
    status = 1  # of a bug, whose traceback Python prints
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
    """The last act at the end, instead of Python's own: it looks through all that was imported."""
    logging.shutdown()
    with suppress(BrokenPipeError):  # whoever read what was printed has seen enough
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)
