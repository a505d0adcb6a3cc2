"""A bulletin that disagrees with itself is found out everywhere, and one that doesn't nowhere."""

import pytest
from bulletins import Style, long_form, published, tab_led_text, word, write
from conftest import EXPORTS

from orchestration.common.quarters import Quarter
from orchestration.common.settings import DBT_PROJECT
from orchestration.lint.bulletin import Bulletin, Rules, read_bulletin
from orchestration.lint.command import lint_file
from orchestration.lint.comparisons import lint
from orchestration.reading.contracts import load_contracts
from orchestration.reading.documents import Figure

CONTRACT = load_contracts(EXPORTS / "contracts")["bulletin"]

# What the published document says twice and differently: control, name, one place, another place.
PUBLISHED = [
    ("bulletin_callback", "松杨湖街道办事处", 0, 2),  # 68 callbacks, 66 tickets due
    ("bulletin_callback", "区农业农村局", 0, 2),  # 18, 16
    ("bulletin_callback", "区公安分局", 0, 1),  # 17, 16, in the other group
    ("bulletin_callback", "区公路建养中心", 0, 1),  # 5, 4
    ("bulletin_name", "区公安分局", 1, 2),
    ("bulletin_request_type", "全区", 2168, 2031),
    ("bulletin_suggestion", "政协云微建议", 31, 14),
    ("bulletin_text", "云溪街道办事处", 287, 307),
    ("bulletin_text", "区人社局", 246, 259),
    ("bulletin_text", "区卫健局", 159, 211),
    ("bulletin_text", "区市场监管局", 158, 150),
    ("bulletin_text", "交警云溪大队", 115, 120),
    ("bulletin_text", "区生态环境分局", 102, 107),
]

# A small bulletin without a contradiction, worked out by hand. 区人社局: 3 of 32 callbacks are
# dissatisfied, 30 + 27 + 0.95 × 20 + (1 - 3/32) × 20 = 94.125. All: 8 of 60, so that 8 callbacks
# are 区卫健局's, where nobody was dissatisfied: 29.6 + 27.6 + 19.2 + 17.33… = 93.73…
A, OTHER = "综合评价A类单位", "其他单位"
HOTLINE = [
    (A, "区人社局", "40 40 100% 36 90% 2 5% 3 9.38% 94.1 1"),
    (A, "区卫健局", "10 9 90% 8 80% 0 0% 0 0% 91 2"),
    (A, "区林业局", "0 0 0% 0 0% 0 0% 0 0% 40"),
    (OTHER, "区财政局", "25 25 100% 25 100% 1 4% 5 25% 94.2 1"),
    ("", "合计（4）", "75 74 98.67% 69 92% 3 4% 8 13.33% 93.7"),
]
MAILBOX = [("区人社局", "3 3 3"), ("区林业局", "2 2 1 1"), ("合计", "5 5 4 1")]
SUGGESTION = [("区林业局", "2 2"), ("合计", "2 2")]
TEXT = """全区 应办理工单数 75|投诉类 件数 40|咨询类 件数 20|求助类 件数 10|建议类 件数 2
表扬类 件数 1|举报类 件数 2|全区 工单办结率 98.67%|全区 按期办结率 92%|全区 群众满意率 86.67%
环境保护类 件数 30|市场管理类 件数 20|医疗卫生健康类 件数 10|环境保护类 环比增长 25%
区人社局 办件量 40|区财政局 办件量 25|市长信箱、区长信箱 应办理信件数 5
市长信箱、区长信箱 已办理数 5|市长信箱、区长信箱 办结率 100%|市长信箱、区长信箱 群众满意率 80%
政协云微建议 应办理数 2|去年来政协微建议 交办数 50|去年来政协微建议 已办理数 49
去年来政协微建议 办结率 98%|去年来政协微建议 满意率 96%"""
MEASURES = {
    "appendix_1": "应办理数 办理数 办结率 按期办理数 按期办结率 返工数 返工率 回访不满意数 "
    "回访不满意率 综合指标值 排名",
    "appendix_2": "应办理数 已办结数 按期办结 超期办结",
    "appendix_3": "应办理数 按期办理数",
}


def consistent():
    """The small bulletin by (table, group, name, measure)."""
    figures = {}
    for table, rows in (
        ("appendix_1", HOTLINE),
        ("appendix_2", [("", *row) for row in MAILBOX]),
        ("appendix_3", [("", *row) for row in SUGGESTION]),
    ):
        for number, (group, name, values) in enumerate(rows, start=1):
            for measure, value in zip(MEASURES[table].split(), values.split(), strict=False):
                figures[table, number, group, name, measure] = value
    for number, line in enumerate(TEXT.replace("\n", "|").split("|"), start=1):
        name, measure, value = line.split()
        figures["text", number, "", name, measure] = value
    return figures


def check(figures, folder):
    rows = [("2022Q2", *map(str, key), value) for key, value in figures.items()]
    return lint_file(write(folder, "bulletin.csv", long_form(rows)))


def found(report):
    return [(row.control_id, row.name, row.expected, row.actual) for row in report.contradictions]


@pytest.mark.parametrize("form", ["csv", "txt", "docx"])
def test_the_published_document_contradicts_itself_in_thirteen_places(form, tmp_path):
    content = {
        "csv": lambda: long_form(published()),
        "txt": lambda: tab_led_text(published(), Style()),
        "docx": lambda: word(published(), Style(3)),
    }[form]()
    report = lint_file(write(tmp_path, f"2022.{form}", content))
    assert sorted(found(report)) == sorted(PUBLISHED)
    assert report.figure_count == 690 and report.callbacks == 2049
    assert all(row.place for row in report.contradictions)


def test_callbacks_are_inferred_unit_by_unit():
    """2007 for the units with a dissatisfied caller, 2049 in all."""
    rules = Rules.load(DBT_PROJECT / "seeds", CONTRACT, Quarter(2022, 2))
    figures = read_bulletin(EXPORTS / "2022Q2" / "bulletin.csv", CONTRACT)
    inferred = {
        row.subject: int(row.expected)
        for row in lint(Bulletin.of(figures, rules), rules)
        if row.control_id == "bulletin_inferred_callback"
    }
    assert inferred.pop("district") == 2049
    assert len(inferred) == 33 and sum(inferred.values()) == 2007
    assert inferred["songyanghu_subdistrict"] == 68 and inferred["public_security_other"] == 17


def test_a_consistent_document_raises_nothing(tmp_path):
    report = check(consistent(), tmp_path)
    assert report.contradictions == () and report.callbacks == 60
    assert report.comparison_count > 100


PLANTED = [
    ("appendix_1", "合计（4）", "应办理数", "76", "bulletin_total"),
    ("appendix_2", "合计", "超期办结", "2", "bulletin_total"),
    ("appendix_1", "合计（4）", "回访不满意率", "11.43%", "bulletin_total"),  # 70 callbacks
    ("appendix_1", "区人社局", "返工率", "5.1%", "bulletin_rate"),
    ("appendix_1", "区人社局", "回访不满意率", "9.4%", "bulletin_rate"),  # no integer gives it
    ("appendix_1", "区卫健局", "回访不满意率", "1%", "bulletin_rate"),  # of nobody
    ("appendix_1", "区林业局", "办结率", "100%", "bulletin_rate"),  # of nothing
    ("text", "去年来政协微建议", "办结率", "98.5%", "bulletin_rate"),
    ("text", "市长信箱、区长信箱", "群众满意率", "81%", "bulletin_rate"),  # 4 of 5, or 5
    ("appendix_1", "区财政局", "回访不满意率", "19.23%", "bulletin_callback"),  # 26 of 25
    ("appendix_1", "区人社局", "综合指标值", "94.2", "bulletin_index"),
    ("appendix_1", "区林业局", "综合指标值", "0", "bulletin_index"),
    ("appendix_1", "区卫健局", "排名", "1", "bulletin_rank"),
    ("text", "医疗卫生健康类", "件数", "21", "bulletin_rank"),
    ("appendix_1", "区卫健局", "办理数", "11", "bulletin_part"),
    ("appendix_3", "区林业局", "按期办理数", "3", "bulletin_part"),
    ("text", "环境保护类", "件数", "76", "bulletin_part"),
    ("text", "环境保护类", "环比增长", "26%", "bulletin_change"),  # 24 gives 25%, 23 gives 30%
    ("text", "区财政局", "办件量", "24", "bulletin_text"),
    ("text", "全区", "按期办结率", "92.01%", "bulletin_text"),
    ("text", "全区", "群众满意率", "86.66%", "bulletin_satisfaction"),
    ("text", "市长信箱、区长信箱", "应办理信件数", "6", "bulletin_mailbox"),
    ("text", "政协云微建议", "应办理数", "1", "bulletin_suggestion"),
    ("text", "投诉类", "件数", "39", "bulletin_request_type"),
]


@pytest.mark.parametrize(("table", "name", "measure", "value", "control_id"), PLANTED)
def test_a_planted_contradiction_is_found(table, name, measure, value, control_id, tmp_path):
    figures = consistent()
    (key,) = (key for key in figures if (key[0], *key[3:]) == (table, name, measure))
    figures[key] = value
    report = check(figures, tmp_path)
    assert control_id in {row.control_id for row in report.contradictions}


def test_what_is_printed_in_two_places_is_one_comparison_or_two_that_differ():
    """The total of a table and a sentence on the same figure, as our own bulletins have both."""

    def comparisons(rate, handled="90"):
        rows = [
            ("appendix_1", 1, "", "合计", "应办理数", "100"),
            ("appendix_1", 1, "", "合计", "办理数", "90"),
            ("appendix_1", 1, "", "合计", "办结率", "90%"),
            ("text", 1, "", "全区", "应办理工单数", "100"),
            ("text", 2, "", "全区", "工单办结数", handled),
            ("text", 3, "", "全区", "工单办结率", rate),
        ]
        rules = Rules.load(DBT_PROJECT / "seeds", CONTRACT, Quarter.parse("2022Q2"))
        found = lint(Bulletin.of([Figure("2022Q2", *row) for row in rows], rules), rules)
        keys = [(row.control_id, row.subject, row.measure) for row in found]
        assert len(set(keys)) == len(keys)
        return [row for row in found if row.control_id == "bulletin_rate"]

    alike = comparisons("90%")
    assert [(row.subject, row.contradicts) for row in alike] == [("district", False)]
    other = comparisons("80%")
    assert [(row.subject, row.contradicts) for row in other] == [
        ("district", False),
        ("district#2", True),
    ]


def test_a_name_printed_twice_is_found(tmp_path):
    figures = {
        (table, row, group, "区人社局" if name == "区卫健局" else name, measure): value
        for (table, row, group, name, measure), value in consistent().items()
    }
    report = check(figures, tmp_path)
    assert ("bulletin_name", "区人社局", 1, 2) in found(report)
