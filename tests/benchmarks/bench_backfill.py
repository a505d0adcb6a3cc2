"""Forty quarters as one Dagster backfill, as the runbook has it: in order, and how long each took.

The quarters are registered newest first, so that the order of the runs is the queue's doing. Each
run is a process that Dagster's daemon starts. Run by `make bench-backfill`.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import sleep

from bench_growth import MOST, quarters, write_site
from timing import machine

from orchestration.cli.runner import dagster_instance
from orchestration.common.settings import Home

MODULE = ("-m", "orchestration.definitions")
BIN = Path(sys.executable).parent
LOOK_EVERY = 5.0


@dataclass(frozen=True)
class Run:
    """A run of the backfill: `status` as Dagster says it."""

    quarter: str
    status: str
    seconds: float


@contextmanager
def daemon(log: Path) -> Iterator[None]:
    """Dagster's daemon, which takes runs off the queue."""
    command = [BIN / "dagster-daemon", "run", *MODULE]
    with (
        log.open("w") as output,
        subprocess.Popen(command, stdout=output, stderr=output) as process,
    ):
        try:
            yield
        finally:
            process.terminate()


def backfill(home: Home, names: list[str], log: Path) -> list[Run]:
    """Load all quarters by one backfill; its runs in the order in which they started."""
    job = ("-j", "quarterly_load", "--all", "--noprompt")
    with dagster_instance(home) as instance:
        instance.add_dynamic_partitions("quarter", names[::-1])
        subprocess.run([BIN / "dagster", "job", "backfill", *MODULE, *job], check=True)
        with daemon(log):
            while not all(run.is_finished for run in instance.get_runs()):
                sleep(LOOK_EVERY)
        records = sorted(instance.get_run_records(), key=lambda record: record.start_time)
    return [
        Run(
            quarter=record.dagster_run.tags["dagster/partition"],
            status=record.dagster_run.status.value,
            seconds=record.end_time - record.start_time,
        )
        for record in records
    ]


def report(runs: list[Run], out: Path) -> None:
    """Print the table, and write it as `backfill.md` and everything as `backfill.json`."""
    names = [run.quarter for run in runs]
    some = max(len(runs) // 4, 1)
    first, last = (median(run.seconds for run in part) for part in (runs[:some], runs[-some:]))
    lines = [
        f"# Backfill: {len(runs)} quarters",
        "",
        ", ".join(f"{key} {value}" for key, value in machine().items()),
        "",
        "| what | found |",
        "|---|---:|",
        f"| published | {sum(run.status == 'SUCCESS' for run in runs)} of {len(runs)} |",
        f"| oldest first | {'yes' if names == sorted(names) else 'no'} |",
        f"| the first {some}, seconds a run (median) | {first:.1f} |",
        f"| the last {some}, seconds a run (median) | {last:.1f} |",
        f"| ratio | {last / first:.2f} |",
        f"| target ≤ {MOST} | {'met' if last <= MOST * first else 'missed'} |",
    ]
    text = "\n".join(lines) + "\n"
    out.mkdir(parents=True, exist_ok=True)
    (out / "backfill.md").write_text(text, encoding="utf-8")
    measured = {"machine": machine(), "runs": [asdict(run) for run in runs]}
    (out / "backfill.json").write_text(json.dumps(measured, indent=1), encoding="utf-8")
    print(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quarters", type=int, default=40)
    parser.add_argument("--out", type=Path, default=Home.current().root / "bench")
    options = parser.parse_args()
    loaded = list(quarters(options.quarters))
    # What the daemon had started may still be ending.
    with TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        place = Path(temporary)
        write_site(place / "site", loaded)
        os.environ["HOTLINE_SITE"] = str(place / "site")
        os.environ["HOTLINE_HOME"] = str(place / "home")
        os.environ.pop("HOTLINE_EXPORTS", None)
        runs = backfill(Home.current(), [str(quarter) for quarter in loaded], place / "daemon.log")
        report(runs, options.out)


if __name__ == "__main__":
    main()
