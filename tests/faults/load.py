"""Twenty readers in a loop while writers publish: no reader meets an error or two versions at once.

Run as `python tests/faults/load.py`; the fast test has the readers read while a process publishes.
A reader's set of tables is one of a version: what each reads is hashed and looked up among the
versions that were published, afterwards.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
from trial import EXPORTS, PROJECT, QUARTER, correct

HOTLINE = Path(sys.executable).with_name("hotline")
SPAWN = multiprocessing.get_context("spawn")
# Between a reader's reads: twenty that never rest would leave two cores no time to write.
PAUSE_SECONDS = 1.5
OTHER_QUARTER = "2022Q3"


def digest(relations: dict[str, str], connection: duckdb.DuckDBPyConnection) -> str:
    """A hash over the quarter's rows of some relations, by the name of their mart."""
    found = hashlib.sha256()
    for name, relation in sorted(relations.items()):
        sql = f"select * from {relation} where quarter = '{QUARTER}' order by all"
        found.update(repr((name, connection.execute(sql).fetchall())).encode())
    return found.hexdigest()


def marts_in(folder: Path) -> dict[str, str]:
    """The marts of a folder that holds one version: relations by name."""
    paths = [path for path in folder.glob("*.parquet") if not path.name.startswith("fct_")]
    return {path.stem: f"read_parquet('{path}')" for path in paths}


def read_database(home: Path) -> str:
    """All marts in one transaction, as a BI tool does."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{home}/published/marts.duckdb' as published (read_only)")
        connection.execute("begin")
        names = connection.execute(
            "select table_name from duckdb_tables() where database_name = 'published' "
            "and schema_name = 'marts'"
        ).fetchall()
        return digest({name: f"published.marts.{name}" for (name,) in names}, connection)


def read_tree(home: Path) -> str:
    """All marts from the Parquet tree: what `parquet` names now, and no other until done."""
    tree = (home / "published" / "parquet").resolve()
    tables = [folder.name for folder in tree.iterdir() if not folder.name.startswith("fct_")]
    with duckdb.connect() as connection:
        relations = {name: f"read_parquet('{tree}/{name}/*/*.parquet')" for name in tables}
        return digest(relations, connection)


def read_version(home: Path) -> str:
    """The latest version's folder."""
    folders = (home / "published" / "versions" / QUARTER).glob("v*")
    latest = max(folders, key=lambda folder: int(folder.name[1:]))
    with duckdb.connect() as connection:
        return digest(marts_in(latest), connection)


def read_pages(home: Path) -> str:
    """The quarter's pages and documents: each is there, and whole."""
    folder = home / "published" / "bulletin" / QUARTER
    for name in ("index.html", "unit/urban_investment.html", "bulletin.docx", "bulletin.xlsx"):
        data = (folder / name).read_bytes()
        end = b"</html>" if name.endswith("html") else b"PK\x05\x06"
        if end not in data[-1000:]:
            raise ValueError(f"{name} is cut off")
    return ""


READS: tuple[Callable[[Path], str], ...] = (read_database, read_tree, read_version, read_pages)


@dataclass
class Seen:
    """What readers met: reads by kind, the sets of tables that they saw, and errors."""

    reads: Counter[str] = field(default_factory=Counter)
    sets: set[tuple[str, str]] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)

    def add(self, other: "Seen") -> None:
        self.reads += other.reads
        self.sets |= other.sets
        self.errors += other.errors


def read_on(home: Path, is_over: Callable[[], bool], first: int, pause: float) -> Seen:
    """One reader: the kinds in turn, until it is over."""
    seen, turn = Seen(), first
    while not is_over():
        time.sleep(pause)
        read = READS[turn % len(READS)]
        turn += 1
        try:
            seen.sets.add((read.__name__, read(home)))
            seen.reads[read.__name__] += 1
        except Exception as error:
            seen.errors.append(f"{read.__name__}: {type(error).__name__} {error}")
    return seen


def read_in_threads(
    home: Path, is_over: Callable[[], bool], readers: int, pause: float = PAUSE_SECONDS
) -> Seen:
    """Several readers with connections of their own in one process."""
    seen: list[Seen] = []

    def one(number: int) -> None:
        seen.append(read_on(home, is_over, number, pause))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(readers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = Seen()
    for part in seen:
        total.add(part)
    return total


def mixtures(home: Path, seen: Seen) -> list[str]:
    """The sets of tables that readers saw and that no version holds."""
    with duckdb.connect() as connection:
        known = {
            digest(marts_in(folder), connection)
            for folder in (home / "published" / "versions" / QUARTER).glob("v*")
        }
    return sorted(kind for kind, found in seen.sets if found and found not in known)


def _reader_process(home: Path, stop: Path, readers: int, out) -> None:
    out.put(read_in_threads(home, stop.exists, readers))


def start_readers(home: Path, stop: Path, processes: int, readers: int):
    """Reading processes of some readers each; they end once the file `stop` is there."""
    out = SPAWN.Queue()
    started = [
        SPAWN.Process(target=_reader_process, args=(home, stop, readers, out))
        for _ in range(processes)
    ]
    for process in started:
        process.start()
    return started, out


@dataclass
class Wrote:
    """What a writer did: how its runs ended, and how many had to wait for the home."""

    ended: Counter[int] = field(default_factory=Counter)
    waited: int = 0
    said: list[str] = field(default_factory=list)


def write_on(home: Path, exports: Path, quarter: str, is_over: Callable[[], bool]) -> Wrote:
    """One person's runs of a quarter, each after another correction, until it is over."""
    wrote = Wrote()
    environment = os.environ | {"HOTLINE_HOME": str(home), "HOTLINE_EXPORTS": str(exports)}
    while not is_over():
        if quarter == QUARTER:
            correct(exports)
        command = [HOTLINE, "run", quarter, "--reason", "更正返工"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        wrote.ended[done.returncode] += 1
        wrote.waited += "正被占用" in done.stderr
        if done.returncode != 0:
            wrote.said.append(done.stderr[-2000:])
    return wrote


def corrected_exports(place: Path, name: str) -> Path:
    """The sample without its bulletin, which would stop a correction."""
    exports = Path(shutil.copytree(EXPORTS, place / name))
    (exports / QUARTER / "bulletin.csv").unlink()
    return exports


def run_through_dagster(home: Path, exports: Path, longest: float) -> Counter[str]:
    """`hotline ui` open, and a run in its queue, as the sensor puts it there: how it ended."""
    environment = os.environ | {"HOTLINE_HOME": str(home), "HOTLINE_EXPORTS": str(exports)}
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = home.parent / "ui.log"
    with log.open("w") as file:
        command = [HOTLINE, "ui", "--port", str(port)]
        ui = subprocess.Popen(command, env=environment, stdout=file, stderr=file)
    tags = json.dumps({"dagster/partition": QUARTER, "hotline/reason": "更正返工"})
    launch = [HOTLINE.with_name("dagster"), "job", "launch", "-m", "orchestration.definitions"]
    done = subprocess.run(
        [*launch, "-j", "quarterly_load", "--tags", tags],
        env=environment | {"DAGSTER_HOME": str(home / "dagster")},
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    ended: Counter[str] = Counter()
    if done.returncode != 0:
        ended[done.stderr[-1000:]] += 1
    until = time.monotonic() + longest
    while done.returncode == 0 and not ended and time.monotonic() < until:
        time.sleep(1)
        with closing(sqlite3.connect(home / "dagster" / "history" / "runs.db", timeout=30)) as runs:
            ended.update(
                status
                for (status,) in runs.execute(
                    "select status from runs where status in ('SUCCESS', 'FAILURE', 'CANCELED') "
                    "and run_id not in (select run_id from run_tags where key = ?)",
                    ["hotline/started_by"],
                )
            )
    ui.terminate()
    ui.wait(60)
    return ended


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="at least")
    parser.add_argument("--versions", type=int, default=3, help="at least")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="load-", ignore_cleanup_errors=True) as folder:
        place = Path(folder)
        home = place / "home"
        exports, others = (corrected_exports(place, name) for name in ("mine", "others"))
        command = [HOTLINE, "sample", "--tickets", "300", "--quarter", OTHER_QUARTER]
        subprocess.run([*command, "--out", others / OTHER_QUARTER], check=True, capture_output=True)
        first = write_on(home, exports, QUARTER, iter((False, True)).__next__)
        assert first.ended == {0: 1}, first.said
        began, stop = time.monotonic(), place / "stop"
        versions = home / "published" / "versions" / QUARTER

        def is_over() -> bool:
            return (
                time.monotonic() - began > arguments.seconds
                and len(list(versions.glob("v*"))) > arguments.versions
            )

        processes, out = start_readers(home, stop, 4, 5)
        with ThreadPoolExecutor() as people:
            queued = people.submit(run_through_dagster, home, exports, 20 * arguments.seconds)
            writing = [
                people.submit(write_on, home, folder, quarter, is_over)
                for folder, quarter in (
                    *((exports, QUARTER), (others, QUARTER), (others, OTHER_QUARTER)),
                )
            ]
            wrote = [writer.result() for writer in writing]
            queued.result()  # Dagster's queue starts it once no person's run is under way
        stop.touch()
        seen = Seen()
        for _ in processes:
            seen.add(out.get(timeout=120))
        for process in processes:
            process.join()
        mixed = mixtures(home, seen)
        print(f"用时 {time.monotonic() - began:.0f} 秒，读者 20 个，写者 3 个与 hotline ui")
        print(f"读 {seen.reads.total()} 次：{dict(sorted(seen.reads.items()))}")
        for kind in sorted({kind for kind, found in seen.sets if found}):
            print(f"{kind} 看到的版本 {sum(name == kind for name, _ in seen.sets)} 个")
        print(f"版本混杂 {len(mixed)}，读者出错 {len(seen.errors)}")
        ended = sum((part.ended for part in wrote), Counter())
        waited = sum(part.waited for part in wrote)
        print(f"写 {ended.total()} 次，成功 {ended[0]}，等待过 {waited}")
        print(f"hotline ui 队列中的运行：{dict(queued.result())}")
        faults = [*mixed, *seen.errors[:5], *(said for part in wrote for said in part.said)]
        if queued.result() != {"SUCCESS": 1}:
            faults.append(f"hotline ui: {(place / 'ui.log').read_text()[-3000:]}")
        for fault in faults:
            print(f"✗ {fault}", file=sys.stderr)
        sys.exit(bool(faults))


if __name__ == "__main__":
    main()
