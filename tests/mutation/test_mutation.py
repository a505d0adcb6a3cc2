"""No figure can be changed unseen: one random cell at a time, until enough figures have changed.

`make test-slow` changes a dozen (`--mutations 12`), `make test-mutation` over two hundred. Drawn
with a fixed seed, so it can be repeated.
"""

import random
from collections import Counter

import pytest
from mutations import Bench, Mutation

pytestmark = pytest.mark.slow
SEED = 2022
# Of all the figures to change, how many by a cell of each file.
SHARES = {"ticket": 0.4, "mailbox": 0.2, "suggestion": 0.15, "bulletin": 0.25}
# The split of letters over the two mailboxes is printed nowhere: no control but that of the last
# published version can tell that it changed.
UNPRINTED = {"信箱类别"}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("mutation"))


def test_every_changed_figure_is_caught_by_a_control_that_concerns_it(bench, request, capsys):
    wanted = request.config.getoption("--mutations")
    chance = random.Random(SEED)
    tallies, escaped, by_version = {}, [], []
    for source, share in SHARES.items():
        tally = tallies[source] = Counter()
        while tally["changed"] < round(wanted * share):
            mutation = bench.draw(source, chance)
            outcome = bench.apply(mutation)
            tally["cells"] += 1
            if not outcome.changed:
                continue
            tally["changed"] += 1
            tally["control"] += bool(outcome.named)
            if not outcome.named:
                escaped.append(mutation)
            elif not outcome.named_without_a_version:
                by_version.append(mutation)
                tally["version"] += 1
    total = tallies["all"] = sum(tallies.values(), Counter())
    with capsys.disabled():
        print(f"\n{'file':12} cells changed  figure changed  by a control  of last version only")
        for source, tally in tallies.items():
            counts = (tally[key] for key in ("cells", "changed", "control", "version"))
            print(f"{source:12}{{:14}}{{:16}}{{:14}}{{:22}}".format(*counts))
        caught, changed = total["control"], total["changed"]
        print(f"caught by a control: {caught} of {changed} = {caught / changed:.0%}")
    assert escaped == []
    assert {mutation.column for mutation in by_version} <= UNPRINTED
    assert changed >= wanted - len(SHARES)


def test_an_undisturbed_cell_changes_nothing(bench):
    """The bench notices only what a cell does: a name that nobody reads changes no figure."""
    value = bench.rows["ticket"][1][0]
    outcome = bench.apply(Mutation("ticket", 2, "工单编号", value, value + "-1"))
    assert (outcome.changed, outcome.named) == (frozenset(), [])
