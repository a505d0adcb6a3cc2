"""The macro that makes every published ratio, on more pairs than a production build should try."""

from pathlib import Path

import duckdb
import pytest
from conftest import PROJECT
from jinja2 import Environment

QUERY = Path(__file__).with_name("ratio_rounds_half_up.sql").read_text("utf-8")
MACROS = (PROJECT / "dbt_project/macros/ratio.sql").read_text("utf-8")


def wrong_pairs(ratio):
    """The pairs that a macro rounds to another number than the nearest, ties away from zero."""
    sql = Environment().from_string(QUERY).render(ratio=ratio)
    return duckdb.sql(f"{sql} limit 5").fetchall()


def test_a_ratio_is_rounded_half_up_for_every_pair():
    ratio = Environment().from_string(MACROS).module.duckdb__ratio
    assert wrong_pairs(lambda n, d: ratio(n, d, 4)) == []


@pytest.mark.parametrize(
    "other",
    [
        "cast({n} as double) / nullif({d}, 0)",
        "round({n} / nullif({d}, 0), 4)",
        "floor(10000 * {n} / nullif({d}, 0) + 0.5) / 10000",
        "trunc(10000 * {n} / {d}) / 10000",
    ],
)
def test_other_ways_to_round_are_found_out(other):
    assert wrong_pairs(lambda n, d: other.format(n=n, d=d))
