"""Killing the quarterly run at an instant, running it again, and comparing what is published.

Run as `python tests/faults/kills.py --random 200`; the fast tests call it for a few. Each run is a
process of its own, forked from one that has imported the project, so that hundreds are possible.
"""

import argparse
import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import duckdb

QUARTER = "2022Q2"
PROJECT = Path(__file__).resolve().parents[2]
RERUN_SECONDS = 300
FORK = multiprocessing.get_context("fork")
# What a run writes of itself, not of the quarter; everything else must be the same.
OF_THE_RUN = {
    "run_id",
    "code_version",
    "checked_at",
    "published_at",
    "received_at",
    "superseded_by",
}


@dataclass
class Fault:
    """One fault and how the home fared: all counts are zero where it survived."""

    kind: str
    at: str
    was_killed: bool
    lost_or_doubled_rows: int = 0
    half_publications: int = 0
    leftovers: int = 0
    failed_reruns: int = 0

    @property
    def survived(self) -> bool:
        return not (
            self.lost_or_doubled_rows
            or self.half_publications
            or self.leftovers
            or self.failed_reruns
        )


def run_in_child(home: Path, die_at: str | None = None) -> multiprocessing.process.BaseProcess:
    """Start the quarterly job on a home; `die_at` names the step at whose start it kills itself."""

    def child() -> None:
        os.environ["HOTLINE_HOME"] = str(home)
        from orchestration.runner import run_quarter
        from orchestration.settings import Home

        def on_stage(step: str) -> None:
            if step == die_at:
                os.kill(os.getpid(), signal.SIGKILL)

        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        outcome = run_quarter(Home.current(), QUARTER, on_stage)
        os._exit(0 if outcome.succeeded else 1)

    process = FORK.Process(target=child)
    process.start()
    return process


def published_rows(home: Path) -> Counter[tuple[str, tuple[object, ...]]]:
    """Every row that readers see, with its table, but for what names the run itself."""
    rows: Counter[tuple[str, tuple[object, ...]]] = Counter()
    with duckdb.connect() as connection:
        connection.execute(f"attach '{home}/published/marts.duckdb' as published (read_only)")
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() "
            "where database_name = 'published' order by all"
        ).fetchall()
        for schema, table in tables:
            columns = [
                name
                for name, *_ in connection.execute(
                    f"select * from published.{schema}.{table} limit 0"
                ).description
            ]
            kept = ", ".join(name for name in columns if name not in OF_THE_RUN)
            # Audit results are kept for every run: those of the last are compared.
            last = ""
            if "run_id" in columns:
                last = (
                    f"where run_id = (select max_by(run_id, checked_at) "
                    f"from published.{schema}.{table})"
                )
            sql = f"select {kept} from published.{schema}.{table} {last}"
            rows.update((f"{schema}.{table}", row) for row in connection.execute(sql).fetchall())
    return rows


def parquet_bytes(home: Path) -> dict[str, bytes]:
    """What readers of Parquet see, and every published version."""
    return {
        str(path.relative_to(home)): path.read_bytes()
        for path in sorted((home / "published").rglob("*.parquet"))
    }


def leftovers(home: Path) -> list[str]:
    """Temporary files, locks and runs without an end that a finished run may not leave behind."""
    left = list(home.rglob("*.tmp"))
    left += [path for path in (home / "writer.json", home / "scratch") if path.exists()]
    with closing(sqlite3.connect(home / "dagster" / "history" / "runs.db")) as runs:
        open_runs = runs.execute(
            "select run_id from runs where status not in ('SUCCESS', 'FAILURE')"
        ).fetchall()
    return [str(path) for path in left] + [run_id for (run_id,) in open_runs]


def try_fault(undisturbed: Path, at: float | str, place: Path) -> Fault:
    """Kill a run at a second or at a step's start, run again, and compare with `undisturbed`."""
    home = Path(tempfile.mkdtemp(dir=place)) / "home"
    if isinstance(at, str):
        process = run_in_child(home, die_at=at)
        process.join()
        fault = Fault("步骤开始时", at, process.exitcode == -signal.SIGKILL)
    else:
        process = run_in_child(home)
        process.join(at)
        process.kill()
        process.join()
        fault = Fault("随机时刻", f"{at:.2f} 秒", process.exitcode == -signal.SIGKILL)
    # What readers see after the kill is nothing or the whole version.
    if (home / "published" / "marts.duckdb").exists():
        marts = {k: v for k, v in published_rows(home).items() if k[0].startswith("marts.")}
        whole = {k: v for k, v in published_rows(undisturbed).items() if k[0].startswith("marts.")}
        fault.half_publications += marts != whole
    rerun = run_in_child(home)
    rerun.join(RERUN_SECONDS)
    rerun.kill()  # one that hangs has failed
    rerun.join()
    fault.failed_reruns = int(rerun.exitcode != 0)
    if not fault.failed_reruns:
        expected, actual = published_rows(undisturbed), published_rows(home)
        fault.lost_or_doubled_rows = sum(((expected - actual) + (actual - expected)).values())
        fault.half_publications += parquet_bytes(undisturbed) != parquet_bytes(home)
        fault.leftovers = len(leftovers(home))
    if fault.survived:
        shutil.rmtree(home.parent)
    else:
        print(f"✗ {fault} {home}", file=sys.stderr)
    return fault


def kill_often(place: Path, random_kills: int, steps: list[str] | None, seed: int) -> list[Fault]:
    """Try every step's start and as many random instants.

    Args:
        place: an empty folder for the homes.
        random_kills: how many instants, evenly drawn over the length of an undisturbed run.
        steps: at which steps' starts; None for every step of the job.
        seed: of the random instants.
    """
    os.environ.setdefault("HOTLINE_EXPORTS", str(PROJECT / "exports"))
    import orchestration.definitions  # noqa: F401 (forked runs start with everything imported)
    from orchestration.cli import STAGES

    undisturbed = place / "undisturbed"
    began = time.perf_counter()
    first = run_in_child(undisturbed)
    first.join()
    if first.exitcode != 0:
        raise RuntimeError("the undisturbed run didn't publish")
    length = time.perf_counter() - began
    draw = random.Random(seed)
    instants: list[float | str] = [draw.uniform(0, length) for _ in range(random_kills)]
    instants += list(STAGES) if steps is None else steps
    return [try_fault(undisturbed, at, place) for at in instants]


def table(faults: list[Fault]) -> str:
    """The fault table: fault, times tried, survived, lost rows, half publications."""
    lines = ["| 故障 | 次数 | 其中运行被杀 | 重跑后一致 | 丢失或重复的行 | 半发布 | 残留文件 |"]
    lines.append("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    kinds = dict.fromkeys(fault.kind for fault in faults)
    for kind in kinds:
        those = [fault for fault in faults if fault.kind == kind]
        counts = (
            len(those),
            sum(fault.was_killed for fault in those),
            sum(fault.survived for fault in those),
            sum(fault.lost_or_doubled_rows for fault in those),
            sum(fault.half_publications for fault in those),
            sum(fault.leftovers for fault in those),
        )
        lines.append(f"| {kind} | {' | '.join(map(str, counts))} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--random", type=int, default=200)
    parser.add_argument("--steps", nargs="*", help="default: every step of the job")
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hotline-kills-") as place:
        faults = kill_often(Path(place), arguments.random, arguments.steps, arguments.seed)
        print(table(faults))
        sys.exit(not all(fault.survived for fault in faults))


if __name__ == "__main__":
    main()
