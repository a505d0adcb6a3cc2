"""The site as people see it: its figures read back, its pages walked in a browser.

The fixture `page` fails a test whose page asks the network for anything, or complains.
"""

import re
from collections import Counter
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import cache
from io import BytesIO
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import EXPORTS, hashes, published, read
from lxml import html
from pypdf import PdfReader

from orchestration.common.errors import InputError
from orchestration.common.quarters import Quarter
from orchestration.common.settings import Home
from orchestration.publish.pages.figures import Figures, Publication, read_figures
from orchestration.publish.pages.publish import write_site
from orchestration.publish.pages.views import Site, build_pages
from orchestration.publish.pages.words import SiteSettings, Words, load_settings, names_of

SUFFIXES = ("", ".en")


@pytest.fixture(scope="module")
def bulletins(published_home: Path) -> Path:
    return published_home / "published" / "bulletin"


@pytest.fixture(scope="module")
def figures(published_home: Path) -> Figures:
    return read_figures(Home(published_home), "2022Q2")


def printed(measure: str, value: object, suffix: str = "") -> str:
    """How a figure must look, worked out without the project's own formatting."""
    if value is None:
        return "—"
    if isinstance(value, bool):
        return {"": "否是", ".en": ["no", "yes"]}[suffix][value]
    if measure.endswith(("rate", "share", "change", "weight")):
        return re.sub(r"\.?0+$", "", f"{value * 100:.2f}") + "%"
    return str(value)


def cells(table: html.HtmlElement) -> dict[tuple[str, str], str]:
    """(key of the row, measure): text, of every cell that says which figure it shows."""
    found = {}
    for row in table.iter("tr"):
        for cell in row.iterfind(".//*[@data-measure]"):
            name = (row.get("data-key", ""), cell.get("data-measure"))
            assert name not in found, name
            found[name] = cell.text_content()
    return found


@cache
def mart_rows(home: Path, mart: str) -> list[dict[str, object]]:
    with published(home) as connection:
        cursor = connection.execute(f"select * from marts.{mart} where quarter = '2022Q2'")
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def expected(home: Path, mart: str, key: str, unit: str = "", suffix: str = ""):
    """What `cells` must find of a published mart: every column but the keys and names."""
    return {
        (row.get(key, key), column): printed(column, value, suffix)
        for row in mart_rows(home, mart)
        if unit in ("", row.get("unit_code"))
        for column, value in row.items()
        if column not in ("quarter", "unit_code", "unit_name", "evaluation_group", key)
    }


def parsed(bulletins: Path, path: str) -> html.HtmlElement:
    return html.document_fromstring((bulletins / path).read_text(encoding="utf-8"))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_figure_of_the_quarters_page_is_the_marts(published_home, bulletins, suffix):
    tree = parsed(bulletins, f"2022Q2/index{suffix}.html")
    shown = {
        mart: cells(tree.get_element_by_id(mart))
        for mart in (
            "hotline_unit_quarter",
            "channel_quarter",
            "hotline_category_quarter",
            "hotline_request_type_quarter",
            "mailbox_unit_quarter",
            "suggestion_unit_quarter",
        )
    }
    district = expected(published_home, "hotline_district_quarter", "district")
    satisfaction = district.pop(("district", "satisfaction_rate"))
    assert shown.pop("hotline_unit_quarter") == district | expected(
        published_home, "hotline_unit_quarter", "unit_code", suffix=suffix
    )
    for mart, found in shown.items():
        key = {"channel_quarter": "channel", "hotline_category_quarter": "category"}.get(
            mart, "request_type" if "request" in mart else "unit_code"
        )
        assert found == expected(published_home, mart, key), mart
    # 3 channels × 5, 7 categories × 4, 7 types × 2, 23 units × 4, 12 units × 3.
    assert [len(found) for found in shown.values()] == [15, 28, 14, 92, 36]
    # 55 units × (8 counts and rates … index, rated, rank, policy) and the district's 11 and units.
    assert len(cells(tree.get_element_by_id("hotline_unit_quarter"))) == 55 * 14 + 12
    headline = {
        cell.get("data-headline"): cell.text_content()
        for cell in tree.iterfind(".//*[@data-headline]")
    }
    assert headline.pop("satisfaction_rate") == satisfaction
    assert len(headline) == 5
    assert headline == {name: district["district", name] for name in headline}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_figure_of_every_units_page_is_the_marts(published_home, bulletins, suffix):
    codes = [code for (code,) in read(published_home, "select unit_code from marts.unit_quarter")]
    count = 0
    for code in codes:
        tree = parsed(bulletins, f"2022Q2/unit/{code}{suffix}.html")
        hotline = expected(published_home, "hotline_unit_quarter", "none", code)
        components = {
            row["component"]: row
            for row in mart_rows(published_home, "index_component_unit_quarter")
            if row["unit_code"] == code
        }
        due = {
            # Points have four decimals: a little more makes a half round up.
            "index_component_unit_quarter": {
                (name, "lost"): f"{100 * row['weight'] - row['points'] + Decimal('0.00001'):.2f}"
                for name, row in components.items()
            },
            "mailbox_unit_mailbox_quarter": expected(
                published_home, "mailbox_unit_quarter", "mailbox", code
            ),
        }
        if components:
            points = sum(row["points"] for row in components.values())
            due["index_component_unit_quarter"]["", "sum"] = str(points)
        for mart, key in zip(due, ("component", "mailbox"), strict=True):
            found = {
                name: text
                for table in tree.xpath(f"//table[@id='{mart}']")
                for name, text in cells(table).items()
            }
            assert found == due[mart] | expected(published_home, mart, key, code), (code, mart)
            count += len(found)
        totals = {
            cell.get("data-total"): cell.text_content()
            for cell in tree.iterfind(".//*[@data-total]")
        }
        own_row = expected(published_home, "unit_quarter", "none", code)
        assert totals == {name: own_row["none", name] for name in totals}
        count += len(totals)
        for mart, width in (("hotline_unit_quarter", 11), ("suggestion_unit_quarter", 3)):
            for table in tree.xpath(f"//table[@id='{mart}']"):
                found = {measure: text for (_, measure), text in cells(table).items()}
                own_row = expected(published_home, mart, "none", code)
                assert found == {name: own_row["none", name] for name in found}, (code, mart)
                assert len(found) == width
                count += width
        if hotline:
            (row,) = tree.xpath("//table[@id='history-table']/tbody/tr")
            for cell in row.iterfind("td"):
                measure = cell.get("data-measure")
                assert cell.text_content() == hotline["none", measure], (code, measure)
                count += 1
    # 55 units × (4 components × (5 and the points lost) and their sum), (35 unit mailboxes and
    # 23 totals) × 4, 56 × 3 totals, 55 × 11 and 12 × 3 figures of a channel, 55 × 6 in the history.
    assert count == 55 * 25 + 58 * 4 + 168 + 605 + 36 + 330


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_ranking_shows_the_marts_and_doesnt_shame(published_home, bulletins, suffix):
    tree = parsed(bulletins, f"2022Q2/index{suffix}.html")
    units = expected(published_home, "hotline_unit_quarter", "unit_code")
    lost = {
        (unit, component): points
        for unit, component, points in read(
            published_home,
            "select unit_code, component, round(100 * weight - points, 2) "
            "from marts.index_component_unit_quarter",
        )
    }
    order = []
    for group in ("A", "other"):
        rows = tree.xpath(f"//table[@id='ranking-{group}']/tbody/tr")
        for row in rows:
            key = row.get("data-key")
            order.append((group, row.get("data-standing"), key))
            for cell in row.xpath("td[@data-measure != 'lost']"):
                assert cell.text_content() == units[key, cell.get("data-measure")]
            for cell in row.xpath("td[@data-measure = 'lost']"):
                points = lost[key, cell.get("data-component")]
                is_rated = row.get("data-standing") != "unrated"
                assert cell.text_content() == (f"{points:.2f}" if is_rated else "—")
    assert len(order) == 55
    # A rate of fewer than ten says little: 17 and 4 units with tickets, and the 11 without.
    standings = [(group, standing) for group, standing, _ in order]
    assert Counter(standings) == {
        ("A", "judged"): 21,
        ("A", "few"): 17,
        ("other", "judged"): 2,
        ("other", "few"): 4,
        ("other", "unrated"): 11,
    }
    assert standings == sorted(
        standings, key=lambda one: (one[0], ["judged", "few", "unrated"].index(one[1]))
    )
    # One ticket, one dissatisfied caller: in no chart.
    charts = "".join(chart.text_content() for chart in tree.xpath("//*[local-name()='svg']"))
    assert ("Education" if suffix else "区教体局") in charts
    assert ("Finance bureau" if suffix else "区财政局") not in charts


def test_every_chart_says_what_it_is_and_has_its_table(bulletins):
    tree = parsed(bulletins, "2022Q2/index.html")
    charts = tree.xpath("//*[local-name()='svg'][@role='img']")
    assert len(charts) == 4
    for chart in charts:
        title, description = (
            tree.get_element_by_id(chart.get(name))
            for name in ("aria-labelledby", "aria-describedby")
        )
        assert title.text
        assert "见表" in description.text
        section = next(chart.iterancestors("section"))
        assert section.xpath(".//table")


def test_every_table_has_a_caption_and_headers_with_a_scope(bulletins):
    tables = [
        table
        for path in ("index.html", "2022Q2/index.en.html", "2022Q2/unit/human_resources.html")
        for table in parsed(bulletins, path).iter("table")
    ]
    assert len(tables) == 1 + 8 + 4
    for table in tables:
        assert table.findtext("caption/span").strip()
        assert all(head.get("scope") for head in table.iter("th"))


def test_each_page_tells_the_status_and_that_the_sample_is_invented(published_home, bulletins):
    (controls,) = read(published_home, "select count(*) from audit.reconciliation")[0]
    paths = sorted(bulletins.rglob("*.html"))
    assert len(paths) == 2 * (1 + 1 + 56)
    for path in paths:
        tree = html.document_fromstring(path.read_text(encoding="utf-8"))
        (status,) = tree.xpath("//*[@role='status']/a")
        assert str(controls) in status.text
        target = (path.parent / status.get("href")).resolve()
        assert target == published_home / "published" / "audit" / "2022Q2" / "index.html"
        assert target.exists()
        (notice,) = tree.xpath("//*[contains(@class, 'notice')]")
        assert ("invented" if path.name.endswith(".en.html") else "虚构") in notice.text
        for link in tree.xpath("//a[not(starts-with(@href, '#'))]/@href"):
            assert (path.parent / link.split("#")[0]).exists(), (path, link)


def test_made_again_the_pages_are_the_same_bytes(home):
    again = home / "published" / "bulletin"
    pages = {name: value for name, value in hashes(again).items() if name.endswith(".html")}
    for name in pages:
        (again / name).unlink()
    assert write_site(Home(home), EXPORTS, "2022Q2") == again / "2022Q2" / "index.html"
    made = {name: value for name, value in hashes(again).items() if name.endswith(".html")}
    assert made == pages
    assert len(made) == 116
    assert all(path.stat().st_size < 1_000_000 for path in again.rglob("*.html"))


def _site(figures: Figures, settings: SiteSettings = SiteSettings()) -> Site:  # noqa: B008 (frozen)
    return Site(figures=figures, settings=settings, notices={})


def test_names_that_are_markup_are_only_text(figures):
    hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;"
    units = [replace(unit, name=hostile) for unit in figures.units]
    rows = [row | {"label": hostile} for row in figures.categories]
    pages = dict(build_pages(_site(replace(figures, units=units, categories=rows))))
    for path in ("2022Q2/index.html", "2022Q2/unit/human_resources.html"):
        tree = html.document_fromstring(pages[path])
        assert len(tree.xpath("//script")) == 1
        assert not tree.xpath("//*[@onerror] | //img")
        assert hostile in tree.text_content()


def test_a_quarter_with_a_predecessor_tells_the_change(figures):
    """Worked out by hand: 2168 − 2000, 2.77 − 3 and 95.7 − 94.9."""
    before = figures.publication.district | {
        "quarter": "2022Q1",
        "due_count": 2000,
        "rework_rate": Decimal("0.0300"),
        "composite_index": Decimal("94.9"),
        "satisfaction_rate": None,
    }
    previous = Publication(
        Quarter(2022, 1),
        1,
        datetime(2022, 4, 5),
        before,
        figures.publication.reconciliation,
    )
    units = [
        replace(
            unit,
            history=[row | {"quarter": "2022Q1", "composite_index": Decimal("88.5")}, row],
        )
        for unit in figures.units
        if (row := unit.hotline)
    ]
    both = replace(
        figures, previous=previous, publications=[previous, figures.publication], units=units
    )
    pages = dict(build_pages(_site(both)))
    tree = html.document_fromstring(pages["2022Q2/index.html"])
    told = {
        card.find("span[@data-headline]").get("data-headline"): "".join(
            card.xpath("span[@class='change']//text()")
        )
        for card in tree.xpath("//ul[@class='figures']/li")
    }
    assert told["due_count"] == "较上季度 +168（上季度 2000）"
    assert told["rework_rate"] == "较上季度 −0.23 个百分点（上季度 3%）"
    assert told["completion_rate"] == "较上季度 0 个百分点（上季度 100%）"
    assert told["composite_index"] == "较上季度 +0.8（上季度 94.9）"
    assert told["satisfaction_rate"] == "较上季度 —（上季度 —）"
    unit = html.document_fromstring(pages["2022Q2/unit/human_resources.html"])
    (chart,) = unit.xpath("//*[local-name()='svg'][@role='img']")
    assert [text.text for text in chart.iter("text")] == ["88.5", "2022Q1", "97.2", "2022Q2"]
    quarters = unit.xpath("//table[@id='history-table']/tbody/tr/@data-key")
    assert quarters == ["2022Q2", "2022Q1"]
    listed = html.document_fromstring(pages["index.html"]).xpath("//tbody/tr/@data-key")
    assert listed == ["2022Q2", "2022Q1"]


def test_without_a_predecessor_it_says_so(bulletins):
    text = parsed(bulletins, "2022Q2/index.html").text_content()
    assert "上一季度（2022Q1）没有发布过，所以没有环比。" in text


def test_the_threshold_is_the_sites_own(figures):
    pages = dict(build_pages(_site(figures, SiteSettings(judged_from=1))))
    tree = html.document_fromstring(pages["2022Q2/index.html"])
    assert not tree.xpath("//tr[@data-standing='few']")
    assert len(tree.xpath("//tr[@data-standing='judged']")) == 44


def test_documents_beside_the_page_are_offered(figures, bulletins):
    site = replace(_site(figures), documents=["bulletin.docx"])
    tree = html.document_fromstring(dict(build_pages(site))["2022Q2/index.html"])
    assert tree.xpath("//nav//a[@href='bulletin.docx']")
    for link in parsed(bulletins, "2022Q2/index.html").xpath("//nav//a/@href"):
        assert link.startswith("#") or (bulletins / "2022Q2" / link).is_file()


def test_settings_that_cant_be_read_are_refused(tmp_path):
    path = tmp_path / "site.yml"
    for text in ("judged_from: 0", "judged: 3", "english: [a]", "a: [", "judged_from: 'viele'"):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(InputError) as caught:
            load_settings(path)
        assert "site.yml" in str(caught.value)
    path.write_text("", encoding="utf-8")
    assert load_settings(path) == load_settings(tmp_path / "none.yml") == SiteSettings()


def test_a_measure_is_called_what_the_mart_calls_it(published_home):
    comments = read(
        published_home,
        "select column_name, comment from duckdb_columns() where schema_name = 'marts' "
        "and database_name = current_database() and comment is not null",
    )
    known = [(name, comment) for name, comment in comments if names_of(name)]
    assert {name for name, _ in known} >= {"due_count", "composite_index", "dissatisfaction_rate"}
    assert [pair for pair in known if not pair[1].startswith(names_of(pair[0])[0])] == []
    assert Words("zh", {}).term("rework_count") == "返工数"
    assert Words("en", {}).term("rework_count") == "Sent back"


def keys(page, table: str) -> list[str]:
    return page.locator(f"#{table} > tbody > tr:visible").evaluate_all(
        "rows => rows.map(row => row.dataset.key)"
    )


def test_walk_from_the_quarters_to_a_unit_and_into_english(page, bulletins):
    page.goto((bulletins / "index.html").as_uri())
    page.get_by_role("link", name="2022年第二季度").click()
    page.wait_for_url("**/2022Q2/index.html")
    page.locator("#ranking-A").get_by_role("link", name="区人社局").click()
    page.wait_for_url("**/unit/human_resources.html")
    assert page.locator("h1").inner_text() == "区人社局"
    page.get_by_role("link", name="English").click()
    page.wait_for_url("**/unit/human_resources.en.html")
    assert page.locator("html").get_attribute("lang") == "en"
    assert "Human resources" in page.locator("h1").inner_text()
    page.get_by_role("link", name="2022 Q2").click()
    page.wait_for_url("**/2022Q2/index.en.html")
    page.get_by_role("link", name="中文").click()
    page.wait_for_url("**/2022Q2/index.html")
    page.get_by_role("link", name="对账通过").click()
    page.wait_for_url("**/audit/2022Q2/index.html")


def test_sort_and_filter_by_the_keyboard(page, bulletins):
    page.goto((bulletins / "2022Q2" / "index.html").as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    head = page.locator("#hotline_unit_quarter").get_by_role("button", name="应办理数")
    head.focus()
    page.keyboard.press("Enter")
    assert keys(page, "hotline_unit_quarter")[:3] == [
        "yunxi_subdistrict",
        "human_resources",
        "health",
    ]
    assert head.locator("xpath=..").get_attribute("aria-sort") == "descending"
    find = page.locator("form[data-filters='hotline_unit_quarter']")
    find.get_by_label("查找单位").focus()
    page.keyboard.type("街道")
    assert set(keys(page, "hotline_unit_quarter")) == {
        "yunxi_subdistrict",
        "songyanghu_subdistrict",
        "changling_subdistrict",
    }
    assert find.locator("output").inner_text() == "3 / 55"
    page.locator("form[data-filters='ranking-A']").get_by_label("显示").select_option("few")
    assert len(keys(page, "ranking-A")) == 17
    assert len(keys(page, "ranking-other")) == 17


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_telephone_needs_no_sideways_scrolling(page, bulletins, suffix):
    page.set_viewport_size({"width": 360, "height": 740})
    for path in ("index", "2022Q2/index", "2022Q2/unit/housing_provident_fund"):
        page.goto((bulletins / f"{path}{suffix}.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path


def test_print(page, bulletins):
    page.goto((bulletins / "2022Q2" / "index.html").as_uri())
    page.emulate_media(media="print")
    assert not page.locator("nav, form").first.is_visible()
    assert page.locator("#hotline_unit_quarter").is_visible()
    page.set_viewport_size({"width": 688, "height": 1000})  # A4 less its margins
    for table in page.locator("table").all():
        box = table.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 688, table.get_attribute("id")
    pages = PdfReader(BytesIO(page.pdf(format="A4"))).pages
    assert 4 <= len(pages) <= 9
    text = "".join(one.extract_text() for one in pages)
    assert text.count("全区（55）") == 1


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_axe_finds_no_serious_fault(page, bulletins, suffix):
    paths = ("index", "2022Q2/index", "2022Q2/unit/human_resources", "2022Q2/unit/audit")
    for path in paths:
        page.goto((bulletins / f"{path}{suffix}.html").as_uri())
        found = Axe().run(page).response["violations"]
        serious = [
            (rule["id"], [node["html"] for node in rule["nodes"]][:3])
            for rule in found
            if rule["impact"] in ("serious", "critical")
        ]
        assert serious == [], path
