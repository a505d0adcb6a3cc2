"""What a contract says about times and conflicts is checked, and handed to staging as data."""

import re

import pytest
from conftest import EXPORTS

from orchestration.common.errors import InputError
from orchestration.reading.contracts import load_contracts
from orchestration.reading.value_forms import written_rules

CONTRACT = (
    "source: ticket\nlabel: 工单\nidentity: [a]\ncolumns: [{name: a, label: 甲, type: text}]\n"
)


def load(folder, more=""):
    (folder / "ticket.yml").write_text(CONTRACT + more, encoding="utf-8")
    return load_contracts(folder)["ticket"]


@pytest.mark.parametrize(
    "wrong",
    [
        "time_zone: Asia/Yunxi",
        'time_zone: "+08:00"',
        "conflict: earlier_row",
        "identity_variants: {letter_case: ignored}",
        "identity_variants: {accents: same}",
        'timestamp_formats: ["%Y-%m-%d %H:%M %p"]',
        'timestamp_formats: ["%Y-%m-%d %I:%M"]',
        'timestamp_formats: ["%Y-%m-%d %p%M"]',
        "plausible_years: [2000]",
        "shortest_handling_minutes: -1",
    ],
)
def test_an_unusable_rule_is_refused(wrong, tmp_path):
    with pytest.raises(InputError) as caught:
        load(tmp_path, wrong)
    assert caught.value.code == "bad_contract"
    assert wrong.partition(":")[0] in caught.value.found


@pytest.mark.parametrize(
    ("text", "is_read"),
    [
        ("2022-04-01T09:05:00Z", True),
        ("2022-04-01 09:05:00+08:00", True),
        ("2022/4/1 9:05 -0500", True),
        ("2022-04-01 09:05:00+08", True),
        ("2022-04-01T09:05:00-05", True),
        ("2022-04-01 09:05:00", False),
        ("2022-04-01 09:05:00+8", False),
        ("2022-04-01 09:05:00+15:00", False),
        ("2022-04-01+08:00", False),
        ("2022-04-01 09:05:00 CST", False),
    ],
)
def test_offsets_are_read_where_a_zone_is_named(text, is_read, tmp_path):
    rules = written_rules(load(tmp_path, "time_zone: America/New_York"))
    assert bool(re.fullmatch(rules["zoned_shape"], text)) is is_read
    assert rules["time_zone"] == "America/New_York" and rules["zoned_formats"]
    assert written_rules(load(tmp_path))["zoned_formats"] == []


@pytest.mark.parametrize(
    ("text", "is_read"),
    [
        ("2022/4/1 PM2:05", True),  # 下午 is read as PM
        ("2022/4/1 PM 2:05:09", True),
        ("2022-04-01 AM12:05", True),
        ("2022/4/1 2:05 PM", True),
        ("2022/4/1 中午12:30", False),
        ("2022/4/1 凌晨2:05", False),
        ("2022/4/1 晚上8:05", False),
        ("2022/4/1 傍晚 6:05", False),
        ("2022/4/1 PM2点05分", False),
        ("2022/4/1 PM", False),
    ],
)
def test_a_clock_of_twelve_hours_is_read_with_its_half_or_not_at_all(text, is_read, tmp_path):
    assert bool(re.fullmatch(written_rules(load(tmp_path))["moment_shape"], text)) is is_read


@pytest.mark.parametrize(
    ("zone", "changes"),
    [
        ("Asia/Shanghai", False),
        ("UTC", False),
        ("Asia/Tokyo", False),
        ("America/New_York", True),
        ("Australia/Lord_Howe", True),
        ("Asia/Pyongyang", True),
    ],
)
def test_a_zone_that_changes_its_clocks_is_known(zone, changes, tmp_path):
    assert written_rules(load(tmp_path, f"time_zone: {zone}"))["clock_changes"] is changes


def test_the_districts_contracts_name_their_bounds():
    for source in ("ticket", "mailbox", "suggestion"):
        contract = load_contracts(EXPORTS / "contracts")[source]
        assert (contract.time_zone, contract.conflict) == (
            "Asia/Shanghai",
            "later_row",
        )
        assert (contract.plausible_years, contract.shortest_handling_minutes) == ((2000, 2099), 10)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 3000,
        "{a: " * 1500,
        "recorded_on: 2022-13-45",
        "a: " + "9" * 5000,
        "!!python/object/apply:os.system [id]",
        "a: &a [*a]",
        'source: ticket\nlabel: "\\ud800"',
        CONTRACT.replace("工单", '"\\e[31m工单"'),
        CONTRACT.replace("source: ticket", "source: ../../x"),
        CONTRACT.replace("{name: a,", "{name: 'a\"; drop table x; --',"),
    ],
)
def test_yaml_that_harms_is_refused(text, tmp_path):
    (tmp_path / "ticket.yml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="bad_contract"):
        load_contracts(tmp_path)
