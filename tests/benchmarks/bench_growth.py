"""Forty quarters one after another in one home, then one more: does it cost what the first did?

Every quarter has the same number of rows: the published quarter's totals, under another quarter's
dates. Each is loaded by `hotline run` in a process of its own. Run by `make bench-growth`.
"""

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from timing import machine

from orchestration.common.quarters import Quarter
from orchestration.common.settings import DBT_PROJECT, PROJECT_ROOT, Home
from orchestration.sample import reconstruct

MODEL = Quarter(2022, 2)
# The first quarter before which the seeds' units and aliases hold for a quarter.
FIRST = Quarter(2018, 2)
# The target: what the last quarter may cost, as a multiple of the first.
MOST = 1.1
SHOWN = (1, 2, 10, 20, 30, 40)
HOTLINE = Path(sys.executable).with_name("hotline")


@dataclass(frozen=True)
class Cost:
    """What loading one quarter cost, and how large the home was after it (in bytes, by part)."""

    quarter: str
    cpu_seconds: float
    wall_seconds: float
    peak_mb: float
    written_mb: float
    home_bytes: dict[str, int]


COSTS = {
    "cpu_seconds": "CPU s",
    "wall_seconds": "wall s",
    "peak_mb": "peak MB",
    "written_mb": "MB written",
}


def quarters(count: int) -> Iterator[Quarter]:
    """So many quarters in a row."""
    quarter = FIRST
    for _ in range(count):
        yield quarter
        quarter = Quarter.containing(quarter.end)


def write_site(site: Path, loaded: list[Quarter]) -> None:
    """A site whose every quarter has the published one's figures, known discrepancies included.

    All but the change against the quarter before, which is another where all quarters are alike.
    """
    exports = PROJECT_ROOT / "exports"
    for name in ("contracts", "layouts", "bulletin"):
        shutil.copytree(exports / name, site / name)
    shutil.copytree(DBT_PROJECT / "seeds", site / "seeds")
    header, *_ = _rows(site / "seeds" / "comparative_figure.csv")
    _write(site / "seeds" / "comparative_figure.csv", [header])
    known = site / "seeds" / "known_discrepancy.csv"
    header, *rows = _rows(known)
    _write(known, [header, *(_dated(row, quarter) for quarter in loaded for row in rows)])
    figures = [row for row in _rows(exports / str(MODEL) / "bulletin.csv") if "环比增长" not in row]
    for quarter in loaded:
        folder = site / "exports" / str(quarter)
        folder.mkdir(parents=True)
        _write(folder / "bulletin.csv", [_dated(row, quarter) for row in figures])
        reconstruct(folder / "bulletin.csv", site / "seeds", site / "contracts", folder)


def _rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def _write(path: Path, rows: list[list[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def _dated(row: list[str], quarter: Quarter) -> list[str]:
    """A row that names the model's quarter in one of its cells, of another quarter."""
    return [cell.replace(str(MODEL), str(quarter)) for cell in row]


def load(home: Path, site: Path, quarter: Quarter, log: Path) -> Cost:
    """Run one quarter as a person does; everything counts, from the command's start to its end."""
    environment = os.environ | {"HOTLINE_HOME": str(home), "HOTLINE_SITE": str(site)}
    environment.pop("HOTLINE_EXPORTS", None)
    began = perf_counter()
    with log.open("w") as output:
        process = subprocess.Popen(
            [HOTLINE, "run", str(quarter)], env=environment, stdout=output, stderr=output
        )
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        written = _written(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{quarter} was not published:\n{log.read_text(encoding='utf-8')}")
    return Cost(
        quarter=str(quarter),
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        wall_seconds=perf_counter() - began,
        peak_mb=usage.ru_maxrss / 1024,
        written_mb=written / 1e6,
        home_bytes=sizes(home),
    )


def _written(process: int) -> int:
    """The bytes that a process wrote; how many reach the disk depends on the machine's load."""
    lines = Path(f"/proc/{process}/io").read_text(encoding="ascii").splitlines()
    return int(dict(line.split(": ") for line in lines)["wchar"])


def sizes(home: Path) -> dict[str, int]:
    """Bytes in each part of a home, and the number of its files."""
    parts = [*home.iterdir(), *(home / "published").iterdir()]
    parts.remove(home / "published")
    found = {str(part.relative_to(home)): list(_files(part)) for part in sorted(parts)}
    counted = {name: sum(path.stat().st_size for path in paths) for name, paths in found.items()}
    return counted | {"files": sum(map(len, found.values()))}


def _files(part: Path) -> Iterator[Path]:
    yield from (path for path in (part, *part.rglob("*")) if path.is_file())


def report(costs: list[Cost], out: Path) -> None:
    """Print the table, and write it as `growth.md` and everything as `growth.json`."""
    last = len(costs)
    shown = [number for number in (*SHOWN, last) if number <= last]
    lines = [
        f"# Growth: {last} quarters of the same {MODEL} rows",
        "",
        ", ".join(f"{key} {value}" for key, value in machine().items()),
        "",
        f"| quarter | {' | '.join(COSTS.values())} | hotline.duckdb MB | marts.duckdb MB | files |",
        "|---:|" + "---:|" * (len(COSTS) + 3),
    ]
    for number in dict.fromkeys(shown):
        cost = costs[number - 1]
        cells = [f"{getattr(cost, name):.1f}" for name in COSTS]
        stored = [
            cost.home_bytes[name] / 1e6 for name in ("hotline.duckdb", "published/marts.duckdb")
        ]
        cells += [f"{size:.1f}" for size in stored] + [str(cost.home_bytes["files"])]
        lines.append(f"| {number} ({cost.quarter}) | {' | '.join(cells)} |")
    # The first run makes the home and has no quarter before it to compare with; the second does
    # what every later one does.
    ratios = {}
    for number in (1, 2):
        first = costs[number - 1]
        found = {name: getattr(costs[-1], name) / getattr(first, name) for name in COSTS}
        ratios[f"{last}:{number}"] = found
        cells = [f"{ratio:.2f} {'met' if ratio <= MOST else 'missed'}" for ratio in found.values()]
        lines.append(f"| {last} : {number}, target ≤ {MOST} | {' | '.join(cells)} | | | |")
    text = "\n".join(lines) + "\n"
    out.mkdir(parents=True, exist_ok=True)
    (out / "growth.md").write_text(text, encoding="utf-8")
    measured = {"machine": machine(), "ratios": ratios, "costs": [asdict(cost) for cost in costs]}
    (out / "growth.json").write_text(json.dumps(measured, indent=1), encoding="utf-8")
    print(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quarters", type=int, default=40, help="loaded before the one compared")
    parser.add_argument("--out", type=Path, default=Home.current().root / "bench")
    parser.add_argument("--keep", type=Path, help="an empty folder to leave site and home in")
    options = parser.parse_args()
    loaded = list(quarters(options.quarters + 1))
    with TemporaryDirectory() as temporary:
        place = options.keep or Path(temporary)
        site, home = place / "site", place / "home"
        write_site(site, loaded)
        load(place / "warm", site, loaded[0], place / "warm.log")  # parses the site's project
        costs = []
        for quarter in loaded:
            costs.append(load(home, site, quarter, place / f"{quarter}.log"))
            print(f"{quarter}: {costs[-1].cpu_seconds:.1f} s CPU", file=sys.stderr)
        report(costs, options.out)


if __name__ == "__main__":
    main()
