"""Another city's 311 line: a contract and seeds of its own, and no line of code changed."""

from decimal import Decimal

import polars as pl
import pytest
from conftest import PROJECT, hotline, read

SITE = PROJECT / "tests" / "sites" / "city311"


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    home = tmp_path_factory.mktemp("city")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOTLINE_SITE", str(SITE))
        ran = hotline("run", "2022Q2", home=home, exports=SITE / "exports")
    assert ran.status == 0, ran.out + ran.err
    return home


def test_counts_rates_and_index_are_the_ones_worked_out_by_hand(city):
    """The index is 100 × (0.35 × completion + 0.65 × on time), rounded half up.

    Public Works: 101 to 105 are due (106 and 107 were opened before the quarter), 101 to 103
    closed in it, 103 a second late: 35 × 3/5 + 65 × 2/5 = 47.
    Transportation: 201 to 204 are due, 203 is open; 201 has no target, so it can't be on time; 202
    has the whole of its target day: 35 × 3/4 + 65 × 2/4 = 58.75, which is 58.8.
    Parks: 301 is late, 302 and 303 are not: 35 + 65 × 2/3 = 78.33…
    """
    assert read(
        city,
        "select unit_code, due_count, handled_count, on_time_count, completion_rate, on_time_rate, "
        "composite_index, is_rated, rank_in_group from marts.hotline_unit_quarter order by 1",
    ) == [
        ("inspections", 0, 0, 0, None, None, Decimal("0.0"), False, None),
        ("parks", 3, 3, 2, 1, Decimal("0.6667"), Decimal("78.3"), True, 1),
        ("public_works", 5, 3, 2, Decimal("0.6"), Decimal("0.4"), Decimal("47.0"), True, 3),
        ("transportation", 4, 3, 2, Decimal("0.75"), Decimal("0.5"), Decimal("58.8"), True, 2),
    ]
    # Pooled: 35 × 9/12 + 65 × 6/12 = 58.75.
    assert read(
        city,
        "select due_count, handled_count, on_time_count, rework_count, callback_count, "
        "composite_index from marts.hotline_district_quarter",
    ) == [(12, 9, 6, 0, 0, Decimal("58.8"))]


def test_reasons_are_the_citys_own(city):
    assert read(
        city, "select category, ticket_count from marts.hotline_category_quarter order by 1"
    ) == [("other", 1), ("sanitation", 3), ("signals", 4), ("street_lights", 2), ("trees", 2)]


def test_the_books_close_and_channels_that_the_city_lacks_are_empty(city):
    assert read(
        city,
        "select source, read_count, accepted_count, rejected_count, duplicate_count, "
        "out_of_scope_count from audit.row_balance",
    ) == [("ticket", 15, 13, 0, 1, 1)]
    assert read(city, "select channel, assignment_count from marts.channel_quarter order by 1") == [
        ("hotline", 12),
        ("mailbox", 0),
        ("suggestion", 0),
    ]


def test_no_submitter_goes_past_ingest(city):
    for path in city.rglob("*"):
        if path.is_file():
            assert b"fictitious-person" not in path.read_bytes(), path
    for path in city.rglob("*.parquet"):
        for column in pl.read_parquet(path).select(pl.col(pl.String)).iter_columns():
            assert not column.drop_nulls().str.contains("fictitious").any(), path


def test_a_site_without_rules_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("HOTLINE_SITE", str(tmp_path / "nowhere"))
    ran = hotline("run", "2022Q2", home=tmp_path / "home", exports=SITE / "exports")
    assert ran.status == 2, ran.out + ran.err
    for word in ("missing_seed", "nowhere/seeds/", "unit_alias.csv", "HOTLINE_SITE"):
        assert word in ran.err
    assert "Traceback" not in ran.err
