"""The bulletin's files beyond their figures: bytes, form, template, notice, what is missing."""

import re
import shutil
import zipfile
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import docx
import duckdb
import pytest
from conftest import EXPORTS, PROJECT, hashes, hotline
from docx.oxml.ns import qn
from docx.shared import Mm
from pypdf import PdfReader
from python_calamine import CalamineWorkbook

from orchestration.cli.runner import RunOutcome
from orchestration.common.errors import InputError
from orchestration.common.settings import Home
from orchestration.publish.bulletin.content import describe
from orchestration.publish.bulletin.document import TEMPLATES, to_docx
from orchestration.publish.bulletin.model import Bulletin, Row, load_office, printed
from orchestration.publish.bulletin.publish import publish_bulletin
from orchestration.publish.bulletin.spreadsheet import to_xlsx

TEMPLATE = TEMPLATES / "bulletin.docx"
SETTINGS = PROJECT / "exports" / "bulletin" / "bulletin.yml"


def folder(home: Path) -> Path:
    return home / "published" / "bulletin" / "2022Q2"


def documents(home: Path) -> dict[str, str]:
    """The bulletin's files and their hashes; the pages beside them are the site's."""
    return {path: sha for path, sha in hashes(folder(home)).items() if path.startswith("bulletin.")}


def edit_mart(home: Path, mart: str, changes: str, where: str = "true") -> None:
    """Change rows of a published mart, as if the quarter had been another."""
    path = home / "published" / "parquet" / mart / "quarter=2022Q2" / f"{mart}.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"create table mart as from read_parquet('{path}')")
        connection.execute(f"update mart set {changes} where {where}")
        path.unlink()
        connection.execute(f"copy mart to '{path}'")


def text_of(path: Path) -> str:
    return "\n".join(paragraph.text for paragraph in docx.Document(str(path)).paragraphs)


@pytest.fixture(scope="module")
def content(published_home) -> Bulletin:
    office = load_office(SETTINGS)
    assert office is not None
    return describe(Home(published_home), EXPORTS, "2022Q2", office)


@pytest.fixture
def site(tmp_path, monkeypatch) -> Path:
    """A site with the project's settings for its bulletin, to be changed."""
    shutil.copytree(PROJECT / "exports" / "bulletin", tmp_path / "site" / "bulletin")
    monkeypatch.setenv("HOTLINE_SITE", str(tmp_path / "site"))
    return tmp_path / "site" / "bulletin"


def test_a_run_prints_where_the_bulletin_is(first_run):
    home, ran = first_run
    assert str(folder(home)) in ran.out
    assert sorted(documents(home)) == ["bulletin.docx", "bulletin.xlsx"]


def test_a_second_writing_gives_the_same_bytes(home):
    before = documents(home)
    shutil.rmtree(folder(home))
    publish_bulletin(Home(home), EXPORTS, "2022Q2")
    assert documents(home) == before


def test_the_documents_are_dated_as_the_publication(published_home, content):
    properties = docx.Document(str(folder(published_home) / "bulletin.docx")).core_properties
    assert properties.created == properties.modified == content.published_at
    assert properties.identifier == content.output_sha256


def test_an_unchanged_document_keeps_its_pdf_and_a_changed_one_loses_it(home, exports):
    pdf = folder(home) / "bulletin.pdf"
    pdf.write_bytes(b"%PDF")
    publish_bulletin(Home(home), exports, "2022Q2")
    assert pdf.exists()
    (exports / "2022Q2" / "notice.md").write_text("另一句话", encoding="utf-8")
    publish_bulletin(Home(home), exports, "2022Q2")
    assert not pdf.exists()
    assert sorted(documents(home)) == ["bulletin.docx", "bulletin.xlsx"]


def test_the_notice_of_the_exports_is_on_every_page_and_on_every_sheet(published_home):
    notice = (EXPORTS / "2022Q2" / "notice.md").read_text(encoding="utf-8").strip()
    (section,) = docx.Document(str(folder(published_home) / "bulletin.docx")).sections
    for header in (section.header, section.even_page_header):
        assert [paragraph.text for paragraph in header.paragraphs] == [notice]
    book = CalamineWorkbook.from_path(str(folder(published_home) / "bulletin.xlsx"))
    for sheet in book.sheet_names:
        assert book.get_sheet_by_name(sheet).to_python()[2][0] == notice


def test_exports_without_a_notice_make_a_bulletin_without_one(home, exports):
    (exports / "2022Q2" / "notice.md").unlink()
    publish_bulletin(Home(home), exports, "2022Q2")
    (section,) = docx.Document(str(folder(home) / "bulletin.docx")).sections
    assert [paragraph.text for paragraph in section.header.paragraphs] == [""]
    book = CalamineWorkbook.from_path(str(folder(home) / "bulletin.xlsx"))
    assert book.get_sheet_by_name("附件3").to_python()[2][0] == "单位名称"


def test_a_notice_that_is_no_utf8_is_refused(home, exports):
    (exports / "2022Q2" / "notice.md").write_text("样例", encoding="gb18030")
    with pytest.raises(InputError, match=r"bad_notice.*2022Q2/notice\.md"):
        publish_bulletin(Home(home), exports, "2022Q2")


def test_the_page_is_that_of_official_documents(published_home):
    document = docx.Document(str(folder(published_home) / "bulletin.docx"))
    (section,) = document.sections
    measures = (
        *(section.page_width, section.page_height),
        *(section.top_margin, section.bottom_margin, section.left_margin, section.right_margin),
    )
    # Word counts in twentieths of a point: up to 0.02 mm beside a whole millimetre.
    assert [round(measure / Mm(1)) for measure in measures] == [210, 297, 37, 35, 28, 26]
    fonts = {
        name: (
            document.styles[name].element.rPr.rFonts.get(qn("w:eastAsia")),
            document.styles[name].font.size.pt,
            document.styles[name].paragraph_format.line_spacing.pt,
        )
        for name in ("通报标题", "通报正文", "一级标题", "二级标题")
    }
    assert fonts == {
        "通报标题": ("方正小标宋简体", 22, 36),
        "通报正文": ("仿宋_GB2312", 16, 28),
        "一级标题": ("黑体", 16, 28),
        "二级标题": ("楷体_GB2312", 16, 28),
    }
    for footer in (section.footer, section.even_page_footer):
        assert "PAGE" in footer._element.xml


def test_table_headings_repeat_and_no_row_is_cut(published_home):
    document = docx.Document(str(folder(published_home) / "bulletin.docx"))
    repeated = []
    for table in document.tables:
        rows = [row._tr.trPr for row in table.rows]
        assert all(row.find(qn("w:cantSplit")) is not None for row in rows)
        repeated.append([row.find(qn("w:tblHeader")) is not None for row in rows].index(False))
    assert repeated == [1, 2, 1]


def test_the_sheets_print_on_one_page_width_with_repeated_headings(published_home):
    with zipfile.ZipFile(folder(published_home) / "bulletin.xlsx") as file:
        workbook = file.read("xl/workbook.xml").decode()
        sheets = [file.read(f"xl/worksheets/sheet{number}.xml").decode() for number in (1, 2, 3)]
        assert not any(re.search(r"<f[ >]", sheet) for sheet in sheets), "no formula"
    for number, heading_end in ((1, 4), (2, 5), (3, 4)):
        assert f"附件{number}!$1:${heading_end}<" in workbook, "rows to repeat"
        assert f"附件{number}!$A$1:$" in workbook, "print area"
        assert 'fitToHeight="0"' in sheets[number - 1]
        assert f'ySplit="{heading_end}"' in sheets[number - 1]


@pytest.mark.parametrize(
    "name", ["=1+1", "+86", "-1", "@SUM(A1)", "{{title}}", "http://example.org", "&<"]
)
def test_a_name_is_only_ever_a_name(content, name, tmp_path):
    appendix = content.appendices[2]
    (band,) = appendix.bands
    odd = replace(band, rows=(Row(name, band.rows[0].figures),))
    odd_content = replace(
        content, appendices=(*content.appendices[:2], replace(appendix, bands=(odd,)))
    )
    document, workbook = tmp_path / "b.docx", tmp_path / "b.xlsx"
    document.write_bytes(to_docx(odd_content, TEMPLATE))
    workbook.write_bytes(to_xlsx(odd_content))
    assert docx.Document(str(document)).tables[2].rows[1].cells[0].text == name
    lines = CalamineWorkbook.from_path(str(workbook)).get_sheet_by_name("附件3").to_python()
    assert lines[4] == [name, 9.0, 9.0, 0.0]


def test_a_template_with_an_unknown_placeholder_stops_before_any_file_changes(home, site):
    template = docx.Document(str(TEMPLATE))
    template.add_paragraph("本季度办结{{hotline.handeld_count}}件")
    template.save(str(site / "bulletin.docx"))
    before = documents(home)
    with pytest.raises(InputError) as error:
        publish_bulletin(Home(home), EXPORTS, "2022Q2")
    for word in ("bad_template", "bulletin/bulletin.docx", "{{hotline.handeld_count}}"):
        assert word in str(error.value)
    assert "hotline.handled_count" in error.value.expected
    assert documents(home) == before


@pytest.mark.parametrize("text", ["办结{{hotline.handled_count件", "见{{appendix_1}}"])
def test_a_broken_placeholder_never_reaches_the_bulletin(content, tmp_path, text):
    template = docx.Document(str(TEMPLATE))
    template.add_paragraph(text)
    template.save(str(tmp_path / "t.docx"))
    with pytest.raises(InputError, match="bad_template"):
        to_docx(content, tmp_path / "t.docx")


def test_a_template_that_is_no_word_file_is_refused(content, tmp_path):
    (tmp_path / "t.docx").write_text("no zip")
    with pytest.raises(InputError, match="bad_template"):
        to_docx(content, tmp_path / "t.docx")


def test_the_sites_template_wins_and_a_placeholder_may_be_cut_by_formats(home, site):
    template = docx.Document(str(TEMPLATE))
    paragraph = template.add_paragraph("办结")
    for piece in ("{{hot", "line.handled", "_count}}", "件，返工", "{{hotline.rework_count}}件"):
        paragraph.add_run(piece).bold = piece == "line.handled"
    template.save(str(site / "bulletin.docx"))
    publish_bulletin(Home(home), EXPORTS, "2022Q2")
    assert "办结2168件，返工60件" in text_of(folder(home) / "bulletin.docx")


def test_the_offices_words_and_distribution_are_its_own(home, site):
    (site / "bulletin.yml").write_text(
        "groups: {A: 甲类, other: 乙类}\n"
        "listed: 2\n"
        "distribution: [分送：各单位。]\n"
        "words: {2022Q2: {problems: [问题一。, 问题二。]}}\n",
        encoding="utf-8",
    )
    publish_bulletin(Home(home), EXPORTS, "2022Q2")
    text = text_of(folder(home) / "bulletin.docx")
    assert "二、存在问题\n问题一。\n问题二。\n三、工作要求\n【" in text
    assert text.endswith("分送：各单位。")
    assert "应办理数居前的是：云溪街道办事处（307件）、区人社局（259件）。" in text
    table = docx.Document(str(folder(home) / "bulletin.docx")).tables[0]
    assert [row.cells[1].text for row in table.rows if row.cells[1].text.endswith("类")] == [
        "甲类",
        "乙类",
    ]


def test_a_group_without_a_printed_label_is_refused(home, site):
    (site / "bulletin.yml").write_text("groups: {A: 甲类}\n", encoding="utf-8")
    with pytest.raises(InputError, match="unknown_group"):
        publish_bulletin(Home(home), EXPORTS, "2022Q2")


def test_unusable_settings_are_refused(home, site):
    (site / "bulletin.yml").write_text("groups: [A]\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"bad_bulletin_settings.*bulletin/bulletin\.yml"):
        publish_bulletin(Home(home), EXPORTS, "2022Q2")


def test_a_site_without_settings_makes_no_bulletin(home, site):
    (site / "bulletin.yml").unlink()
    assert publish_bulletin(Home(home), EXPORTS, "2022Q2") == []


def test_changes_ties_and_shared_names_in_the_overview(home):
    """A fall, a category at rest, one new; a tie goes by the office's order of units."""
    for category, change in (
        ("human_resources_social_security", "-0.0336"),
        ("housing_urban_rural_construction", "0"),
    ):
        changes = f"quarter_on_quarter_change = {change}"
        edit_mart(home, "hotline_category_quarter", changes, f"category = '{category}'")
    edit_mart(
        home,
        "hotline_unit_quarter",
        "due_count = 150",
        "unit_code in ('market_regulation', 'health', 'public_security_other')",
    )
    publish_bulletin(Home(home), EXPORTS, "2022Q2")
    text = text_of(folder(home) / "bulletin.docx")
    assert (
        "人力资源和社会保障类289件（环比下降3.36%）、住房与城乡建设类263件（与上季度持平）、"
        "环境保护类253件（环比增长194.19%）、市场管理类227件、" in text
    )
    assert (
        "云溪街道办事处（307件）、区人社局（259件）、区卫健局（150件）、区市场监管局（150件）、"
        "区公安分局（150件，其他单位）、交警云溪大队（120件）。" in text
    )


def test_a_rate_without_a_denominator_is_printed_as_the_policy_scores_it(home):
    with duckdb.connect(str(home / "hotline.duckdb")) as connection:
        connection.execute(
            "update rules.index_policy_item set rate_when_empty = 0.5 where component = 'rework'"
        )
    publish_bulletin(Home(home), EXPORTS, "2022Q2")
    rows = docx.Document(str(folder(home) / "bulletin.docx")).tables[0].rows
    (audit,) = [row for row in rows if row.cells[0].text == "区审计局"]
    assert [cell.text for cell in audit.cells[1:]] == [
        *("0", "0", "0%", "0", "0%", "0", "50%", "0", "0%", "40")
    ]


def test_each_column_prints_its_own_measure(home):
    """In the sample all is handled, and on time; here no two columns have the same figure."""
    hotline_figures = (
        "due_count = 900, handled_count = 800, completion_rate = 0.8889, on_time_count = 700, "
        "on_time_rate = 0.7778, rework_count = 6, rework_rate = 0.0067, dissatisfied_count = 5, "
        "dissatisfaction_rate = 0.25, callback_count = 20, composite_index = 61.5"
    )
    for mart, changes in (
        ("hotline_district_quarter", hotline_figures),
        ("hotline_unit_quarter", hotline_figures),
        (
            "mailbox_unit_quarter",
            "due_count = 90, handled_count = 80, on_time_count = 70, overdue_count = 20",
        ),
        ("suggestion_unit_quarter", "due_count = 90, on_time_count = 80, overdue_count = 10"),
    ):
        edit_mart(home, mart, changes)
    publish_bulletin(Home(home), EXPORTS, "2022Q2")
    tables = docx.Document(str(folder(home) / "bulletin.docx")).tables
    printed_rows = [[c.text for c in table.rows[2].cells[1:]] for table in tables]
    assert printed_rows == [
        ["900", "800", "88.89%", "700", "77.78%", "6", "0.67%", "5", "25%", "61.5"],
        ["90", "80", "70", "20"],
        ["90", "80", "10"],
    ]
    assert [c.text for c in tables[0].rows[-1].cells[1:]] == printed_rows[0]
    assert [[c.text for c in t.rows[-1].cells[1:]] for t in tables[1:]] == [
        [str(23 * figure) for figure in (90, 80, 70, 20)],
        [str(12 * figure) for figure in (90, 80, 10)],
    ]
    book = CalamineWorkbook.from_path(str(folder(home) / "bulletin.xlsx"))
    rows = [book.get_sheet_by_name(f"附件{n}").to_python()[5][1:] for n in (1, 2, 3)]
    assert rows == [
        [900, 800, 0.8889, 700, 0.7778, 6, 0.0067, 5, 0.25, 61.5],
        [90, 80, 70, 20],
        [90, 80, 10],
    ]


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (0, "count", "0"),
        (2168, "count", "2168"),
        (Decimal("0.2785"), "rate", "27.85%"),
        (Decimal("0.0190"), "rate", "1.9%"),
        (Decimal("0.0300"), "rate", "3%"),
        (Decimal("1.0000"), "rate", "100%"),
        (Decimal("0"), "rate", "0%"),
        (Decimal("1.9419"), "rate", "194.19%"),
        (Decimal("0.00005"), "rate", "0.01%"),
        (Decimal("95.0"), "index", "95"),
        (Decimal("100.0"), "index", "100"),
        (Decimal("95.65"), "index", "95.7"),
        (None, "rate", "—"),
    ],
)
def test_figures_are_printed_as_the_office_prints_them(value, kind, text):
    assert printed(value, kind) == text


@pytest.mark.parametrize("count", ["12345", "123456"])
def test_counts_of_a_large_city_are_whole_in_the_pdf(home, count):
    if not (shutil.which("soffice") or shutil.which("libreoffice")):
        pytest.skip("LibreOffice isn't installed, and nothing else makes the PDF")
    names = ("due", "handled", "on_time", "rework", "callback", "dissatisfied")
    changes = ", ".join(f"{name}_count = {count}" for name in names)
    edit_mart(home, "hotline_unit_quarter", changes)
    edit_mart(home, "hotline_district_quarter", changes)
    publish_bulletin(Home(home), EXPORTS, "2022Q2")
    ran = hotline("pdf", "2022Q2", home=home)
    assert ran.status == 0, ran.err
    pages = PdfReader(folder(home) / "bulletin.pdf").pages
    text = "\n".join(page.extract_text() for page in pages)
    whole = rf" {count} {count} \S+ {count} \S+ {count} \S+% {count} \S+% \S+$"
    assert len(re.findall(whole, text, re.MULTILINE)) == 55 + 1, "the units and the total"


def path_with(tmp_path: Path, **scripts: str) -> str:
    """A PATH with nothing but the given shell scripts."""
    for name, body in scripts.items():
        script = tmp_path / name.replace("_", "-")
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)
    return str(tmp_path)


@pytest.mark.parametrize(
    ("scripts", "words"),
    [
        ({}, ["no_libreoffice", "另存为 PDF"]),
        ({"soffice": "exit 0", "fc_list": "exit 0"}, ["no_chinese_font", "fonts-noto-cjk"]),
        ({"soffice": "echo broken >&2; exit 1", "fc_list": "echo SimHei"}, ["no_pdf", "broken"]),
    ],
)
def test_a_pdf_that_cannot_be_made_is_absent_and_said_so(home, tmp_path, scripts, words):
    tools = tmp_path / "tools"
    tools.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", path_with(tools, **scripts))
        ran = hotline("pdf", "2022Q2", home=home)
    assert ran.status == 2, ran.out + ran.err
    assert [word for word in words if word not in ran.err] == []
    assert "Traceback" not in ran.err
    assert sorted(documents(home)) == ["bulletin.docx", "bulletin.xlsx"]


def test_a_quarter_without_a_bulletin_has_no_pdf(tmp_path):
    ran = hotline("pdf", "2021Q4", home=tmp_path / "home")
    assert ran.status == 2
    assert "no_bulletin" in ran.err


def test_an_outcome_tells_published_marts_from_a_bulletin_that_failed():
    stages = [("published__marts", 1.0), ("published__bulletin", 0.1)]
    assert RunOutcome("r", False, stages, ["published__bulletin"]).files_published
    assert not RunOutcome("r", False, stages[:1], ["published__marts"]).files_published
    assert not RunOutcome("r", False, [("dbt", 1.0)], ["dbt"]).files_published
