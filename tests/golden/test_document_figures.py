"""Every figure of the bulletin's documents, read back: from Word, Excel and PDF, against the marts.

What is expected is made here, from the published marts and the printed document of the office, and
not with the code that writes the documents.
"""

import csv
import re
import shutil
from collections import Counter
from decimal import Decimal
from pathlib import Path

import docx
import pytest
from conftest import EXPORTS, PROJECT, hotline, read
from pypdf import PdfReader
from python_calamine import CalamineWorkbook

FIGURES_OF_APPENDICES = 56 * 10 + 24 * 4 + 13 * 3
GROUPS = {"A": "综合评价A类单位", "other": "其他单位"}
HOTLINE = (
    "due_count, handled_count, completion_rate, on_time_count, on_time_rate, rework_count, "
    "rework_rate, dissatisfied_count, dissatisfaction_rate, composite_index"
)
TOTALS = ("合计（55）", "合计", "合计")


def bulletin(home: Path, suffix: str) -> Path:
    return home / "published" / "bulletin" / "2022Q2" / f"bulletin.{suffix}"


def text_of(value: Decimal | int | None) -> str:
    """Marts to print: no rate without a denominator, which the method of 2022 counts as 0%."""
    if value is None:
        return "0%"
    if isinstance(value, int):
        return str(value)
    if value.as_tuple().exponent == -4:
        return f"{100 * value:.2f}".rstrip("0").rstrip(".") + "%"
    return f"{value:f}".removesuffix(".0")


Rows = dict[tuple[str, str], list[str]]


@pytest.fixture(scope="module")
def marts(published_home) -> list[Rows]:
    """The three appendices as (group, name) → printed figures."""
    units = read(
        published_home,
        f"select evaluation_group, unit_name, {HOTLINE} from marts.hotline_unit_quarter",
    )
    district = read(published_home, f"select {HOTLINE} from marts.hotline_district_quarter")
    letters = read(
        published_home,
        "select '', unit_name, due_count, handled_count, on_time_count, overdue_count "
        "from marts.mailbox_unit_quarter",
    )
    suggestions = read(
        published_home,
        "select '', unit_name, due_count, on_time_count, overdue_count "
        "from marts.suggestion_unit_quarter",
    )
    mailbox, suggestion = (
        read(
            published_home,
            f"select {columns}, assignment_count - on_time_count "
            f"from marts.channel_quarter where channel = '{channel}'",
        )
        for channel, columns in (
            ("mailbox", "assignment_count, handled_count, on_time_count"),
            ("suggestion", "assignment_count, on_time_count"),
        )
    )
    tables = []
    for rows, total, label in zip(
        (units, letters, suggestions), (district, mailbox, suggestion), TOTALS, strict=True
    ):
        table = {(GROUPS.get(row[0], ""), row[1]): [text_of(v) for v in row[2:]] for row in rows}
        assert len(table) == len(rows)
        table["", label] = [text_of(value) for value in total[0]]
        tables.append(table)
    assert sum(len(row) for table in tables for row in table.values()) == FIGURES_OF_APPENDICES
    return tables


def appendices(lines: list[list[str]], heading_count: int) -> Rows:
    """Lines of a table to (group, name) → cells; a line that says one thing is a group's."""
    table: Rows = {}
    group = ""
    for line in lines[heading_count:]:
        if len(set(line)) == 1 or not any(line[1:]):
            group = line[0]
            continue
        key = ("" if line[0] in TOTALS else group, line[0])
        assert key not in table
        table[key] = line[1:]
    return table


@pytest.fixture(scope="module")
def word(published_home) -> docx.document.Document:
    return docx.Document(str(bulletin(published_home, "docx")))


@pytest.fixture(scope="module")
def word_tables(word) -> list[Rows]:
    return [
        appendices([[cell.text for cell in row.cells] for row in table.rows], headings)
        for table, headings in zip(word.tables, (1, 2, 1), strict=True)
    ]


def test_word_has_every_figure_of_the_marts(word_tables, marts):
    assert word_tables == marts


def test_the_evaluated_units_are_those_with_something_due(word):
    """Appendix 1 of the published document lists 55 units; 11 of them had no ticket due."""
    with (EXPORTS / "2022Q2" / "bulletin.csv").open(encoding="utf-8-sig", newline="") as file:
        due = [
            row["printed_value"]
            for row in csv.DictReader(file)
            if (row["table"], row["measure"]) == ("appendix_1", "应办理数")
            and not row["printed_name"].startswith("合计")
        ]
    assert (len(due), due.count("0")) == (55, 11)
    text = "".join(paragraph.text for paragraph in word.paragraphs)
    assert "参加综合评价的单位44个，" in text


def test_excel_has_every_figure_of_the_marts_as_a_number(published_home, marts):
    book = CalamineWorkbook.from_path(str(bulletin(published_home, "xlsx")))
    assert book.sheet_names == ["附件1", "附件2", "附件3"]
    compared = 0
    for sheet, headings, expected in zip(book.sheet_names, (1, 2, 1), marts, strict=True):
        # Above the headings stand number, title and notice.
        lines = book.get_sheet_by_name(sheet).to_python(skip_empty_area=False)[3:]
        table = appendices(lines, headings)
        assert table.keys() == expected.keys()
        for key, cells in table.items():
            for cell, text in zip(cells, expected[key], strict=True):
                assert isinstance(cell, float), (key, cell)
                scale = 100 if text.endswith("%") else 1
                assert Decimal(str(cell)) == Decimal(text.removesuffix("%")) / scale, key
                compared += 1
    assert compared == FIGURES_OF_APPENDICES


@pytest.fixture(scope="module")
def pdf(published_home, tmp_path_factory) -> Path:
    if not (shutil.which("soffice") or shutil.which("libreoffice")):
        pytest.skip("LibreOffice isn't installed, and nothing else makes the PDF")
    home = tmp_path_factory.mktemp("pdf") / "home"
    shutil.copytree(published_home / "published" / "bulletin", home / "published" / "bulletin")
    ran = hotline("pdf", "2022Q2", home=home)
    assert ran.status == 0, ran.err
    assert "已生成" in ran.out
    return bulletin(home, "pdf")


def test_pdf_has_every_figure_of_the_marts(pdf, marts, word, word_tables):
    pages = "".join(page.extract_text() for page in PdfReader(pdf).pages)
    text = re.sub(r"\s", "", pages)
    position = compared = 0
    for table, expected in zip(word_tables, marts, strict=True):
        for group, name in table:  # in the document's order; raises where a row isn't next
            figures = expected[group, name]
            line = name + "".join(figures)
            position = text.index(line, position) + len(line)
            compared += len(figures)
    assert compared == FIGURES_OF_APPENDICES
    # Page numbers and notices come between the lines.
    sentences = [s for p in overview(word) for s in re.split("[。；、]", re.sub(r"\s", "", p)) if s]
    pageless = re.sub(r"—\d+—(样例数据：[^。]*。)?", "", text)
    assert [s for s in sentences if s not in pageless] == []


def test_the_pdf_breaks_no_figure_over_two_lines(pdf, marts):
    """Whatever typeface stands in for Times New Roman on this machine."""
    pages = "\n".join(page.extract_text() for page in PdfReader(pdf).pages)
    lines = {line.replace(" ", "") for line in pages.splitlines()}
    spaced = [re.sub(r"\s+", " ", line) for line in pages.splitlines()]
    for table in marts:
        for (_, name), figures in table.items():
            cells = " ".join(figures)
            assert any(line.endswith(cells) for line in spaced), (name, cells)
    assert "%" not in lines


def test_the_pdf_of_the_same_document_is_not_made_again(pdf):
    before = pdf.stat().st_mtime_ns
    assert "沿用已有的" in hotline("pdf", "2022Q2", home=pdf.parents[3]).out
    assert pdf.stat().st_mtime_ns == before


def overview(word: docx.document.Document) -> list[str]:
    """The paragraphs with figures: from the first heading to the office's own words."""
    texts = [paragraph.text for paragraph in word.paragraphs]
    start, end = texts.index("一、总体情况"), texts.index("二、存在问题")
    return [text for text in texts[start:end] if not text.startswith(("一、", "（"))]


def test_the_overview_says_what_the_marts_say(word, published_home):
    (district,) = read(
        published_home,
        "select due_count, handled_count, completion_rate, on_time_count, on_time_rate, "
        "rework_count, rework_rate, callback_count, dissatisfied_count, dissatisfaction_rate, "
        "satisfaction_rate, (select count(*) from marts.hotline_unit_quarter where is_rated), "
        "composite_index from marts.hotline_district_quarter",
    )
    types = read(
        published_home,
        "select ticket_count from marts.hotline_request_type_quarter order by array_position("
        "['complaint', 'inquiry', 'help', 'suggestion', 'praise', 'report', 'untyped'], "
        "request_type)",
    )
    categories = read(
        published_home,
        "select ticket_count, quarter_on_quarter_change from marts.hotline_category_quarter "
        "where category != 'other' order by ticket_count desc limit 6",
    )
    units = read(
        published_home,
        "select due_count from marts.hotline_unit_quarter order by due_count desc limit 6",
    )
    ((letters, handled, on_time, satisfaction),) = read(
        published_home,
        "select assignment_count, handled_count, on_time_count, satisfaction_rate "
        "from marts.channel_quarter where channel = 'mailbox'",
    )
    (suggestion,) = read(
        published_home,
        "select distinct_item_count, assignment_count, on_time_count, "
        "assignment_count - on_time_count from marts.channel_quarter where channel = 'suggestion'",
    )
    mailbox = (letters, handled, Decimal("1.0000"), on_time, letters - on_time, satisfaction)
    expected = [
        text_of(value)
        for row in (district, *types, *categories, *units, mailbox, suggestion)
        for value in row
        if value is not None
    ]
    found = [
        number
        for paragraph in overview(word)
        for number in re.findall(r"(?<![A-Z])\d+(?:\.\d+)?%?", paragraph)
    ]
    assert found == expected
    assert len(found) == 43


def printed() -> list[dict[str, str]]:
    with (EXPORTS / "2022Q2" / "bulletin.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def registered() -> dict[tuple[str, str], str]:
    """(printed name, printed group) → the unit's registered name, straight from the seeds."""

    def seed(name: str) -> list[dict[str, str]]:
        path = PROJECT / "dbt_project" / "seeds" / f"{name}.csv"
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    names = {row["unit_code"]: row["unit_name"] for row in seed("unit")}
    return {
        (row["alias_name"], GROUPS.get(row["evaluation_group"], "")): names[row["unit_code"]]
        for row in seed("unit_alias")
    }


def test_the_appendices_are_those_that_the_office_printed(word_tables, registered):
    """All printed cells, in the office's columns; in appendix 1 its units in its order, too."""
    columns = [list(dict.fromkeys(measures)) for measures in ([], [], [])]
    rows: list[dict[tuple[str, str], list[str]]] = [{}, {}, {}]
    compared: Counter[str] = Counter()
    for entry in printed():
        if not entry["table"].startswith("appendix"):
            continue
        number = int(entry["table"][-1]) - 1
        name, group = entry["printed_name"], entry["printed_group"]
        unit = registered.get((name, group)) or registered.get((name, ""), name)
        group = "" if name in TOTALS else group
        rows[number].setdefault((group, unit), []).append(entry["printed_value"])
        if entry["measure"] not in columns[number]:
            columns[number].append(entry["measure"])
        compared[entry["table"]] += 1
    assert compared == {"appendix_1": 560, "appendix_2": 72, "appendix_3": 26}
    # The office leaves the last column of appendices 2 and 3 blank where nothing is overdue; here
    # it is a 0.
    written = [
        {key: row[: len(head)] for key, row in table.items()}
        for table, head in zip(word_tables, columns, strict=True)
    ]
    assert written == rows
    assert list(written[0]) == list(rows[0])
    # Ties in the other two are in no order that could be told: these have that of appendix 1.
    for ours, theirs in zip(written[1:], rows[1:], strict=True):
        assert [row[0] for row in ours.values()] == [row[0] for row in theirs.values()]


def test_the_headings_are_those_that_the_office_printed(word):
    headings = [[cell.text for cell in row.cells] for t in word.tables for row in t.rows[:2]]
    assert headings[0] == [
        *("部门名称", "应办理数", "办理数", "办结率", "按期办理数", "按期办结率", "返工数"),
        *("返工率", "回访不满意数", "回访不满意率", "综合指标值"),
    ]
    assert headings[2] == ["单位名称", "应办理数", "已办结数", "其中", "其中"]
    assert headings[3] == ["单位名称", "应办理数", "已办结数", "按期办结", "超期办结"]
    assert headings[4] == ["单位名称", "应办理数", "按期办理数", "超期未办数"]


def test_the_overview_has_the_offices_figures_but_for_its_contradictions(word):
    """The text of the office disagrees with its own appendix on six units; last year isn't ours."""
    text = "".join(overview(word))
    phrases = {
        "应办理工单数": "应办理工单{}件",
        "工单办结率": "办结率{}；按期",
        "按期办结率": "按期办结率{}",
        "群众满意率": "群众满意率{}",
        "应办理信件数": "应办理信件{}件",
        "已办理数": "办结{}件",
        "应办理数": "交办微建议{}件",
        "办结率": "办结率{}；按期",
        "环比增长": "{name}253件（环比增长{}）",
        "件数": "{name}{}件",
        "办件量": "{name}（{}件",
        "交办数": "交办{}条",
        "满意率": "满意率{}",
    }
    missing, found = set(), 0
    for entry in printed():
        if entry["table"] == "text":
            name, value = entry["printed_name"], entry["printed_value"]
            if phrases[entry["measure"]].format(value, name=name) in text:
                found += 1
            else:
                missing.add((name, value))
    assert missing == {
        ("云溪街道办事处", "287"),
        ("区人社局", "246"),
        ("区卫健局", "159"),
        ("区市场监管局", "158"),
        ("交警云溪大队", "115"),
        ("区生态环境分局", "102"),
        ("去年来政协微建议", "105"),
        ("去年来政协微建议", "100"),
        ("去年来政协微建议", "95.24%"),
        ("去年来政协微建议", "98%"),
    }
    assert found == 22
