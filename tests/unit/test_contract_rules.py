"""What a contract says about times and conflicts is checked, and handed to staging as data."""

import re

import pytest
from conftest import EXPORTS

from orchestration.errors import InputError
from orchestration.ingest.contracts import load_contracts
from orchestration.ingest.written import written_rules

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


def test_the_districts_contracts_name_their_bounds():
    for source in ("ticket", "mailbox", "suggestion"):
        contract = load_contracts(EXPORTS / "contracts")[source]
        assert (contract.time_zone, contract.conflict) == (
            "Asia/Shanghai",
            "later_file_then_later_row",
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
