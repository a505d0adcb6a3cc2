"""Forty quarters one after another in one home, then one more: does the next cost what the first did?

Every quarter has the same number of rows: the published quarter's totals, under another quarter's
dates. Each is loaded by `hotline run` in a process of its own, forked from one that has imported the
project: start-up costs the same each time and would only hide what grows. Run by
`make bench-growth`.
"""

import argparse
import csv
import json
import os
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import NoReturn

from timing import machine

from orchestration.cli import app
from orchestration.quarters import Quarter
from orchestration.sample import reconstruct
from orchestration.settings import DBT_PROJECT, PROJECT_ROOT, Home

MODEL = Quarter(2022, 2)
FIRST = Quarter(2018, 2)
"""The first quarter before which the seeds' units and aliases hold for a quarter."""
MOST = 1.1
"""The target: what the last quarter may cost, as a multiple of the first."""
SHOWN = (1, 2, 10, 20, 30, 40)
BLOCK = 512


@dataclass(frozen=True)
class Cost:
    """What loading one quarter cost, and how large the home was after it (in bytes, by part)."""

    quarter: str
    cpu_seconds: float
    wall_seconds: float
    peak_mb: float
    written_mb: float
    home_bytes: dict[str, int]


COSTS = {"cpu_seconds": "CPU s", "wall_seconds": "wall s", "peak_mb": "peak MB", "written_mb": "MB written"}


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


def load(home: Path, quarter: Quarter, log: Path) -> Cost:
    """Run one quarter by the command, in a process forked from this one, which has the imports."""
    began = perf_counter()
    process = os.fork()
    if not process:
        _run(home, quarter, log)
    _, status, usage = os.wait4(process, 0)
    if status:
        sys.exit(f"{quarter} was not published:\n{log.read_text(encoding='utf-8')}")
    return Cost(
        quarter=str(quarter),
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        wall_seconds=perf_counter() - began,
        peak_mb=usage.ru_maxrss / 1024,
        written_mb=usage.ru_oublock * BLOCK / 1e6,
        home_bytes=sizes(home),
    )


def _run(home: Path, quarter: Quarter, log: Path) -> NoReturn:
    """The command in the forked process, which ends with it."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT)
    os.dup2(output, 1)
    os.dup2(output, 2)
    status: object = 1
    try:
        app(["run", str(quarter), "--home", str(home)])
    except SystemExit as ended:
        status = ended.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(status or 0))


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
        stored = [cost.home_bytes[name] / 1e6 for name in ("hotline.duckdb", "published/marts.duckdb")]
        cells += [f"{size:.1f}" for size in stored] + [str(cost.home_bytes["files"])]
        lines.append(f"| {number} ({cost.quarter}) | {' | '.join(cells)} |")
    ratios = {name: getattr(costs[-1], name) / getattr(costs[0], name) for name in COSTS}
    lines.append(f"| {last} : 1 | {' | '.join(f'{ratio:.2f}' for ratio in ratios.values())} | | | |")
    verdicts = ["met" if ratio <= MOST else "missed" for ratio in ratios.values()]
    lines.append(f"| target ≤ {MOST} | {' | '.join(verdicts)} | | | |")
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
        # In a process of its own: after polars' threads have run here, no fork could use them.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            pool.submit(write_site, place / "site", loaded).result()
        os.environ["HOTLINE_SITE"] = str(place / "site")
        os.environ.pop("HOTLINE_EXPORTS", None)
        import orchestration.definitions  # noqa: F401 (once for all; parses the site's project)

        costs = []
        for quarter in loaded:
            costs.append(load(place / "home", quarter, place / f"{quarter}.log"))
            print(f"{quarter}: {costs[-1].cpu_seconds:.1f} s CPU", file=sys.stderr)
        report(costs, options.out)


if __name__ == "__main__":
    main()
