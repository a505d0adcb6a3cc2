"""A district in reorganisation: renames, mergers and moves between groups, each at its date."""

import pytest
from conftest import PROJECT, hotline, read

SITE = PROJECT / "tests" / "sites" / "reorganised"


@pytest.fixture(scope="module")
def reorganised(tmp_path_factory):
    home = tmp_path_factory.mktemp("reorganised")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOTLINE_SITE", str(SITE))
        ran = hotline("run", "2022Q2", home=home, exports=SITE / "exports")
    assert ran.status == 0, ran.out + ran.err
    return home


def test_each_ticket_counts_for_the_unit_of_its_day(reorganised):
    """In the group of the quarter's last day, or of the last day of a unit that has ended.

    roads: one unit under two names. planning: ended on 15 May, with a ticket of that day. land:
    ended too, without any, so not listed; its name means the merged unit from 16 May. market:
    changed group in the quarter, sports after it. elderly: ended before the quarter, called back.
    """
    assert read(
        reorganised,
        "select unit_code, unit_name, evaluation_group, due_count, callback_count, rank_in_group "
        "from marts.hotline_unit_quarter order by 1",
    ) == [
        ("elderly", "区老龄办", "other", 0, 1, None),
        ("market_regulation", "区市场监管局", "A", 2, 0, 1),
        ("natural_resources", "区自然资源局", "A", 2, 0, 1),
        ("planning", "区规划局", "A", 1, 0, 1),
        ("roads", "区公路中心", "A", 3, 0, 1),
        ("sports", "区体育局", "A", 1, 0, 1),
    ]


def test_the_units_add_up_to_all_tickets(reorganised):
    assert read(reorganised, "select sum(total_due_count), count(*) from marts.unit_quarter") == [
        (9, 5)
    ]
    assert read(reorganised, "select due_count from marts.hotline_district_quarter") == [(9,)]
