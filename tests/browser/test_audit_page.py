"""The audit page as an auditor uses it: filter, open a row, follow it to the source rows.

The fixture `page` fails a test whose page asks the network for anything, or complains.
"""

import csv
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import EXPORTS, hotline, read

NARROW = {"width": 360, "height": 760}


def url(home: Path, name: str = "index.html") -> str:
    return (home / "published" / "audit" / "2022Q2" / name).as_uri()


def shown(page) -> int:
    return page.locator("#found tbody tr:not(.detail):visible").count()


def counts(home: Path, where: str) -> int:
    ((number,),) = read(home, f"select count(*) from audit.reconciliation where {where}")
    return number


def test_filters_show_exactly_the_rows_asked_for(page, published_home):
    page.goto(url(published_home))
    assert shown(page) == counts(published_home, "status <> 'match'") > 0
    form = page.get_by_role("form", name="筛选核对明细")
    form.locator("[name=status]").select_option("")
    assert form.locator("output").inner_text() == " / ".join(
        [str(counts(published_home, "true"))] * 2
    )
    form.locator("[name=group]").select_option("rate")
    assert shown(page) == counts(published_home, "control_group = 'rate'")
    form.locator("[name=unit]").select_option("health")
    assert shown(page) == counts(published_home, "control_group = 'rate' and subject = 'health'")
    form.locator("[name=q]").fill("rework_rate")
    assert shown(page) == 1


def test_a_row_opens_by_the_keyboard_and_leads_to_its_source_rows(page, published_home):
    page.goto(url(published_home))
    row = page.locator("[id='bulletin_callback.highway_maintenance.callback_excess_count']")
    opener = row.get_by_role("button")
    opener.focus()
    page.keyboard.press("Enter")
    assert opener.get_attribute("aria-expanded") == "true"
    detail = row.locator("xpath=following-sibling::tr[1]")
    for text in (
        "由印出的不满意率反推回访5，附件1应办理4",
        "2028-12-31",
        "区热线中心数据组",
        "hotline trace 2022Q2 --unit highway_maintenance --measure callback_count",
    ):
        assert text in detail.inner_text()
    detail.get_by_role("link", name="源文件与行号").click()
    page.wait_for_url("**/unit/highway_maintenance.html*")
    page.locator("[id=callback_count]").get_by_role("link", name="5 行").click()
    rows = page.locator("#t-hotline tbody tr:visible")
    found = [int(rows.nth(at).locator("td").nth(1).inner_text()) for at in range(rows.count())]
    with (EXPORTS / "2022Q2" / "ticket.csv").open(encoding="utf-8-sig", newline="") as file:
        expected = [
            number
            for number, ticket in enumerate(csv.DictReader(file), start=2)
            if ticket["承办单位"].strip() == "区公路建养中心"
            and "2022-04-01" <= ticket["回访时间"] < "2022-07-01"
        ]
    assert found == expected
    page.get_by_role("link", name="这个单位的核对明细").click()
    page.wait_for_url("**/index.html?unit=highway_maintenance*")  # and until it is loaded
    assert shown(page) == counts(published_home, "subject = 'highway_maintenance'")


def test_a_row_that_agrees_opens_to_what_it_compares(page, published_home):
    page.goto(url(published_home) + "?unit=health&q=rework_rate&group=rate")
    (row,) = page.locator("#found tbody tr:visible").all()
    row.get_by_role("button").click()
    detail = page.locator("#found tr.detail:visible")
    assert "用另一公式由件数计算的热线比率" in detail.inner_text()
    assert "--unit health --measure rework_rate" in detail.inner_text()
    detail.get_by_role("link").click()
    assert page.url.endswith("unit/health.html")


def test_columns_sort_by_number_with_nothing_last(page, published_home):
    page.goto(url(published_home))
    head = page.locator("#found th", has_text="差额")
    for direction in ("descending", "ascending"):
        head.get_by_role("button").click()
        assert head.get_attribute("aria-sort") == direction
        cells = page.locator("#found tbody tr:not(.detail):visible td:last-child").all_inner_texts()
        numbers = [int(cell) for cell in cells if cell != "—"]
        assert cells[len(numbers) :] == ["—"] * 3
        assert numbers == sorted(numbers, reverse=direction == "descending")


@pytest.mark.parametrize("name", ["index.html", "unit/human_resources.html"])
def test_it_is_accessible_and_fits_a_telephone(name, page, published_home):
    page.goto(url(published_home, name))
    page.locator(".opener:visible").first.click() if name == "index.html" else None
    violations = Axe().run(page).response["violations"]
    faults = [f["id"] for f in violations if f["impact"] in ("serious", "critical")]
    assert faults == []
    page.set_viewport_size(NARROW)
    assert page.evaluate("document.documentElement.scrollWidth") == NARROW["width"]


def test_printed_it_shows_what_rows_open_to(page, published_home):
    page.goto(url(published_home))
    page.emulate_media(media="print")
    details = page.locator("#found tr.detail:visible")
    assert details.count() == counts(published_home, "status <> 'match'")
    assert not page.locator(".filters:visible").count()


def test_the_documents_are_linked_and_need_no_network(page, home):
    ran = hotline("docs", "2022Q2", home=home)
    assert ran.status == 0, ran.out + ran.err
    page.goto(url(home))
    page.get_by_role("link", name="数据字典").click()
    assert "hotline_unit_quarter" in page.locator("body").inner_text()
    page.go_back()
    page.get_by_role("link", name="Great Expectations").click()
    assert page.locator("tbody tr").count() == 8
    page.get_by_role("link", name="hotline_unit_quarter").first.click()
    assert "Successful Expectations" in page.locator("body").inner_text()
    assert re.search("https?://", page.content()) is None
    # dbt's page isn't opened: it complains of pictures named by its own unfilled templates.
    dbt = (home / "published" / "docs" / "dbt" / "index.html").read_text(encoding="utf-8")
    assert "hotline_unit_quarter" in dbt
    assert re.search(r"<(script|link)\b[^>]*\b(src|href)=\"?https?:", dbt) is None
