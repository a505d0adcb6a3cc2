"""No figure can be changed unseen: one random cell at a time, until enough figures have changed.

`make test` changes a dozen (`--mutations 12`), `make test-mutation` over two hundred; an option and
no marker, because it is the same test. Drawn with a fixed seed, so it can be repeated.
"""

import random
from collections import Counter

import pytest
from mutations import Bench, Mutation

SEED = 2022
# Of all the figures to change, how many by a cell of each file.
SHARES = {"ticket": 0.4, "mailbox": 0.2, "suggestion": 0.15, "bulletin": 0.25}
# The split of letters over the two mailboxes is printed nowhere: nothing but the version that was
# published before can tell that it changed.
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
            if not outcome.named and outcome.restated:
                by_version.append(mutation)
                tally["version"] += 1
            elif not outcome.named:
                escaped.append(mutation)
    with capsys.disabled():
        print(
            f"\n{'file':12} cells changed  figure changed  by a control  by the last version only"
        )
        for source, tally in [*tallies.items(), ("all", sum(tallies.values(), Counter()))]:
            counts = (tally[key] for key in ("cells", "changed", "control", "version"))
            print(f"{source:12}{{:14}}{{:16}}{{:14}}{{:26}}".format(*counts))
        total = sum(tallies.values(), Counter())
        caught = total["control"] + total["version"]
        print(f"caught: {caught} of {total['changed']} = {caught / total['changed']:.0%}")
    assert escaped == []
    assert {mutation.column for mutation in by_version} <= UNPRINTED
    assert total["changed"] >= wanted - len(SHARES)


def test_an_undisturbed_cell_changes_nothing(bench):
    """The bench notices only what a cell does: a name that nobody reads changes no figure."""
    value = bench.rows["ticket"][1][0]
    outcome = bench.apply(Mutation("ticket", 2, "工单编号", value, value + "-1"))
    assert (outcome.changed, outcome.named, outcome.restated) == (frozenset(), [], frozenset())
