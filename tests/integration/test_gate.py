"""One planted fault, and nothing is published: the run says which control broke and stops."""

from collections.abc import Callable

import pytest
from conftest import hashes, hotline
from lxml import html
from python_calamine import CalamineWorkbook

Rows = list[list[str]]


def column(rows: Rows, label: str) -> int:
    return rows[0].index(label)


def due_row(rows: Rows, unit: str) -> list[str]:
    unit_at, day_at = column(rows, "承办单位"), column(rows, "交办时间")
    return next(r for r in rows[1:] if r[unit_at].strip() == unit and r[day_at] >= "2022-04-01")


def move_ticket(rows: Rows) -> None:
    due_row(rows, "区人社局")[column(rows, "承办单位")] = "区卫健局"


def delete_row(rows: Rows) -> None:
    rows.remove(due_row(rows, "区教体局"))


def flip_rework(rows: Rows) -> None:
    row, at = due_row(rows, "区林业局"), column(rows, "是否返工")
    row[at] = {"是": "否", "否": "是"}[row[at]]


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        (move_ticket, ["published_appendix_1", "human_resources", "health", "due_count"]),
        (delete_row, ["published_appendix_1", "education_sports", "due_count", "district"]),
        (flip_rework, ["published_appendix_1", "forestry", "rework_count", "composite_index"]),
    ],
)
def test_a_planted_fault_stops_at_the_gate(
    fault: Callable[[Rows], None], named: list[str], home, edit_tickets
):
    before = hashes(home / "published")
    ran = hotline("run", "2022Q2", home=home, exports=edit_tickets(fault))
    assert ran.status == 1, ran.out + ran.err
    for word in named:
        assert word in ran.err
    assert hashes(home / "published") == before
    reconciled = hotline("reconcile", "2022Q2", home=home)
    assert reconciled.status == 1
    assert "unexplained" in reconciled.out
    # An auditor must see why: beside the publication, never in it.
    report = home / "audit" / "2022Q2" / "index.html"
    assert str(report) in ran.err
    page = html.parse(str(report)).getroot()
    assert "停在关口，没有发布" in page.xpath("string(//p[contains(@class, 'status')])")
    broken = page.xpath("//tr[@data-status='unexplained']")
    assert {row.get("data-control") for row in broken} >= {named[0]}
    assert "停在关口" in page.xpath("string(//section[@aria-labelledby='summary'])")


def test_an_unknown_unit_is_never_guessed(home, edit_tickets):
    """The office's workbook names columns as its export does, and the work order."""
    numbers = []

    def rename(rows: Rows) -> None:
        row = due_row(rows, "区人社局")
        numbers.append(row[column(rows, "工单编号")])
        row[column(rows, "承办单位")] = "区人社居"
        rows[0][column(rows, "工单编号")] = "工单号"
        rows[0][column(rows, "承办单位")] = "主办单位"

    before = hashes(home / "published")
    ran = hotline("run", "2022Q2", home=home, exports=edit_tickets(rename))
    assert ran.status == 1
    assert "ticket.csv" in ran.err and "unknown_unit" in ran.err
    assert "区人社居" in ran.err and "区人社局" in ran.err  # the name, and the nearest known one
    assert hashes(home / "published") == before
    book = CalamineWorkbook.from_path(str(home / "rejected" / "2022Q2" / "rejected.xlsx"))
    assert book.sheet_names == ["汇总", "按原因", "逐行", "未知单位"]
    header, row = book.get_sheet_by_name("逐行").to_python()
    assert header[:4] == ["文件", "行号", "工单号", "列"]
    assert row[0] == "ticket.csv" and row[2:5] == [*numbers, "主办单位", "unknown_unit"]
    (name,) = book.get_sheet_by_name("未知单位").to_python()[1:]
    assert name[:3] == ["ticket", "区人社居", 1] and "区人社局" in name[3]


def test_a_changed_discrepancy_is_unexplained_again(home, exports):
    path = exports / "2022Q2" / "bulletin.csv"
    text = path.read_text(encoding="utf-8")
    assert "云溪街道办事处,办件量,287" in text
    path.write_text(text.replace("云溪街道办事处,办件量,287", "云溪街道办事处,办件量,288"), "utf-8")
    ran = hotline("run", "2022Q2", home=home, exports=exports)
    assert ran.status == 1
    for control_id in ("published_text_unit", "bulletin_text"):  # the marts, the appendix
        assert f"控制项不符：{control_id} · 云溪街道办事处 yunxi_subdistrict" in ran.err
    assert ran.err.count("控制项不符") == 2


def test_a_quarter_without_a_bulletin_publishes(exports, tmp_path):
    (exports / "2022Q2" / "bulletin.csv").unlink()
    ran = hotline("run", "2022Q2", home=tmp_path / "new", exports=exports)
    assert ran.status == 0, ran.out + ran.err
    assert "尚无已发布的通报" in ran.out
    assert "95.7" in ran.out
