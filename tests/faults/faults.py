"""Every fault that a run must survive, a row a kind: `python tests/faults/faults.py`.

A long run can be split: `--first`, `--count` take a part of the list (`--list` prints it), and each
result is a line added to `--results`, from which the table is printed. `--only` takes the faults
whose name has one of the words.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from accidents import all_accidents
from kills import all_kills
from trial import FORK, append, import_everything, make_bases, read, table, try_fault


def chosen(arguments, bases) -> list:
    """The faults that were asked for."""
    faults = all_kills(bases, arguments.random, arguments.seed) + all_accidents()
    if arguments.only:
        faults = [
            fault
            for fault in faults
            if any(word in f"{fault[1]} {fault[2]}" for word in arguments.only)
        ]
    last = None if arguments.count is None else arguments.first + arguments.count
    return faults[arguments.first : last]


def try_all(faults: list, bases, place: Path, results: Path) -> None:
    """One fault after the other; each result is on disk before the next begins."""
    for number, (base, kind, which, strike) in enumerate(faults, start=1):
        fault = try_fault(place, bases[base], kind, which, strike)
        append(results, fault)
        mark = "✓" if fault.survived else f"✗ {fault}"
        print(
            f"{time.strftime('%H:%M:%S')} {number}/{len(faults)} {fault.seconds:.0f} s "
            f"{kind} {fault.at} {mark}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--random", type=int, default=220, help="how many random instants")
    parser.add_argument("--seed", type=int, default=7, help="of the random instants")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int)
    parser.add_argument("--only", nargs="*", help="words in a fault's name, any of them")
    parser.add_argument("--jobs", type=int, default=1, help="faults side by side")
    parser.add_argument("--results", type=Path, help="default: a new file")
    parser.add_argument("--bases", type=Path, help="keep the undisturbed homes here, or take them")
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    import_everything()
    with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as folder:
        place = Path(folder)
        place.chmod(0o755)
        bases = make_bases(arguments.bases or place)
        print(f"不受扰的运行：{bases['first'].seconds:.1f} 秒", flush=True)
        faults = chosen(arguments, bases)
        if arguments.list:
            for number, fault in enumerate(faults):
                print(number, fault[1], fault[2])
            return
        results = arguments.results or place / "results.jsonl"
        before = len(read(results))
        shards = [
            FORK.Process(target=try_all, args=(faults[n :: arguments.jobs], bases, place, results))
            for n in range(arguments.jobs)
        ]
        for shard in shards:
            shard.start()
        for shard in shards:
            shard.join()
        tried = read(results)
        print(table(tried))
        is_complete = len(tried) - before == len(faults)
        sys.exit(not (is_complete and all(fault.survived for fault in tried)))


if __name__ == "__main__":
    main()
