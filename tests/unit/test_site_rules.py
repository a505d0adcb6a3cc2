"""A site with broken rules ends with a message: the file, the row, what was found and expected."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import PROJECT

from orchestration.common.errors import InputError
from orchestration.common.settings import DBT_PROJECT
from orchestration.warehouse.site_rules import check_policy, check_rules

SITES = [DBT_PROJECT / "seeds", *sorted((PROJECT / "tests" / "sites").glob("*/seeds"))]


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DBT_PROJECT / "seeds", tmp_path / "site" / "seeds"))


@pytest.mark.parametrize("folder", SITES, ids=lambda folder: folder.parent.name)
def test_sound_rules_pass(folder):
    check_rules(folder)
    check_policy(folder, "2022Q2")


def cell(name: str, row: int, column: str, text: str) -> Callable[[Path], None]:
    """Write a cell; rows are counted as a spreadsheet shows them."""

    def change(seeds: Path) -> None:
        path = seeds / f"{name}.csv"
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        rows[row - 1][rows[0].index(column)] = text
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)

    return change


def line(name: str, text: str) -> Callable[[Path], None]:
    """Add a line."""

    def change(seeds: Path) -> None:
        with (seeds / f"{name}.csv").open("a", encoding="utf-8") as file:
            file.write(text + "\n")

    return change


def written(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda seeds: (seeds / f"{name}.csv").write_bytes(content)


def header(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(seeds: Path) -> None:
        path = seeds / f"{name}.csv"
        first, rest = path.read_text("utf-8").split("\n", 1)
        path.write_text(f"{first.replace(old, new)}\n{rest}", "utf-8")

    return change


BROKEN = {
    "missing": (lambda seeds: (seeds / "unit.csv").unlink(), "missing_seed", "unit.csv"),
    "a folder": (
        lambda seeds: ((seeds / "unit.csv").unlink(), (seeds / "unit.csv").mkdir()),
        "missing_seed", "unit.csv",
    ),
    "empty": (written("category", b""), "bad_seed", "缺少列"),
    "another file": (written("category", b"PK\x03\x04\xff"), "bad_seed", "UTF-8"),
    "GBK": (written("unit", "unit_code,单位\n".encode("gbk")), "bad_seed", "UTF-8"),
    "UTF-16": (written("unit", "unit_code\n".encode("utf-16")), "bad_seed", "UTF-8"),
    "an open quote": (line("unit", 'x,"局,2018-01-01,'), "bad_seed", "引号"),
    "a column missing": (header("unit", "valid_to", ""), "bad_seed", "缺少列 valid_to"),
    "a column renamed": (header("unit", "unit_name", "name"), "bad_seed", "多出或重复的列 name"),
    "a column twice": (header("unit", "unit_name", "unit_code"), "bad_seed", "unit_code"),
    "too few cells": (line("unit", "x,局"), "bad_seed", "有 2 格"),
    "too many cells": (line("unit", "x,局,2018-01-01,,,"), "bad_seed", "有 6 格"),
    "no such day": (cell("unit", 3, "valid_from", "2022-02-30"), "bad_seed", "第 3 行"),
    "a day in words": (cell("unit", 3, "valid_to", "长期"), "bad_seed", "列「valid_to」"),
    "a day otherwise written": (cell("unit", 3, "valid_from", "2018/1/1"), "bad_seed", "2018/1/1"),
    "a day without hyphens": (cell("unit", 3, "valid_from", "20180101"), "bad_seed", "20180101"),
    "no first day": (cell("category", 2, "valid_from", ""), "bad_seed", "空白"),
    "ends before it begins": (cell("unit", 2, "valid_to", "2017-12-31"), "bad_seed", "2017-12-31"),
    "a unit twice": (line("unit", "health,卫健,2020-01-01,"), "bad_seed", "health 与第 4 行"),
    "overlap by a day": (
        lambda seeds: (
            cell("unit", 4, "valid_to", "2020-01-01")(seeds),
            line("unit", "health,卫健,2020-01-01,")(seeds),
        ),
        "bad_seed", "重叠",
    ),
    "a unit in two groups": (
        line("evaluation_group", "health,other,9,2018-01-01,"), "bad_seed", "health 与第 4 行",
    ),
    "a third group": (cell("evaluation_group", 2, "evaluation_group", "B"), "bad_seed", "“B”"),
    "a group of no unit": (cell("evaluation_group", 2, "unit_code", "none"), "bad_seed", "none"),
    "an alias of no unit": (cell("unit_alias", 5, "unit_code", "nobody"), "bad_seed", "第 5 行"),
    "an alias twice": (line("unit_alias", "*,区卫健局,,health,2018-01-01,,"), "bad_seed", "重叠"),
    "an alias without name": (cell("unit_alias", 5, "alias_name", ""), "bad_seed", "空白"),
    "a code with a blank": (cell("unit", 2, "unit_code", "a b"), "bad_seed", "a b"),
    "two policies": (line("index_policy", "2023,2020-01-01,,1,"), "bad_seed", "重叠"),
    "a policy's scale": (cell("index_policy", 2, "index_scale", "7"), "bad_seed", "index_scale"),
    "a scale that is none": (cell("index_policy", 2, "index_scale", "一"), "bad_seed", "整数"),
    "a scale of decimals": (cell("index_policy", 2, "index_scale", "1.0"), "bad_seed", "整数"),
    "weights beyond one": (cell("index_policy_item", 2, "weight", "0.4"), "bad_seed", "1.1"),
    "a weight in percent": (cell("index_policy_item", 2, "weight", "30%"), "bad_seed", "30%"),
    "a weight with a comma": (cell("index_policy_item", 2, "weight", "0,3"), "bad_seed", "0,3"),
    "a weight that is endless": (cell("index_policy_item", 2, "weight", "NaN"), "bad_seed", "NaN"),
    "a weight too exact": (cell("index_policy_item", 2, "weight", "0.30001"), "bad_seed", "4 位"),
    "an item of no policy": (
        cell("index_policy_item", 2, "policy_version", "1999"), "bad_seed", "1999",
    ),
    "an item twice": (
        line("index_policy_item", "2022,rework,5,rate,handled_count,due_count,0,0"),
        "bad_seed", "重复",
    ),
    "an unknown count": (cell("index_policy_item", 2, "numerator", "clicks"), "bad_seed", "clicks"),
    "an unknown kind": (cell("index_policy_item", 2, "kind", "ratio"), "bad_seed", "complement"),
    "an unknown control": (cell("published_measure", 2, "control_id", "none"), "bad_seed", "none"),
    "a figure of no number": (cell("comparative_figure", 2, "value", "八六"), "bad_seed", "八六"),
    "no such quarter": (cell("comparative_figure", 2, "quarter", "2022年"), "quarter", "2022年"),
    "a control character": (cell("request_type", 2, "label", "投\x00诉"), "bad_seed", "label"),
    "a discrepancy twice": (
        cell("known_discrepancy", 3, "subject", "yunxi_subdistrict"),
        "bad_seed", "第 2 行重复",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "code", "words"), BROKEN.values(), ids=BROKEN)
def test_broken_rules_are_named(seeds, change, code, words):
    change(seeds)
    with pytest.raises(InputError) as refused:
        check_rules(seeds)
    assert code in refused.value.code
    assert words in str(refused.value)


NO_POLICY = {
    "none at all": lambda seeds: written(
        "index_policy", b"policy_version,valid_from,valid_to,index_scale,note\n"
    )(seeds),
    "one that begins later": cell("index_policy", 2, "valid_from", "2022-07-01"),
    "one that has ended": cell("index_policy", 2, "valid_to", "2022-06-29"),
    "one without items": lambda seeds: (seeds / "index_policy_item.csv").write_text(
        (seeds / "index_policy_item.csv").read_text("utf-8").split("\n")[0] + "\n", "utf-8"
    ),
}


@pytest.mark.parametrize("change", NO_POLICY.values(), ids=NO_POLICY)
def test_a_quarter_needs_an_index_policy(seeds, change):
    change(seeds)
    with pytest.raises(InputError, match="bad_seed"):
        check_policy(seeds, "2022Q2")


def test_a_policy_may_begin_or_end_on_the_last_day(seeds):
    cell("index_policy", 2, "valid_from", "2022-06-30")(seeds)
    check_policy(seeds, "2022Q2")
    cell("index_policy", 2, "valid_to", "2022-06-30")(seeds)
    check_policy(seeds, "2022Q2")
