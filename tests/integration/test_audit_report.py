"""The audit report says what the audit tables say, no more and no less, and leaves nothing out."""

import csv
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest
from conftest import PROJECT, hashes, hotline, read
from lxml import html
from python_calamine import CalamineWorkbook

from orchestration.common.settings import Home
from orchestration.publish.bulletin.publish import publish_bulletin

# DOMAIN of the published document: where it disagrees with itself, as read there by people.
CONTRADICTIONS = [
    ("bulletin_request_type", "district", "2168", "2031", "834+155+1032+1+2+7=2031"),
    ("published_text_unit", "yunxi_subdistrict", "287", "307", "通报正文287，附件1为307"),
    ("published_text_unit", "human_resources", "246", "259", "通报正文246，附件1为259"),
    ("published_text_unit", "health", "159", "211", "通报正文159，附件1为211"),
    ("published_text_unit", "market_regulation", "158", "150", "通报正文158，附件1为150"),
    ("published_text_unit", "traffic_police", "115", "120", "通报正文115，附件1为120"),
    ("published_text_unit", "ecology_environment", "102", "107", "通报正文102，附件1为107"),
    ("bulletin_suggestion", "suggestion", "31", "14", "通报正文14，附件3合计31"),
    ("bulletin_name", "区公安分局", "1", "2", "A类应办理108，其他单位应办理16"),
    ("bulletin_callback", "songyanghu_subdistrict", "0", "2", "回访68，附件1应办理66"),
    ("bulletin_callback", "agriculture_rural", "0", "2", "回访18，附件1应办理16"),
    ("bulletin_callback", "public_security_other", "0", "1", "回访17，附件1应办理16"),
    ("bulletin_callback", "highway_maintenance", "0", "1", "回访5，附件1应办理4"),
]


def folder(home: Path) -> Path:
    return home / "published" / "audit" / "2022Q2"


@pytest.fixture(scope="module")
def page(published_home):
    return html.parse(str(folder(published_home) / "index.html")).getroot()


def rows(page):
    return page.xpath("//table[@id='found']/tbody/tr[@data-status]")


def test_every_row_of_the_run_is_on_the_page_once(page, published_home):
    counted = Counter(row.get("data-status") for row in rows(page))
    expected = dict(
        read(published_home, "select status, count(*) from audit.reconciliation group by all")
    )
    assert counted == expected
    total = sum(expected.values())
    status = page.xpath("string(//p[contains(@class, 'status')])")
    for number in (total, expected["match"], expected["explained"]):
        assert f"{number} 项" in status
    groups = {
        row.xpath("string(td[1])"): int(row.xpath("string(td[2])"))
        for row in page.xpath("//section[@aria-labelledby='summary']//tbody/tr")
    }
    assert groups == dict(
        read(
            published_home, "select control_group, count(*) from audit.reconciliation group by all"
        )
    )


@pytest.mark.parametrize(("control", "subject", "expected", "actual", "evidence"), CONTRADICTIONS)
def test_each_contradiction_of_the_document_is_a_row_with_its_evidence(
    page, control, subject, expected, actual, evidence
):
    (row,) = (
        row
        for row in rows(page)
        if row.get("data-control") == control
        and row.get("data-subject") == subject
        and row.get("data-status") == "explained"
    )
    cells = [cell.text_content() for cell in row.iterchildren()]
    assert cells[4:6] == [expected, actual]
    detail = row.getnext().text_content()
    assert evidence in detail
    assert "有效期至 2028-12-31" in detail


def test_callbacks_above_the_due_tickets_are_explained_by_counting_them(published_home):
    found = read(
        published_home,
        "select subject, actual::int, explanation from audit.reconciliation "
        "where control_id = 'bound_callback' and status <> 'match' order by all",
    )
    assert {subject: actual for subject, actual, _ in found} == {
        "songyanghu_subdistrict": 2,
        "agriculture_rural": 2,
        "public_security_other": 1,
        "highway_maintenance": 1,
    }
    for _, actual, explanation in found:
        words, _, count = explanation.removesuffix(" 件").rpartition(" ")
        assert words == "本季度回访了更早交办的工单" and int(count) >= actual


@pytest.mark.parametrize("control", ["bulletin_callback", "bound_callback"])
def test_an_excess_is_named_as_one(page, control):
    """松杨湖街道办事处 had 68 callbacks and 66 tickets due: 2 is no number of callbacks."""
    (row,) = page.xpath(
        f"//tr[@data-control='{control}' and @data-subject='songyanghu_subdistrict']"
    )
    cells = [cell.text_content() for cell in row.iterchildren()]
    assert cells[3:6] == ["回访数超出应办理数", "0", "2"]
    assert row.get("data-trace").endswith("--unit songyanghu_subdistrict --measure callback_count")


def test_the_explained_rows_are_counted_as_facts_too(page, first_run):
    """Thirteen contradictions and three figures of last year; ten of them two controls see."""
    home, ran = first_run
    assert "已说明的 26 项说的是 16 处" in ran.out
    pages = home / "published" / "bulletin" / "2022Q2"
    for root, words in (
        (page, "26 项已说明（共 16 处）"),
        (html.parse(str(pages / "index.html")).getroot(), "26 项已说明（共 16 处）"),
        (html.parse(str(pages / "index.en.html")).getroot(), "26 explained (16 facts)"),
    ):
        assert words in root.xpath("string(//*[@role='status'])")


def test_the_report_leads_to_the_pages(page, published_home):
    (link,) = page.xpath("//a[text()='本季度的网页']/@href")
    found = (folder(published_home) / link).resolve()
    assert found == published_home / "published" / "bulletin" / "2022Q2" / "index.html"
    assert page.xpath("//a[contains(@href, '.pdf')]") == []


def test_the_pdf_is_linked_while_it_is_there(home, exports, tmp_path, monkeypatch):
    (tmp_path / "tools").mkdir()
    for name, body in (
        ("fc-list", "echo SimHei"),
        ("soffice", 'while [ "$1" != --outdir ]; do shift; done; echo PDF > "$2/bulletin.pdf"'),
    ):
        script = tmp_path / "tools" / name
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "tools"))
    report = folder(home) / "index.html"
    site = home / "published" / "bulletin" / "2022Q2"
    assert hotline("pdf", "2022Q2", home=home).status == 0
    for path in (report, site / "index.html", site / "index.en.html"):
        (link,) = html.parse(str(path)).xpath("//a[contains(@href, '.pdf')]/@href")
        assert (path.parent / link).resolve() == site / "bulletin.pdf"
    (exports / "2022Q2" / "notice.md").unlink()
    publish_bulletin(Home(home), exports, "2022Q2")
    assert not (site / "bulletin.pdf").exists()
    assert html.parse(str(report)).xpath("//a[contains(@href, '.pdf')]") == []


def test_every_unit_has_its_page_and_every_link_leads_somewhere(published_home):
    units = read(published_home, "select unit_code from marts.unit_quarter")
    assert {path.stem for path in (folder(published_home) / "unit").iterdir()} == {
        code for (code,) in units
    }
    checked = 0
    index = folder(published_home) / "index.html"
    for path in (index, *index.with_name("unit").iterdir()):
        root = html.parse(str(path)).getroot()
        for link in root.xpath("//a/@href"):
            name, _, fragment = link.partition("#")
            name = name.partition("?")[0]
            assert (path.parent / name).is_file() or not name, link
            assert name or root.get_element_by_id(fragment) is not None
            checked += 1
    assert checked > 1000


def test_a_units_page_lists_the_rows_of_every_count(published_home):
    root = html.parse(str(folder(published_home) / "unit" / "human_resources.html")).getroot()
    marked = [row.get("data-counts").split() for row in root.xpath("//tr[@data-counts]")]
    ((due, rework, callbacks, dissatisfied),) = read(
        published_home,
        "select due_count, rework_count, callback_count, dissatisfied_count "
        "from marts.hotline_unit_quarter where unit_code = 'human_resources'",
    )
    for count, number in (
        ("due_count", due),
        ("rework_count", rework),
        ("callback_count", callbacks),
        ("dissatisfied_count", dissatisfied),
    ):
        assert sum(count in held for held in marked) == number > 0, count
    assert "行数与数字不同" not in root.text_content()


def test_the_page_says_that_the_sample_is_invented(page):
    assert "虚构数据" in page.xpath("string(//footer)")


def sheet(home: Path, title: str) -> list[list[object]]:
    book = CalamineWorkbook.from_path(str(folder(home) / "audit.xlsx"))
    return book.get_sheet_by_name(title).to_python()


def test_the_workbook_holds_the_audit_tables(published_home):
    titles = CalamineWorkbook.from_path(str(folder(published_home) / "audit.xlsx")).sheet_names
    assert titles == [
        *("汇总", "控制项", "差异", "核对明细", "行数平衡", "已知差异", "重述", "源文件", "签字页"),
    ]
    columns = ("control_id", "subject", "measure", "expected", "actual", "difference")
    for title, where in (("核对明细", "true"), ("差异", "status <> 'match'")):
        header, *body = sheet(published_home, title)
        at = [
            header.index(name)
            for name in ("控制代码", "对象代码", "指标代码", "应为", "实为", "差额")
        ]
        found = sorted(tuple(str(row[i]) if i < at[3] else row[i] for i in at) for row in body)
        told = read(
            published_home,
            f"select {', '.join(columns)} from audit.reconciliation where {where}",
        )
        expected = sorted(
            (*row[:3], *("" if value is None else float(value) for value in row[3:]))
            for row in told
        )
        assert found == expected
        assert found
    header, *body = sheet(published_home, "行数平衡")
    assert [tuple(row[2:]) for row in body] == [
        (sha, *map(float, numbers))
        for sha, *numbers in read(
            published_home,
            "select file_sha256, read_count, accepted_count, rejected_count, duplicate_count, "
            "out_of_scope_count from audit.row_balance order by source",
        )
    ]
    header, *body = sheet(published_home, "已知差异")
    seed = PROJECT / "dbt_project" / "seeds" / "known_discrepancy.csv"
    with seed.open(encoding="utf-8", newline="") as file:
        registered = {row["discrepancy_id"] for row in csv.DictReader(file)}
    assert len(body) == len(registered) and {row[0] for row in body} == registered
    assert {row[-1] for row in body} == {"是"}
    (files,) = [sheet(published_home, "源文件")[1:]]
    assert [(row[1], row[2], row[5]) for row in files] == read(
        published_home,
        "select file_name, file_sha256, row_count from audit.source_file order by source",
    )
    assert all(isinstance(row[6], datetime) for row in files)


def test_made_again_from_the_same_warehouse_it_has_the_same_bytes(home):
    from conftest import EXPORTS

    from orchestration.common.settings import Home
    from orchestration.publish.audit.report import write_report

    before = hashes(folder(home))
    assert before
    write_report(Home(home), "2022Q2", EXPORTS)
    assert hashes(folder(home)) == before
