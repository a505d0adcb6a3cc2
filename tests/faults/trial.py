"""A trial: `hotline run` in a forked child that something befalls, then again, then compared.

Children are forked from a process that has imported the project: each does the whole of a run but
its imports. What readers see of a home is its `State`.
"""

import hashlib
import json
import multiprocessing
import os
import re
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing, redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

import duckdb

QUARTER = "2022Q2"
PROJECT = Path(__file__).resolve().parents[2]
EXPORTS = PROJECT / "exports"
# Beside an undisturbed home: what its run gave a name, a path a line.
RENAMES = "renames"
REASON = "更正返工"
LONGEST_SECONDS = 600
LAST_WORD_SECONDS = 60
FORK = multiprocessing.get_context("fork")
# What a run writes of itself, not of the quarter; everything else must be the same.
OF_THE_RUN = {
    *("run_id", "code_version", "checked_at", "published_at", "received_at", "superseded_by"),
    "checked_sha256",  # of a candidate, which names its run
}
# Called in the child: with `start` before the run, then with each step's key as it starts.
Hook = Callable[[str], None]


def import_everything() -> None:
    """What a run imports, once, in the process that forks; no thread may start here."""
    import great_expectations  # noqa: F401
    import vl_convert  # noqa: F401

    import orchestration.checks.expectations
    import orchestration.definitions
    import orchestration.publish.pages.publish  # noqa: F401


@dataclass
class Ran:
    """How a child ended, where its words are and how long it took."""

    status: int
    log: Path
    seconds: float

    @property
    def said(self) -> str:
        """What it said so far; whatever it started may speak after its end."""
        return self.log.read_text(errors="replace")

    @property
    def was_killed(self) -> bool:
        return self.status < 0

    @property
    def code(self) -> str:
        """The stable code of the message that it ended with."""
        found = re.search(r"✗ \[(\w+)\]", self.said)
        return found[1] if found else ""


def hotline(*arguments: str, home: Path, exports: Path, hook: Hook = lambda _: None) -> Ran:
    """Run the command in a forked child."""
    began = time.perf_counter()
    process, said = start_hotline(*arguments, home=home, exports=exports, hook=hook)
    return end(process, said, began)


def end(process: multiprocessing.process.BaseProcess, said: Path, began: float) -> Ran:
    """Wait for a child; one that hangs has failed."""
    process.join(LONGEST_SECONDS)
    process.kill()
    process.join()
    seconds = time.perf_counter() - began
    return Ran(process.exitcode or 0, said, seconds)


def start_hotline(
    *arguments: str, home: Path, exports: Path, hook: Hook
) -> tuple[multiprocessing.process.BaseProcess, Path]:
    """The child, and the file where its words go: not on the home's disk, as that may be full."""
    handle, name = tempfile.mkstemp(prefix="said-", dir=home.parent.parent)
    os.close(handle)

    def child() -> None:
        os.environ["HOTLINE_HOME"], os.environ["HOTLINE_EXPORTS"] = str(home), str(exports)
        sys.argv = ["hotline", *arguments]
        with open(name, "w") as said, redirect_stdout(said), redirect_stderr(said):  # noqa: PTH123
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
            _listen(hook)
            from orchestration.cli.main import main
            from orchestration.common import console

            console.out.file = console.err.file = said
            hook("start")
            main()

    process = FORK.Process(target=child)
    process.start()
    return process, Path(name)


def _listen(hook: Hook) -> None:
    """Have the hook told of each step, besides whoever listens to the run."""
    from orchestration.cli import runner

    run_quarter = runner.run_quarter

    def heard(home, quarter, on_stage, *rest):
        def both(step: str) -> None:
            hook(step)
            on_stage(step)

        return run_quarter(home, quarter, both, *rest)

    runner.run_quarter = heard


@dataclass
class State:
    """What readers see of a home: rows by table, the Parquet tree and versions by hash."""

    home: Path

    @cached_property
    def rows(self) -> Counter[tuple[str, tuple[object, ...]]]:
        """Every row of `marts.duckdb` but for what names the run itself; nothing without the file.

        Audit results are kept for every run: those of the last are taken.
        """
        rows: Counter[tuple[str, tuple[object, ...]]] = Counter()
        database = self.home / "published" / "marts.duckdb"
        if not database.exists():
            return rows
        with duckdb.connect() as connection:
            connection.execute(f"attach '{database}' as published (read_only)")
            tables: dict[str, list[str]] = {}
            for schema, table, column in connection.execute(
                "select schema_name, table_name, column_name from duckdb_columns() "
                "where database_name = 'published' order by all"
            ).fetchall():
                tables.setdefault(f"{schema}.{table}", []).append(column)
            for table, columns in tables.items():
                kept = ", ".join(name for name in columns if name not in OF_THE_RUN)
                last = f"(select max_by(run_id, checked_at) from published.{table})"
                only = f" where run_id = {last}" if "run_id" in columns else ""
                sql = f"select {kept} from published.{table}{only}"
                rows.update((table, row) for row in connection.execute(sql).fetchall())
        return rows

    @cached_property
    def marts(self) -> Counter[tuple[str, tuple[object, ...]]]:
        return Counter({k: n for k, n in self.rows.items() if k[0].startswith("marts.")})

    @cached_property
    def tree(self) -> dict[str, str]:
        """Hashes of the Parquet files that readers find."""
        folder = self.home / "published" / "parquet"
        return {
            str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.glob("*/*/*.parquet"))
        }

    def broken_versions(self) -> list[str]:
        """Version folders that aren't what their manifest says."""
        broken = []
        for folder in (self.home / "published" / "versions").glob("*/*"):
            try:
                outputs = json.loads((folder / "manifest.json").read_text())["outputs"]
            except (OSError, ValueError):
                outputs = None
            found = {
                path.stem: hashlib.sha256(path.read_bytes()).hexdigest()
                for path in folder.glob("*.parquet")
            }
            if outputs != found:
                broken.append(str(folder))
        return broken

    def half_publications(self, *wholes: "State") -> list[str]:
        """What readers see that is of no single one of the given states."""
        half = self.broken_versions()
        if self.marts not in [whole.marts for whole in wholes]:
            half.append("marts.duckdb")
        if self.tree not in [whole.tree for whole in wholes]:
            half.append("parquet")
        return half

    def leftovers(self) -> list[str]:
        """Temporary files, locks and runs without an end; nothing of it may outlive a run."""
        left = [*self.home.rglob("*.tmp"), *self.home.glob("published/.parquet-next")]
        left += [p for p in (self.home / "writer.json", self.home / "scratch") if p.exists()]
        with closing(sqlite3.connect(self.home / "dagster" / "history" / "runs.db")) as runs:
            open_runs = runs.execute(
                "select run_id from runs where status not in ('SUCCESS', 'FAILURE')"
            ).fetchall()
        return [str(path) for path in left] + [run_id for (run_id,) in open_runs]


@dataclass
class Base:
    """Where trials start, and where they must end: a first run, a correction, one run again."""

    name: str
    exports: Path
    before: State
    after: State
    seconds: float
    """How long the undisturbed run took."""
    again: State | None = None

    @property
    def arguments(self) -> list[str]:
        return ["run", QUARTER, *(["--reason", REASON] if self.before.rows else [])]

    def after_two_runs(self) -> State:
        """As an undisturbed home after a second, equal run: its audit may say other things."""
        if self.again is None:
            home = copied(
                self.after.home, self.after.home.with_name(f"{self.name}-again-{os.getpid()}")
            )
            ran = hotline(*self.arguments, "--force", home=home, exports=self.exports)
            assert ran.status == 0, ran.said
            self.again = State(home)
        return self.again


def make_bases(place: Path) -> dict[str, Base]:
    """The undisturbed homes: 2022Q2 from the sample, and the same with a corrected ticket.

    Args:
        place: where they are made, or were made by the same code for another part of a long run.
    """
    nothing = State(place / "nothing" / "home")
    first = _undisturbed("first", place, EXPORTS, nothing)
    exports = place / "exports"
    if not exports.exists():
        shutil.copytree(EXPORTS, exports)
        (exports / QUARTER / "bulletin.csv").unlink()  # its figures would stop a correction
        correct(exports)
    correction = _undisturbed("correction", place, exports, first.after)
    again = Base("again", exports, correction.after, correction.after, correction.seconds)
    return {"first": first, "correction": correction, "again": again}


def _undisturbed(name: str, place: Path, exports: Path, before: State) -> Base:
    home, took = place / name / "home", place / name / "seconds"
    base = Base(name, exports, before, State(home), 0.0)
    if not took.exists():
        home.parent.mkdir(parents=True)
        if before.rows:
            copied(before.home, home)
        log = place / name / RENAMES

        def note(target: str) -> None:
            with log.open("a") as file:
                file.write(target + "\n")

        hook = before_rename(home, note)
        ran = hotline(*base.arguments, home=home, exports=exports, hook=hook)
        assert ran.status == 0, ran.said
        took.write_text(str(ran.seconds))
    base.seconds = float(took.read_text())
    assert base.after.rows and base.after.tree != before.tree
    return base


def before_rename(home: Path, act: Callable[[str], None]) -> Hook:
    """A hook that has `act` told of each target in the home before something takes its name."""

    def wrapped(function):
        def told(source, target, **rest):
            if str(target).startswith(f"{home}/"):
                act(str(Path(target).relative_to(home)))
            return function(source, target, **rest)

        return told

    def hook(step: str) -> None:
        if step == "start":
            os.rename, os.replace = wrapped(os.rename), wrapped(os.replace)

    return hook


def correct(exports: Path, last: bool = False) -> None:
    """Make the first ticket (or the last) of the quarter that wasn't reworked a reworked one."""
    path = exports / QUARTER / "ticket.csv"
    lines = path.read_text(encoding="utf-8-sig").splitlines(keepends=True)
    header = lines[0].strip().split(",")
    at, day = header.index("是否返工"), header.index("交办时间")
    numbers = range(len(lines) - 1, 0, -1) if last else range(1, len(lines))
    for number in numbers:
        cells = lines[number].split(",")
        if len(cells) == len(header) and cells[at] == "否" and cells[day] >= "2022-04-01":
            cells[at] = "是"
            lines[number] = ",".join(cells)
            break
    path.write_text("".join(lines), encoding="utf-8-sig")


def copied(home: Path, target: Path) -> Path:
    """A copy of a home with its links as links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copytree(home, target, symlinks=True))


@dataclass
class Fault:
    """One fault and how the home fared: all counts are zero where it survived."""

    kind: str
    at: str
    interrupted: bool = False
    """The run was killed, or ended with a message."""
    untold: list[str] = field(default_factory=list)
    """What the operator should have been told, or shouldn't."""
    lost_or_doubled_rows: int = 0
    tables: list[str] = field(default_factory=list)
    """In which of the readers' tables those rows are."""
    half_publications: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    failed_reruns: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def survived(self) -> bool:
        return not (
            self.untold
            or self.lost_or_doubled_rows
            or self.half_publications
            or self.leftovers
            or self.failed_reruns
        )


@dataclass
class Trial:
    """A home that something befalls."""

    base: Base
    home: Path
    exports: Path
    fault: Fault
    is_rerun: bool = False

    def start(self, hook: Hook = lambda _: None) -> Ran:
        """The run to be disturbed."""
        return hotline(*self.base.arguments, home=self.home, exports=self.exports, hook=hook)

    def judge(self, ran: Ran, *codes: str) -> None:
        """Note how the disturbed run ended; `codes` are the messages that are right for it."""
        self.fault.interrupted |= ran.status != 0
        if "Traceback" in ran.said:
            self.fault.untold.append(ran.said[-2000:])
        if ran.status not in (0, 2) and not ran.was_killed:
            self.fault.untold.append(f"status {ran.status}: {ran.said[-1000:]}")
        if codes and ran.code not in codes:
            self.fault.untold.append(f"{ran.code or ran.status} for {codes}: {ran.said[-1000:]}")

    def judge_if_stopped(self, ran: Ran, *codes: str) -> None:
        """As `judge`, for what the run may also get over, or what may end it from outside."""
        if ran.was_killed:  # the process beside it says so, in a moment
            deadline = time.monotonic() + LAST_WORD_SECONDS
            while not ran.code and time.monotonic() < deadline:
                time.sleep(0.1)
            codes = ("interrupted",)
        self.judge(ran, *(codes if ran.status else ()))

    def look(self) -> None:
        """What readers see now is the state before or the one after, whole."""
        half = State(self.home).half_publications(self.base.before, self.base.after)
        self.fault.half_publications += half

    def rerun(self) -> None:
        """Run again, undisturbed, and compare with an undisturbed home."""
        ran = hotline(*self.base.arguments, home=self.home, exports=self.base.exports)
        self.is_rerun = True
        self.base.seconds = ran.seconds
        if ran.status == 0:
            self.compare()
        else:
            self.fault.failed_reruns.append(ran.said[-2000:])

    def compare(self) -> None:
        """Hold what readers see, and what is left behind, against an undisturbed home."""
        now, expected = State(self.home), self.base.after.rows
        if now.rows != expected and now.rows != self.base.after_two_runs().rows:
            wrong = (expected - now.rows) + (now.rows - expected)
            self.fault.lost_or_doubled_rows += wrong.total()
            self.fault.tables = sorted({table for table, _ in wrong})
        self.fault.half_publications += now.half_publications(self.base.after)
        self.fault.leftovers += now.leftovers()


def try_fault(
    place: Path, base: Base, kind: str, at: str, strike: Callable[[Trial], None]
) -> Fault:
    """Let something befall a copy of the base's home, run again and compare.

    Args:
        place: a folder for the trial's home.
        base: from where to where the run leads.
        kind: the fault's name in the table.
        at: which of its kind.
        strike: damages the home, or starts the run with a hook that does, and judges it.
    """
    began = time.perf_counter()
    trial = new_trial(place, base, Fault(kind, at))
    strike(trial)
    if not trial.is_rerun:
        trial.look()
        trial.rerun()
    trial.fault.seconds = round(time.perf_counter() - began, 1)
    if trial.fault.survived:
        shutil.rmtree(trial.home.parents[1])
    return trial.fault


def new_trial(place: Path, base: Base, fault: Fault) -> Trial:
    """A copy of the base's home (none where it begins with nothing) in a folder of its own."""
    own = Path(tempfile.mkdtemp(dir=place))
    home = own / "disk" / "home"
    home.parent.mkdir()
    if base.before.rows:
        copied(base.before.home, home)
    return Trial(base, home, base.exports, fault)


COLUMNS = "故障|次数|其中运行中断|说清原因|重跑后一致|丢失或重复的行|半发布|残留"


def table(faults: list[Fault]) -> str:
    """The fault table: zeros in the last three columns, the third to the fifth say how it went."""
    lines = [f"| {COLUMNS.replace('|', ' | ')} |", "| --- |" + " ---: |" * COLUMNS.count("|")]
    for kind in dict.fromkeys(fault.kind for fault in faults):
        those = [fault for fault in faults if fault.kind == kind]
        counts = (
            len(those),
            sum(fault.interrupted for fault in those),
            sum(not fault.untold for fault in those),
            sum(fault.survived for fault in those),
            sum(fault.lost_or_doubled_rows for fault in those),
            sum(len(fault.half_publications) for fault in those),
            sum(len(fault.leftovers) for fault in those),
        )
        lines.append(f"| {kind} | {' | '.join(map(str, counts))} |")
    return "\n".join(lines)


def append(results: Path, fault: Fault) -> None:
    """Add a result to a file that others add to as well: a line goes in whole."""
    with results.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(fault), ensure_ascii=False) + "\n")


def read(results: Path) -> list[Fault]:
    """Every result so far."""
    lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
    return [Fault(**json.loads(line)) for line in lines]


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
