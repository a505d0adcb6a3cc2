"""`hotline ui` running for a test or a picture, stopped with Ctrl-C at the end."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conftest import EXPORTS, HOTLINE

STARTS_WITHIN = 180
STOPS_WITHIN = 60


@contextmanager
def running_ui(folder: Path, home: Path | str) -> Iterator[str]:
    """Yields the address that the command shows; its output is written into `folder`."""
    environment = os.environ | {"HOTLINE_HOME": str(home), "HOTLINE_EXPORTS": str(EXPORTS)}
    with (
        (folder / "out").open("w") as out,
        (folder / "err").open("w") as err,
        subprocess.Popen(
            [HOTLINE, "ui", "--port", "0"], cwd=folder, env=environment, stdout=out, stderr=err
        ) as running,
    ):
        address = ""
        until = time.monotonic() + STARTS_WITHIN
        while not address and time.monotonic() < until and running.poll() is None:
            time.sleep(0.5)
            words = (folder / "out").read_text().split()
            address = next((word[word.index("http") :] for word in words if "http" in word), "")
        assert address, (folder / "err").read_text()
        try:
            yield address
        finally:
            running.send_signal(signal.SIGINT)
            status = running.wait(STOPS_WITHIN)
        assert status == 0, (folder / "err").read_text()
