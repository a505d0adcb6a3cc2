"""The second calculation notices a mart that was tampered with, cell by cell."""

import duckdb
import pytest

from orchestration.checks.recount import recompute
from orchestration.common.quarters import Quarter
from orchestration.common.settings import Home


def differing(home) -> dict[str, int]:
    results = recompute(Home(home), Quarter(2022, 2), Home(home).candidate("2022Q2"))
    assert len(results) == 12
    return {result.check_name: result.failing_count for result in results if not result.passed}


@pytest.mark.parametrize(
    ("tampering", "noticed"),
    [
        ("set due_count = due_count + 1", {"recomputed.due_count": 1}),
        ("set rework_rate = rework_rate + 0.0001", {"recomputed.rework_rate": 1}),
        ("set composite_index = 97.3", {"recomputed.composite_index": 1}),
    ],
)
def test_a_changed_cell_is_noticed(home, tampering, noticed):
    assert differing(home) == {}
    mart = Home(home).candidate("2022Q2") / "hotline_unit_quarter.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"create table mart as from read_parquet('{mart}')")
        connection.execute(f"update mart {tampering} where unit_code = 'human_resources'")
        connection.execute(f"copy mart to '{mart}'")
    assert differing(home) == noticed
