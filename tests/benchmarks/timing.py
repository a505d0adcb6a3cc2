"""Timing that every benchmark here shares: each piece of work in a process of its own, in turns.

A piece of work is compared with its baseline within one run only: the machine's mood between runs
is larger than most differences. Results are written as JSON and as a Markdown table.
"""

import json
import os
import platform
import resource
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

MAX_PEAK_MB = 1024
PACKAGES = (
    *("duckdb", "polars", "pandas", "numpy", "dbt-core", "dbt-duckdb", "dagster"),
    *("great-expectations", "python-calamine"),
)


@dataclass(frozen=True)
class Work:
    """A function of a module and its arguments, which another process can call."""

    name: str
    function: Callable[..., object]
    arguments: tuple[Any, ...]
    baseline: str = ""
    """The name of the work that it is compared with."""
    least_ratio: float | None = None
    """The target: its rate as a share of the baseline's."""


@dataclass
class Result:
    """What was measured: seconds and what was returned in each round, ratios within a round."""

    name: str
    baseline: str
    target: float | None
    seconds: list[float] = field(default_factory=list)
    peak_mb: int = 0
    written_mb: int = 0
    returned: list[Any] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)

    def measured(self) -> dict[str, Any]:
        """All but what the work returned, for JSON."""
        return {name: value for name, value in asdict(self).items() if name != "returned"}

    @property
    def verdict(self) -> str:
        if self.target is None:
            return ""
        is_met = median(self.ratios) >= self.target and self.peak_mb < MAX_PEAK_MB
        return "met" if is_met else "missed"


def measure(works: Sequence[Work], rounds: int) -> list[Result]:
    """Do all work in turns, so many rounds; a baseline is also done in each round."""
    results = {work.name: Result(work.name, work.baseline, work.least_ratio) for work in works}
    for _ in range(rounds):
        for work in works:
            # A process of its own: its peak memory is of this work alone, and nothing is warm.
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                done = pool.submit(_timed, work.function, work.arguments).result()
            result = results[work.name]
            result.seconds.append(done[0])
            result.peak_mb = max(result.peak_mb, done[1])
            result.written_mb = max(result.written_mb, done[2])
            result.returned.append(done[3])
        for result in results.values():
            if result.baseline:
                result.ratios.append(results[result.baseline].seconds[-1] / result.seconds[-1])
    return list(results.values())


def _timed(
    function: Callable[..., object], arguments: tuple[Any, ...]
) -> tuple[float, int, int, object]:
    """Seconds, peak memory and bytes written in MB of this process and its children, the result."""
    written = _counter("/proc/self/io", "write_bytes")
    began = perf_counter()
    returned = function(*arguments)
    seconds = perf_counter() - began
    # Linux counts this for the process itself; getrusage would begin with its parent's peak.
    own = _counter("/proc/self/status", "VmHWM")
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    written = _counter("/proc/self/io", "write_bytes") - written
    return seconds, max(own, children) >> 10, written >> 20, returned


def _counter(path: str, name: str) -> int:
    """A line of a file in /proc, such as `VmHWM:  12 kB`."""
    lines = Path(path).read_text(encoding="ascii").splitlines()
    (value,) = [line.split()[1] for line in lines if line.startswith(f"{name}:")]
    return int(value)


def machine() -> dict[str, Any]:
    """What ran the benchmark: the machine, how busy it was, the versions."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "memory_gb": round(pages / 1e9, 1),
        "load_average": [round(load, 1) for load in os.getloadavg()],
        **{package: version(package) for package in PACKAGES},
    }


def write(name: str, lines: Sequence[str], measured: Mapping[str, Any], out: Path) -> None:
    """Print a table; write it as `<name>.md` and what was measured as `<name>.json`."""
    out.mkdir(parents=True, exist_ok=True)
    text = "\n".join(lines) + "\n"
    (out / f"{name}.md").write_text(text, encoding="utf-8")
    (out / f"{name}.json").write_text(json.dumps(measured, indent=1), encoding="utf-8")
    print(text)


def report(name: str, title: str, results: Sequence[Result], out: Path) -> None:
    """Print the table, and write it with all measurements."""
    facts = machine()
    lines = [
        f"# {title}",
        "",
        "，".join(f"{key} {value}" for key, value in facts.items()),
        "",
        "| work | median s | peak MB | of the rate of | ratio | target | |",
        "|---|---:|---:|---|---:|---:|---|",
    ]
    for result in results:
        ratio = f"{median(result.ratios):.2f}" if result.ratios else ""
        target = f"≥ {result.target}" if result.target is not None else ""
        lines.append(
            f"| {result.name} | {median(result.seconds):.2f} | {result.peak_mb} "
            f"| {result.baseline} | {ratio} | {target} | {result.verdict} |"
        )
    measured = {"machine": facts, "results": [result.measured() for result in results]}
    write(name, lines, measured, out)
