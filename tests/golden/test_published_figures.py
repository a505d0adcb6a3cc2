"""Every figure of the published bulletin against the marts: nothing is left out."""

import csv
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from conftest import EXPORTS, PROJECT, published, read

DISTRICT = "全区"
APPENDIX_1 = {
    "应办理数": "due_count",
    "办理数": "handled_count",
    "办结率": "completion_rate",
    "按期办理数": "on_time_count",
    "按期办结率": "on_time_rate",
    "返工数": "rework_count",
    "返工率": "rework_rate",
    "回访不满意数": "dissatisfied_count",
    "回访不满意率": "dissatisfaction_rate",
    "综合指标值": "composite_index",
}
APPENDIX_2 = {"应办理数": "due_count", "已办结数": "handled_count", "按期办结": "on_time_count"}
APPENDIX_3 = {"应办理数": "due_count", "按期办理数": "on_time_count"}
REQUEST_TYPES = {
    "投诉类": "complaint",
    "咨询类": "inquiry",
    "求助类": "help",
    "建议类": "suggestion",
    "表扬类": "praise",
    "举报类": "report",
}
CATEGORIES = {
    "人力资源和社会保障类": "human_resources_social_security",
    "住房与城乡建设类": "housing_urban_rural_construction",
    "环境保护类": "environmental_protection",
    "市场管理类": "market_regulation",
    "医疗卫生健康类": "medical_health",
    "社会治安与综合管理类": "public_security_governance",
}
# What the document says against itself or beyond the exports (DOMAIN): printed → in the marts.
TEXT_DISCREPANCIES = {
    ("云溪街道办事处", "287"): 307,
    ("区人社局", "246"): 259,
    ("区卫健局", "159"): 211,
    ("区市场监管局", "158"): 150,
    ("交警云溪大队", "115"): 120,
    ("区生态环境分局", "102"): 107,
    ("去年来政协微建议", "105"): None,
    ("去年来政协微建议", "100"): None,
    ("去年来政协微建议", "95.24%"): None,
    ("去年来政协微建议", "98%"): None,
}


def printed() -> list[dict[str, str]]:
    with (EXPORTS / "2022Q2" / "bulletin.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def number(text: str) -> Decimal:
    return Decimal(text.removesuffix("%")) / (100 if text.endswith("%") else 1)


@pytest.fixture(scope="module")
def marts(published_home: Path) -> dict[str, list[dict]]:
    with published(published_home) as connection:
        names = connection.execute(
            "select table_name from information_schema.tables "
            "where table_schema = 'marts' and table_catalog = 'published'"
        ).fetchall()
        tables = {}
        for (name,) in names:
            cursor = connection.execute(f"select * from marts.{name} where quarter = '2022Q2'")
            columns = [column[0] for column in cursor.description]
            tables[name] = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    return tables


@pytest.fixture(scope="module")
def unit_of() -> dict[tuple[str, str], str]:
    """(printed name, printed group) → unit code, straight from the alias seed."""
    groups = {"A": "综合评价A类单位", "other": "其他单位", "": ""}
    with (PROJECT / "dbt_project/seeds/unit_alias.csv").open(encoding="utf-8", newline="") as file:
        return {
            (row["alias_name"], groups[row["evaluation_group"]]): row["unit_code"]
            for row in csv.DictReader(file)
        }


def only(rows: list[dict], **where: str) -> dict:
    (row,) = [row for row in rows if all(row[key] == value for key, value in where.items())]
    return row


def in_marts(row: dict[str, str], marts: dict, unit_of: dict) -> Decimal | int | None:
    """What the marts say to a printed figure; zero rates print as 0% where there is nothing."""
    table, name, measure = row["table"], row["printed_name"], row["measure"]
    total = name.startswith("合计")
    unit = unit_of.get((name, row["printed_group"])) or unit_of.get((name, ""))
    district = only(marts["hotline_district_quarter"])
    channels = {channel["channel"]: channel for channel in marts["channel_quarter"]}
    if table == "appendix_1":
        source = district if total else only(marts["hotline_unit_quarter"], unit_code=unit)
        value = source[APPENDIX_1[measure]]
        return 0 if value is None and APPENDIX_1[measure].endswith("_rate") else value
    if table in ("appendix_2", "appendix_3"):
        mart, columns = {
            "appendix_2": ("mailbox_unit_quarter", APPENDIX_2),
            "appendix_3": ("suggestion_unit_quarter", APPENDIX_3),
        }[table]
        if total:
            return sum(unit_row[columns[measure]] for unit_row in marts[mart])
        return only(marts[mart], unit_code=unit)[columns[measure]]
    mailbox = channels["mailbox"]
    text = {
        (DISTRICT, "应办理工单数"): district["due_count"],
        (DISTRICT, "工单办结率"): district["completion_rate"],
        (DISTRICT, "按期办结率"): district["on_time_rate"],
        (DISTRICT, "群众满意率"): district["satisfaction_rate"],
        ("市长信箱、区长信箱", "应办理信件数"): mailbox["assignment_count"],
        ("市长信箱、区长信箱", "已办理数"): mailbox["handled_count"],
        ("市长信箱、区长信箱", "办结率"): Decimal(mailbox["handled_count"])
        / mailbox["assignment_count"],
        ("市长信箱、区长信箱", "群众满意率"): mailbox["satisfaction_rate"],
        ("政协云微建议", "应办理数"): channels["suggestion"]["distinct_item_count"],
    }
    if (name, measure) in text:
        return text[name, measure]
    if name in REQUEST_TYPES:
        types = marts["hotline_request_type_quarter"]
        return only(types, request_type=REQUEST_TYPES[name])["ticket_count"]
    if name in CATEGORIES:
        category = only(marts["hotline_category_quarter"], category=CATEGORIES[name])
        return category["quarter_on_quarter_change" if measure == "环比增长" else "ticket_count"]
    return only(marts["hotline_unit_quarter"], unit_code=unit)["due_count"] if unit else None


def test_every_printed_figure_is_in_the_marts_or_a_known_discrepancy(marts, unit_of):
    compared: Counter[str] = Counter()
    differing = []
    for row in printed():
        compared[row["table"]] += 1
        actual = in_marts(row, marts, unit_of)
        if actual != number(row["printed_value"]):
            differing.append(((row["printed_name"], row["printed_value"]), actual))
    assert compared == {"appendix_1": 560, "appendix_2": 72, "appendix_3": 26, "text": 32}
    assert sorted(differing, key=str) == sorted(TEXT_DISCREPANCIES.items(), key=str)


def test_the_reconciliation_compares_every_figure_too(published_home):
    statuses = dict(
        read(
            published_home,
            "select status, count(*) from audit.reconciliation where control_group in "
            "('published', 'bulletin_self') group by 1",
        )
    )
    assert set(statuses) == {"match", "explained"}
    compared = read(
        published_home,
        "select count(*) from audit.reconciliation where control_group = 'published'",
    )
    # 95.24% of last year's suggestions is checked within the document: 100 of 105.
    assert compared == [(689,)]


def test_the_ten_contradictions_of_the_document_are_explained(published_home):
    explained = read(
        published_home,
        "select subject, expected::int, actual::int, difference::int from audit.reconciliation "
        "where status = 'explained' and actual is not null order by all",
    )
    assert set(explained) == {
        ("district", 2168, 2031, -137),
        ("yunxi_subdistrict", 287, 307, 20),
        ("human_resources", 246, 259, 13),
        ("health", 159, 211, 52),
        ("market_regulation", 158, 150, -8),
        ("traffic_police", 115, 120, 5),
        ("ecology_environment", 102, 107, 5),
        ("suggestion", 31, 14, -17),
        ("区公安分局", 1, 2, 1),
        ("songyanghu_subdistrict", 0, 2, 2),
        ("agriculture_rural", 0, 2, 2),
        ("public_security_other", 0, 1, 1),
        ("highway_maintenance", 0, 1, 1),
    }


def test_the_callbacks_behind_the_rates(published_home):
    assert read(published_home, "select callback_count from marts.hotline_district_quarter") == [
        (2049,)
    ]
    assert read(
        published_home,
        "select unit_code, callback_count, due_count from marts.hotline_unit_quarter "
        "where callback_count > due_count order by 1",
    ) == [
        ("agriculture_rural", 18, 16),
        ("highway_maintenance", 5, 4),
        ("public_security_other", 17, 16),
        ("songyanghu_subdistrict", 68, 66),
    ]
    assert read(
        published_home,
        "select sum(callback_count), sum(due_count) from marts.hotline_unit_quarter "
        "where due_count > 0 and dissatisfied_count = 0",
    ) == [(42, 46)]


def test_units_and_groups(published_home):
    assert read(
        published_home,
        "select evaluation_group, count(*), count(*) filter (where not is_rated) "
        "from marts.hotline_unit_quarter group by 1 order by 1",
    ) == [("A", 38, 0), ("other", 17, 11)]
    assert read(published_home, "select count(*) from marts.unit_quarter") == [(56,)]


def test_points_add_up_to_the_index(published_home):
    assert read(
        published_home,
        "select count(*), count(*) filter (where round(points, 1) = composite_index) "
        "from (select unit_code, sum(points) as points from marts.index_component_unit_quarter "
        "group by 1) join marts.hotline_unit_quarter using (unit_code)",
    ) == [(55, 55)]


def test_the_change_on_the_quarter_before(published_home):
    assert read(
        published_home,
        "select ticket_count, previous_count, quarter_on_quarter_change "
        "from marts.hotline_category_quarter where category = 'environmental_protection'",
    ) == [(253, 86, Decimal("1.9419"))]
