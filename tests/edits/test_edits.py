"""Whatever is done to a quarter's files: the intended figures are published, or none.

`make test` tries 20 random edits without a bulletin, `make test-edits` 2,000. What the bench calls
wrong is tried once more by the command itself, which is the judge.
"""

import random
from collections import Counter

import pytest
from bench import Bench
from conftest import hotline
from edits import UNKNOWABLE, draw
from intended import draw as draw_quarter
from intended import figures

SEED = 2022


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("edits"), draw_quarter(random.Random(SEED)))


def test_an_edited_quarter_gives_the_intended_figures_or_stops(bench, request, capsys):
    count, first = (request.config.getoption(name) for name in ("--edits", "--first-edit"))
    tally, kinds, wrong = Counter(), {}, []
    for number in range(first, first + count):
        chance = random.Random(SEED * 1_000_000 + number)
        edit = draw(draw_quarter(chance), chance)
        found, _ = bench.figures(edit)
        intended = figures(edit.intended)
        if found is None:
            verdict = "stopped"
        elif found == intended:
            verdict = "exact"
        elif edit.unknowable:
            verdict = "unknowable"
        elif hotline("run", "2022Q2", home=bench.folder / "real", exports=bench.exports).status:
            verdict = "stopped"  # by a check that the bench leaves out
        else:
            verdict = "wrong"
            differing = {
                key: (intended.get(key), found.get(key))
                for key in intended.keys() | found.keys()
                if intended.get(key) != found.get(key)
            }
            wrong.append((number, edit.names, sorted(differing.items())[:4]))
        tally[verdict] += 1
        for name in edit.names:
            kinds.setdefault(name.split(",")[0], Counter())[verdict] += 1
    with capsys.disabled():
        shown = ", ".join(
            f"{tally[key]} {key}" for key in ("exact", "stopped", "unknowable", "wrong")
        )
        print(f"\n{count} edits from {first}: {shown}")
        if count > 200:
            for name, verdicts in sorted(kinds.items()):
                print(f"  {name:45} {dict(verdicts)}")
    assert wrong == []
    assert tally["exact"] and tally["stopped"]


def test_what_cannot_be_known_is_drawn_at_all():
    missing = set(UNKNOWABLE)
    for number in range(3000):
        chance = random.Random(number)
        names = draw(draw_quarter(chance), chance).names
        missing -= {known for known in missing if any(name.startswith(known) for name in names)}
        if not missing:
            break
    assert missing == set()
