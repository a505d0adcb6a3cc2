"""A quarter published with a threshold for small counts: what everyone sees, and what stays."""

import re
import shutil

import docx
import duckdb
import lxml.html
import pytest
from conftest import copy_exports, hashes, hotline
from python_calamine import CalamineWorkbook

from orchestration.common.privacy import PrivacySettings
from orchestration.common.settings import Home
from orchestration.publish.bulletin.publish import publish_bulletin
from orchestration.publish.disclosure import _hide_totals, mask
from orchestration.publish.pages.publish import write_site

THRESHOLD = 5
SETTINGS = PrivacySettings(small_count_threshold=THRESHOLD)
HOTLINE = {
    "due_count": 1, "handled_count": 2, "on_time_count": 4, "rework_count": 6,
    "dissatisfied_count": 8,
}  # fmt: skip
LETTERS = {"due_count": 1, "handled_count": 2, "on_time_count": 3, "overdue_count": 4}
SUGGESTIONS = {"due_count": 1, "on_time_count": 2, "overdue_count": 3}
APPENDICES = (
    ("hotline_unit_quarter", HOTLINE),
    ("mailbox_unit_quarter", LETTERS),
    ("suggestion_unit_quarter", SUGGESTIONS),
)
KEYS = {"hotline_category_quarter": "category", "hotline_request_type_quarter": "request_type"}


@pytest.fixture(scope="module")
def masked_home(published_home, tmp_path_factory):
    """The home of the shared run with its quarter run again, now with a threshold."""
    folder = tmp_path_factory.mktemp("masked")
    home = shutil.copytree(published_home, folder / "home")
    exports = copy_exports(folder / "exports")
    (exports / "privacy.yml").write_text(f"small_count_threshold: {THRESHOLD}\n", encoding="utf-8")
    ran = hotline("run", "2022Q2", home=home, exports=exports)
    assert ran.status == 0, ran.out + ran.err
    return home, exports


@pytest.fixture(scope="module")
def bulletin(masked_home):
    return masked_home[0] / "published" / "bulletin" / "2022Q2"


def whole(home, mart):
    with duckdb.connect() as connection:
        path = home / "published/parquet" / mart / "quarter=2022Q2" / f"{mart}.parquet"
        cursor = connection.execute(f"select * from '{path}'")
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def printed_rows(path):
    """The rows of each appendix, cells as text."""
    if path.suffix == ".docx":
        tables = docx.Document(str(path)).tables
        return [[[cell.text for cell in row.cells] for row in table.rows] for table in tables]
    book = CalamineWorkbook.from_path(str(path))
    sheets = [book.get_sheet_by_name(name).to_python() for name in book.sheet_names]
    return [
        [[str(int(c) if isinstance(c, float) and c % 1 == 0 else c) for c in row] for row in sheet]
        for sheet in sheets
    ]


@pytest.mark.parametrize("name", ["bulletin.docx", "bulletin.xlsx"])
def test_no_small_count_is_in_the_bulletin_and_it_still_adds_up(name, masked_home, bulletin):
    for (mart, columns), rows in zip(APPENDICES, printed_rows(bulletin / name), strict=True):
        by_name = {}
        for row in rows:
            by_name.setdefault(row[0], []).append(row)
        units = whole(masked_home[0], mart)
        (total,) = (row for row in rows if row[0].startswith("合计"))
        for measure, place in columns.items():
            hidden = 0
            shown = []
            for unit in units:
                cells = {row[place] for row in by_name[unit["unit_name"]]}
                if 0 < unit[measure] < THRESHOLD:
                    assert "＊" in cells, (unit["unit_name"], measure)
                    assert cells <= {"＊", *(str(u[measure]) for u in units if u is not unit)}
                if cells == {"＊"}:
                    hidden += unit[measure]
                else:
                    shown.append(unit[measure])
            assert total[place] == str(hidden + sum(shown)), measure
            assert hidden == 0 or hidden >= THRESHOLD
        # A rate and the index go with their counts; nothing is left of them in the row.
        for row in rows:
            if mart == "hotline_unit_quarter" and "＊" in row[1:10]:
                assert row[10] == "＊"
                assert (row[6] == "＊") <= (row[7] == "＊")
                assert (row[8] == "＊") <= (row[9] == "＊")
    if name.endswith("docx"):
        text = "\n".join(p.text for p in docx.Document(str(bulletin / name)).paragraphs)
        assert text.count(f"＊：不足 {THRESHOLD} 的件数") == 3
        assert "求助类1032件、建议类＊件、表扬类＊件、举报类＊件、未分类137件" in text


def pages(bulletin):
    for path in sorted(bulletin.parent.rglob("*.html")):
        yield path, lxml.html.parse(str(path)).getroot()


def test_no_small_count_is_on_a_page_and_no_page_leads_to_one(masked_home, bulletin):
    home, _ = masked_home
    small = {
        (mart, row.get(KEYS.get(mart, "unit_code")), measure): value
        for mart in (*(mart for mart, _ in APPENDICES), *KEYS)
        for row in whole(home, mart)
        for measure, value in row.items()
        if measure.endswith("_count") and value is not None and 0 < value < THRESHOLD
    }
    assert len(small) > 150
    seen = 0
    for path, page in pages(bulletin):
        assert not [link for link in page.xpath("//a/@href") if "/audit/" in link], path
        unit = path.name.split(".")[0] if path.parent.name == "unit" else ""
        for cell in page.xpath("//table//*[@data-measure]"):
            mart = cell.xpath("string(ancestor::table/@id)")
            mart = "hotline_unit_quarter" if mart.startswith(("ranking", "history")) else mart
            key = unit or cell.xpath("string(ancestor::tr/@data-key)")
            if (mart, key, cell.get("data-measure")) in small:
                seen += 1
                assert cell.text_content() == "＊", (path.name, mart, key)
        for figure in page.xpath("//*[@data-total]"):
            channel, measure = figure.get("data-total").split("_", 1)
            if (f"{channel}_unit_quarter", unit, measure) in small:
                assert figure.text_content() == "＊", (path.name, channel)
    assert seen > 300
    quarter = lxml.html.parse(str(bulletin / "index.html")).getroot()
    drawn = quarter.xpath("//*[local-name()='svg'][@aria-labelledby='chart-request-types-title']")
    names = [
        text for (chart,) in [drawn] for text in chart.xpath(".//*[local-name()='text']/text()")
    ]
    assert "求助类" in names or "求助" in names
    assert not {"建议类", "表扬类", "举报类"} & set(names)
    assert set(re.findall(r"\b[127]\b", " ".join(names))) == set()
    foot = quarter.xpath("//table[@id='hotline_unit_quarter']/tfoot//*[@data-measure]")
    totals = {cell.get("data-measure"): cell.text_content() for cell in foot}
    assert (totals["due_count"], totals["rework_count"], totals["dissatisfied_count"]) == (
        *("2168", "60", "388"),
    )


def test_a_list_by_size_does_not_tell_where_a_hidden_one_belongs(bulletin):
    """Shown ones by size, the largest first; then those hidden, as the office lists its units."""
    offices = [row[0] for row in printed_rows(bulletin / "bulletin.docx")[0]]
    rows = printed_rows(bulletin / "bulletin.docx")[1][2:-1]
    stars = [row[0] for row in rows if row[1] == "＊"]
    assert [row[0] for row in rows[-len(stars) :]] == stars
    listed = [name for name in stars if name in offices]
    assert listed == sorted(listed, key=offices.index)


def test_what_the_office_and_its_auditors_read_is_whole(published_home, masked_home):
    home, exports = masked_home
    for part in ("published/parquet", "published/versions"):
        before, after = hashes(published_home / part), hashes(home / part)
        assert {k: v for k, v in after.items() if k.endswith("parquet")} == {
            k: v for k, v in before.items() if k.endswith("parquet")
        }
    for command in ("reconcile", "verify"):
        ran = hotline(command, "2022Q2", home=home, exports=exports)
        assert ran.status == 0, ran.out + ran.err
    unit = (home / "published/audit/2022Q2/unit/finance_bureau.html").read_text(encoding="utf-8")
    assert "＊" not in unit


def test_a_masked_bulletin_is_not_taken_for_one_with_figures(masked_home, bulletin):
    ran = hotline("lint-bulletin", bulletin / "bulletin.docx", home=masked_home[0])
    assert ran.status == 2, ran.out + ran.err
    assert "bad_figure" in ran.err and "“＊”不是数字" in ran.err


def test_totals_that_would_give_counts_away_are_on_no_page_and_not_in_the_bulletin(
    masked_home, tmp_path, monkeypatch
):
    """As of a district that has three tickets in all; here every total is taken for such."""
    home = Home(shutil.copytree(masked_home[0], tmp_path / "home", symlinks=True))
    channels = {"hotline", "mailbox", "suggestion"}

    def hide_more(marts, threshold):
        shown = mask(marts, threshold)
        _hide_totals(shown, channels)
        return shown

    monkeypatch.setattr("orchestration.publish.public_marts.mask", hide_more)
    monkeypatch.setattr(
        "orchestration.publish.public_marts.load_privacy_settings", lambda: SETTINGS
    )
    publish_bulletin(home, masked_home[1], "2022Q2")
    write_site(home, masked_home[1], "2022Q2")
    folder = home.bulletin("2022Q2")
    for name in ("bulletin.docx", "bulletin.xlsx"):
        for rows in printed_rows(folder / name):
            (total,) = (row for row in rows if str(row[0]).startswith("合计"))
            assert set(map(str, total[1:])) == {"＊"}
    page = (folder / "index.html").read_text(encoding="utf-8")
    document = "\n".join(p.text for p in docx.Document(str(folder / "bulletin.docx")).paragraphs)
    for figure in ("2168", "2049", "18.94"):
        assert figure not in page and figure not in document
