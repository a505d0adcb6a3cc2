"""Kills (SIGKILL): at random instants, at each step's start, before each rename of what matters."""

import random
import time
from collections.abc import Callable, Mapping
from functools import partial

from trial import RENAMES, Base, Trial, before_rename, end, kill, start_hotline

RENAMED = ("writer.json", ".parquet", "/index/", "/v1", "/v2", "published/parquet", "marts.duckdb")
RENAMED_PAGES = ("bulletin.docx", "unit/urban_investment.html", "2022Q2/index.html", "audit.xlsx")


def at_random(trial: Trial, share: float) -> None:
    """Kill the run when a share of the length of the last whole run is over."""
    steps = trial.home.parents[1] / "steps"

    def hook(step: str) -> None:
        with steps.open("a") as file:
            file.write(step + "\n")

    began = time.perf_counter()
    arguments = trial.base.arguments
    process, said = start_hotline(*arguments, home=trial.home, exports=trial.exports, hook=hook)
    process.join(share * trial.base.seconds)
    process.kill()
    trial.judge(end(process, said, began))
    step = steps.read_text().split()[-1] if steps.exists() else "-"
    trial.fault.at += f" {time.perf_counter() - began:.1f} s {step}"


def shares(count: int, seed: int) -> list[float]:
    """Instants drawn evenly over a run: one in each of `count` equal parts, in random order."""
    draw = random.Random(seed)
    drawn = [(number + draw.random()) / count for number in range(count)]
    draw.shuffle(drawn)
    return drawn


def at_step(trial: Trial, step: str) -> None:
    trial.judge(trial.start(lambda started: kill() if started == step else None))


def renames(base: Base) -> list[str]:
    """What an undisturbed run of the base gives a name in the home, in order, each name once."""
    told = (base.after.home.parent / RENAMES).read_text().splitlines()
    return [name for name in dict.fromkeys(told) if _matters(name)]


def _matters(name: str) -> bool:
    if name.startswith(("published/bulletin", "published/audit")):
        return name.endswith(RENAMED_PAGES)
    return any(sign in f"/{name}" for sign in RENAMED)


def at_rename(trial: Trial, target: str) -> None:
    trial.judge(
        trial.start(before_rename(trial.home, lambda name: kill() if name == target else None))
    )


NAMES = {"first": "首次发布", "correction": "更正后再发布"}


def all_kills(
    bases: Mapping[str, Base], count: int, seed: int
) -> list[tuple[str, str, str, Callable[[Trial], None]]]:
    """(base, kind, which, strike): the random instants, each step's start, each rename."""
    from orchestration.common.progress import STAGES

    found: list[tuple[str, str, str, Callable[[Trial], None]]] = []
    names = list(NAMES)
    for number, share in enumerate(shares(count, seed)):
        base = names[number % 2]
        strike = partial(at_random, share=share)
        found.append((base, f"随机时刻被杀（{NAMES[base]}）", f"{share:.4f}", strike))
    for base in names:
        for step in STAGES:
            strike = partial(at_step, step=step)
            found.append((base, f"步骤开始时被杀（{NAMES[base]}）", step, strike))
    for target in renames(bases["correction"]):
        found.append(("correction", "改名之前被杀", target, partial(at_rename, target=target)))
    return found
