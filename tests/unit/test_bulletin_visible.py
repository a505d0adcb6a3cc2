"""What a reader of a bulletin doesn't see isn't a figure, and what a reader sees isn't lost."""

import copy
import io
import re
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import docx
import pytest
import xlsxwriter
from bulletins import Style, html, published, sheets, word, write
from conftest import EXPORTS
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn
from rewrite import ods

from orchestration.common.errors import InputError
from orchestration.reading.document_blocks import clean, is_number
from orchestration.reading.documents import read_document
from orchestration.reading.layouts import load_layouts

LAYOUTS = load_layouts(EXPORTS / "layouts")
FIGURES = published()
PLAIN = Style()
WHO = 'w:id="5" w:author="a" w:date="2022-07-01T00:00:00Z"'


def read(path: Path) -> list[tuple[str, ...]]:
    return [figure.cells for figure in read_document(path, LAYOUTS, "2022Q2")]


@cache
def word_bytes() -> bytes:
    return word(FIGURES, PLAIN)


def element(xml: str):
    """An element of a Word document; `WHO` stands for a tracked change's author."""
    name, space, rest = re.match(r"(<w:\w+)([\s/>]?)(.*)", xml, re.DOTALL).groups()
    return parse_xml(f"{name} {nsdecls('w')}{space}{rest}".replace("WHO", WHO))


def properties(run, *parts: str) -> None:
    for part in parts:
        run._r.get_or_add_rPr().append(element(part))


def row_of(document, at=2):
    return document.tables[0].rows[at]


def first_cell(document):
    """The cell of the first count, and its one paragraph."""
    cell = row_of(document).cells[1]
    return cell, cell.paragraphs[0]


def planted_row(document, at: int = 2):
    """A copy of a unit's row with other figures, before it."""
    row = copy.deepcopy(row_of(document, at)._tr)
    for text in row.iter(qn("w:t")):
        if text.text.isdigit():
            text.text = "999"
    row_of(document, at)._tr.addprevious(row)
    return row


def style(document, name: str, kind: str, parts: str, based_on: str = "") -> None:
    basis = f'<w:basedOn w:val="{based_on}"/>' if based_on else ""
    document.styles.element.append(
        element(
            f'<w:style w:type="{kind}" w:styleId="{name}"><w:name w:val="{name}"/>{basis}'
            f"<w:rPr>{parts}</w:rPr></w:style>"
        )
    )


# Each changes a Word document so that a reader sees the same figures as before.


def deleted_row(document):
    planted_row(document).get_or_add_trPr().append(element("<w:del WHO/>"))


def moved_row(document):
    planted_row(document).get_or_add_trPr().append(element("<w:moveFrom WHO/>"))


def hidden_row(document):
    planted_row(document).get_or_add_trPr().append(element("<w:hidden/>"))


def row_of_deleted_text(document):
    row = planted_row(document)
    for run in list(row.iter(qn("w:r"))):
        around = element("<w:del WHO></w:del>")
        run.addprevious(around)
        around.append(run)


def deleted_cells(document):
    for row in document.tables[0].rows[1:]:
        extra = copy.deepcopy(row._tr.tc_lst[-1])
        extra.get_or_add_tcPr().append(element("<w:cellDel WHO/>"))
        row._tr.append(extra)


def deleted_digits(document):
    _, paragraph = first_cell(document)
    paragraph._p.append(element("<w:del WHO><w:r><w:delText>9</w:delText></w:r></w:del>"))
    paragraph._p.append(element("<w:del WHO><w:r><w:t>9</w:t></w:r></w:del>"))


def moved_digits(document):
    _, paragraph = first_cell(document)
    paragraph._p.append(element("<w:moveFrom WHO><w:r><w:t>9</w:t></w:r></w:moveFrom>"))


def inserted_digits(document):
    _, paragraph = first_cell(document)
    (run,) = paragraph.runs
    around = element("<w:ins WHO></w:ins>")
    run._r.addprevious(around)
    around.append(run._r)


def digits_moved_here(document):
    _, paragraph = first_cell(document)
    (run,) = paragraph.runs
    around = element("<w:moveTo WHO></w:moveTo>")
    run._r.addprevious(around)
    around.append(run._r)


def deleted_paragraph(document):
    paragraph = document.paragraphs[0].insert_paragraph_before("")
    paragraph._p.append(element("<w:del WHO><w:r><w:t>应办理12345工单999件</w:t></w:r></w:del>"))


def deleted_break_between_paragraphs(document):
    """A sentence cut in two, whose cut is a deletion: it is read as one."""
    whole = next(p for p in document.paragraphs if p.text.startswith("本期应办理"))
    first = whole.insert_paragraph_before(whole.text[:10])
    ends = first._p.get_or_add_pPr()
    ends.append(element("<w:rPr><w:del WHO/></w:rPr>"))
    whole.runs[0].text = whole.text[10:]


def hidden_digits(document):
    properties(first_cell(document)[1].add_run("9"), "<w:vanish/>")


def hidden_by_character_style(document):
    style(document, "Gone", "character", "<w:vanish/>")
    properties(first_cell(document)[1].add_run("9"), '<w:rStyle w:val="Gone"/>')


def hidden_by_the_style_below(document):
    style(document, "Gone", "character", "<w:vanish/>")
    style(document, "Child", "character", "", based_on="Gone")
    properties(first_cell(document)[1].add_run("9"), '<w:rStyle w:val="Child"/>')


def hidden_by_paragraph_style(document):
    style(document, "GoneParagraph", "paragraph", "<w:vanish/>")
    paragraph = document.paragraphs[0].insert_paragraph_before("应办理12345工单999件")
    paragraph._p.get_or_add_pPr().append(element('<w:pStyle w:val="GoneParagraph"/>'))


def shown_in_spite_of_a_style(document):
    style(document, "Gone", "character", "<w:vanish/>")
    _, paragraph = first_cell(document)
    properties(paragraph.runs[0], '<w:rStyle w:val="Gone"/>', '<w:vanish w:val="0"/>')


def hidden_on_the_web_only(document):
    properties(first_cell(document)[1].runs[0], "<w:webHidden/>")


def struck_digits(document):
    properties(first_cell(document)[1].add_run("9"), "<w:strike/>")


def doubly_struck_digits(document):
    properties(first_cell(document)[1].add_run("9"), '<w:dstrike w:val="true"/>')


def struck_by_style(document):
    style(document, "Struck", "character", "<w:strike/>")
    properties(first_cell(document)[1].add_run("9"), '<w:rStyle w:val="Struck"/>')


def struck_row(document):
    row = planted_row(document)
    for run in row.iter(qn("w:r")):
        run.get_or_add_rPr().append(element("<w:strike/>"))


def not_struck_after_all(document):
    properties(first_cell(document)[1].runs[0], '<w:strike w:val="0"/>')


def raised_mark(document):
    properties(first_cell(document)[1].add_run("1"), '<w:vertAlign w:val="superscript"/>')


def raised_mark_in_brackets(document):
    properties(first_cell(document)[1].add_run("[12]"), '<w:vertAlign w:val="superscript"/>')


def raised_mark_by_style(document):
    style(document, "Mark", "character", '<w:vertAlign w:val="superscript"/>')
    properties(first_cell(document)[1].add_run("1"), '<w:rStyle w:val="Mark"/>')


def mark_raised_by_hand(document):
    properties(first_cell(document)[1].add_run("1"), '<w:position w:val="8"/>')


def footnote(document):
    paragraph = first_cell(document)[1]
    paragraph._p.append(element('<w:r><w:footnoteReference w:id="1"/></w:r>'))


def footnote_with_its_own_mark(document):
    paragraph = first_cell(document)[1]
    paragraph._p.append(
        element('<w:r><w:footnoteReference w:customMarkFollows="1" w:id="1"/><w:t>1</w:t></w:r>')
    )


def mark_of_its_own_character(document):
    first_cell(document)[1].add_run("¹")


def mark_in_a_circle(document):
    first_cell(document)[1].add_run("①")


def thousands(separator: str) -> Callable[[object], None]:
    def change(document):
        for paragraph in [
            *document.paragraphs,
            *(p for row in document.tables[0].rows for cell in row.cells for p in cell.paragraphs),
        ]:
            for run in paragraph.runs:
                run.text = re.sub(r"(?<![\d.])(\d)(\d{3})(?=件|$)", rf"\1{separator}\2", run.text)

    change.__name__ = f"thousands_{separator!r}"
    return change


def wrapped(name: str, *inner: str) -> Callable[[object], None]:
    """A unit's row inside another element."""

    def change(document):
        row = row_of(document)._tr
        around = element(f"<w:{name}></w:{name}>")
        row.addprevious(around)
        for part in inner:
            around.append(element(f"<w:{part}/>"))
            around = around[-1]
        around.append(row)

    change.__name__ = f"row_in_{name}"
    return change


def cell_in_custom_xml(document):
    cell = row_of(document)._tr.tc_lst[1]
    around = element('<w:customXml w:element="x"></w:customXml>')
    cell.addprevious(around)
    around.append(cell)


def paragraph_in_a_control(document):
    paragraph = next(p for p in document.paragraphs if p.text.startswith("本期应办理"))._p
    around = element("<w:sdt><w:sdtContent/></w:sdt>")
    paragraph.addprevious(around)
    around[0].append(paragraph)


def digits_in_smart_tags(document):
    (run,) = first_cell(document)[1].runs
    around = element('<w:smartTag w:element="x"><w:customXml w:element="y"/></w:smartTag>')
    run._r.addprevious(around)
    around[0].append(run._r)


WORD = [
    deleted_row, moved_row, hidden_row, row_of_deleted_text, deleted_cells, deleted_digits,
    moved_digits, inserted_digits, digits_moved_here, deleted_paragraph,
    deleted_break_between_paragraphs, hidden_digits, hidden_by_character_style,
    hidden_by_the_style_below, hidden_by_paragraph_style, shown_in_spite_of_a_style,
    hidden_on_the_web_only, struck_digits, doubly_struck_digits, struck_by_style, struck_row,
    not_struck_after_all, raised_mark, raised_mark_in_brackets, raised_mark_by_style,
    mark_raised_by_hand, footnote, footnote_with_its_own_mark, mark_of_its_own_character,
    mark_in_a_circle, thousands(","), thousands("，"), thousands(" "), thousands("\u00a0"),
    thousands("'"), wrapped(['customXml', 'w:element="x"'][0]), wrapped("sdt", "sdtContent"),
    wrapped("ins"), wrapped("moveTo"), wrapped("customXml", "sdt", "sdtContent"),
    cell_in_custom_xml, paragraph_in_a_control, digits_in_smart_tags,
]  # fmt: skip


@pytest.mark.parametrize("change", WORD, ids=lambda change: change.__name__)
def test_a_word_document_is_read_as_it_is_seen(change, tmp_path):
    document = docx.Document(io.BytesIO(word_bytes()))
    change(document)
    document.save(tmp_path / "a.docx")
    assert read(tmp_path / "a.docx") == FIGURES


def only_a_raised_figure(document):
    properties(first_cell(document)[1].runs[0], '<w:vertAlign w:val="superscript"/>')


def a_raised_decimal(document):
    properties(first_cell(document)[1].add_run(".5"), '<w:vertAlign w:val="superscript"/>')


def decimals_raised(document):
    _, paragraph = first_cell(document)
    paragraph.add_run(".")
    properties(paragraph.add_run("5"), '<w:vertAlign w:val="superscript"/>')


def only_a_struck_figure(document):
    properties(first_cell(document)[1].runs[0], "<w:strike/>")


def only_a_hidden_figure(document):
    properties(first_cell(document)[1].runs[0], "<w:vanish/>")


def a_tracked_merge(document):
    row_of(document)._tr.tc_lst[1].get_or_add_tcPr().append(
        element('<w:cellMerge WHO w:vMerge="cont"/>')
    )


def two_figures_in_a_cell(document):
    first_cell(document)[0].add_paragraph("1")


def two_figures_apart_by_a_break(document):
    first_cell(document)[1].runs[0].add_break()
    first_cell(document)[1].add_run("1")


def odd_groups_of_digits(document):
    first_cell(document)[1].runs[0].text = "12,34"


def odd_groups_of_digits_in_a_sentence(document):
    for paragraph in document.paragraphs:
        for run in paragraph.runs:
            run.text = run.text.replace("2168件", "21,68件")


WORD_REFUSED = {
    only_a_raised_figure: "raised_figure", a_raised_decimal: "raised_figure",
    decimals_raised: "raised_figure", only_a_struck_figure: "blank_figure",
    only_a_hidden_figure: "blank_figure", a_tracked_merge: "tracked_cell_merge",
    two_figures_in_a_cell: "bad_figure", two_figures_apart_by_a_break: "bad_figure",
    odd_groups_of_digits: "bad_figure", odd_groups_of_digits_in_a_sentence: "unclear_figure",
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "code"), WORD_REFUSED.items(), ids=[change.__name__ for change in WORD_REFUSED]
)
def test_what_cant_be_told_of_a_word_document_is_refused(change, code, tmp_path):
    document = docx.Document(io.BytesIO(word_bytes()))
    change(document)
    document.save(tmp_path / "a.docx")
    with pytest.raises(InputError, match=code):
        read(tmp_path / "a.docx")


PAGE = html(FIGURES, PLAIN)
FIRST_ROW = re.search(
    r"<tr>(?:(?!</tr>).)*</tr>(?=<tr><td colspan=\"1\" rowspan=\"1\">[^<]+</td><td)", PAGE
)
COUNT = re.search(r"(<td[^>]*>)(\d+)(</td>)", PAGE)


def html_row(around: str) -> str:
    """The page with a row of other figures, somehow hidden: `ROW` stands for the row."""
    row = re.search(r"<tr>(?:<td[^>]*>[^<]*</td>){11}</tr>", PAGE[COUNT.start() - 300 :])[0]
    planted = re.sub(r"(<td[^>]*>)\d+(</td>)", r"\g<1>999\2", row)
    return PAGE.replace(row, around.replace("ROW", planted[4:-5]) + row, 1)


def html_count(after: str, before: str = "", head: str = "") -> str:
    """The page with something beside its first count, and maybe a style sheet."""
    opening, value, closing = COUNT.groups()
    page = PAGE.replace(COUNT[0], opening + before + value + after + closing, 1)
    return page.replace("<body>", f"<head><style>{head}</style></head><body>", 1)


HTML = {
    "a row that isn't displayed": html_row("<tr style='display: none'>ROW</tr>"),
    "a row that isn't visible": html_row("<tr style='visibility:hidden'>ROW</tr>"),
    "a collapsed row": html_row("<tr style='color:red;VISIBILITY : collapse'>ROW</tr>"),
    "a row with hidden": html_row("<tr hidden>ROW</tr>"),
    "a row in a hidden body": html_row("</tbody><tbody hidden=''><tr>ROW</tr></tbody><tbody>"),
    "a row in a template": html_row("<template><tr>ROW</tr></template>"),
    "a row in a comment": html_row("<!-- <tr>ROW</tr> -->"),
    "a row for Word alone": html_row("<!--[if mso]><tr>ROW</tr><![endif]-->"),
    "a row hidden in Word": html_row("<tr style='mso-hide:all'>ROW</tr>"),
    "a row hidden by its class": html_row("<style>.x{display:none}</style><tr class=x>ROW</tr>"),
    "digits not displayed": html_count('<span style="display:none">9</span>'),
    "digits without size": html_count('<span style="font-size:0">9</span>'),
    "digits without opacity": html_count('<span style="opacity: 0;">9</span>'),
    "digits in a script": html_count("<script>9</script>"),
    "digits without script": html_count("<noscript>9</noscript>"),
    "digits hidden by id": html_count('<b id="x">9</b>', head="b#x, i { display : none }"),
    "digits hidden by tag": html_count("<em>9</em>", head="/* x */ em{visibility:hidden}"),
    "hidden on paper only": html_count("", head="@media print { td {display:none} .y{color:red} }"),
    "a dialog": html_count("<dialog>9</dialog>"),
    "s": html_count("<s>9</s>"),
    "del": html_count("<del>9</del>"),
    "strike, before": html_count("", "<strike>306</strike> "),
    "struck by style": html_count('<u style="text-decoration: underline line-through">9</u>'),
    "struck by a line's style": html_count("<u style='text-decoration-line:line-through'>9</u>"),
    "struck by a class": html_count("<u class=b>9</u>", head=".b{text-decoration:line-through}"),
    "inserted": html_count("", "<ins></ins>"),
    "sup": html_count("<sup>1</sup>"),
    "sup with a link": html_count("<sup><a href='#1'>[1]</a></sup>"),
    "sup with a list": html_count("<sup>1,2</sup>"),
    "sub": html_count("<sub>1</sub>"),
    "raised by style": html_count("<span style='vertical-align:super'>1</span>"),
    "raised by class": html_count("<i class=fn>1</i>", head=".fn{vertical-align:super}"),
    "a raised character": html_count("¹²"),
    "a circle": html_count("①"),
    "brackets": html_count("[1]"),
    "a star": html_count("<sup>*</sup>"),
    **{
        f"thousands with {separator!r}": re.sub(
            r"(?<![\d.])(\d)(\d{3})(?=件|</td>)", rf"\1{separator}\2", PAGE
        )
        for separator in (",", "，", " ", "&nbsp;", "\u202f", "’")
    },
    "a figure's mark in a sentence": PAGE.replace("2168件", "2168<sup>1</sup>件"),
    "a struck figure in a sentence": PAGE.replace("2168件", "<s>2169</s>2168件"),
    "a hidden figure in a sentence": PAGE.replace("2168件", "2168<i hidden>9</i>件"),
}  # fmt: skip


@pytest.mark.parametrize("page", HTML.values(), ids=HTML)
def test_a_page_is_read_as_it_is_seen(page, tmp_path):
    assert page != PAGE or "inserted" in page
    assert read(write(tmp_path, "a.html", page)) == FIGURES


HTML_REFUSED = {
    "only a raised figure": (html_count("</sup>", "<sup>"), "raised_figure"),
    "a raised decimal": (html_count("<sup>.5</sup>"), "raised_figure"),
    "only a struck figure": (html_count("</del>", "<del>"), "blank_figure"),
    "only a hidden figure": (html_count("</b>", "<b hidden>"), "blank_figure"),
    "two lines": (html_count("<br>1"), "bad_figure"),
    "two paragraphs": (html_count("<p>1</p>"), "bad_figure"),
    "a list": (html_count("<ul><li>1</li></ul>"), "bad_figure"),
    "a rule that isn't simple": (
        html_count("<i>9</i>", head="table td > i:nth-child(1) {display:none}"),
        "hiding_style",
    ),
    "a hidden column": (
        PAGE.replace("<table>", "<table><col style='visibility:collapse'>", 1),
        "hidden_column",
    ),
    "odd groups": (PAGE.replace("2168件", "21,68件"), "unclear_figure"),
}  # fmt: skip


@pytest.mark.parametrize(("page", "code"), HTML_REFUSED.values(), ids=HTML_REFUSED)
def test_what_cant_be_told_of_a_page_is_refused(page, code, tmp_path):
    with pytest.raises(InputError, match=code):
        read(write(tmp_path, "a.html", page))


Edit = Callable[[xlsxwriter.Workbook, dict[str, xlsxwriter.worksheet.Worksheet]], None]


def workbook_with(change: Edit, separator: str = "") -> bytes:
    """A workbook of text cells, a sheet a table, and something done to it."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        found = {}
        for name, rows in sheets(FIGURES).items():
            found[name] = sheet = book.add_worksheet(name)
            for at, row in enumerate(rows):
                for column, text in enumerate(row):
                    if separator:
                        text = re.sub(r"(?<![\d.])(\d)(\d{3})(?=件|$)", rf"\1{separator}\2", text)
                    sheet.write_string(at, column, text)
        change(book, found)
    return buffer.getvalue()


HIDDEN = {"hidden": True}
SHEET = "附件1"
ROWS = sheets(FIGURES)[SHEET]
UNIT = next(at for at, row in enumerate(ROWS) if at > 2 and len(row) > 2)
VALUE = ROWS[UNIT][1]


def last_quarter(state: str) -> Edit:
    def change(book, _):
        sheet = book.add_worksheet("上季度")
        for at, row in enumerate(ROWS):
            sheet.write_row(at, 0, ["1" if cell.isdigit() else cell for cell in row])
        getattr(sheet, state)()

    return change


def planted(hide: Callable[[object, int], None]) -> Edit:
    """A row of other figures below the last, hidden somehow."""

    def change(_, found):
        at = len(ROWS)
        found[SHEET].write_row(at, 0, ["1" if cell.isdigit() else cell for cell in ROWS[UNIT]])
        hide(found[SHEET], at)

    return change


def hidden_column(_, found):
    for at in range(1, len(ROWS)):
        found[SHEET].write_string(at, 11, "备用" if at == 1 else "999")
    found[SHEET].set_column(11, 11, None, None, {"hidden": True})


def column_between(_, found):
    """Hidden in the midst of the table."""
    for at, row in enumerate(ROWS[1:], start=1):
        for column, text in enumerate(row):
            found[SHEET].write_string(at, column + (column > 3), text)
        if len(row) > 2:
            found[SHEET].write_string(at, 4, "备用" if at == 1 else "999")
    found[SHEET].set_column(4, 4, 0)


def struck_row_of_a_sheet(book, found):
    struck = book.add_format({"font_strikeout": True})
    for column, cell in enumerate(ROWS[UNIT]):
        found[SHEET].write_string(len(ROWS), column, cell, struck)


def rich(*parts: object) -> Edit:
    def change(book, found):
        formats = {
            "struck": book.add_format({"font_strikeout": True}),
            "raised": book.add_format({"font_script": 1}),
            "lowered": book.add_format({"font_script": 2}),
            "bold": book.add_format({"bold": True}),
        }
        found[SHEET].write_rich_string(UNIT, 1, *(formats.get(part, part) for part in parts))

    return change


def circled(_, found):
    found[SHEET].write_string(UNIT, 1, f"{VALUE}①")


XLSX = {
    "a hidden sheet": workbook_with(last_quarter("hide")),
    "a very hidden sheet": workbook_with(last_quarter("very_hidden")),
    "a hidden row": workbook_with(planted(lambda s, at: s.set_row(at, 15, None, HIDDEN))),
    "a row without height": workbook_with(planted(lambda s, at: s.set_row(at, 0))),
    "a folded row": workbook_with(
        planted(lambda s, at: s.set_row(at, 15, None, HIDDEN | {"level": 1}))
    ),
    "a hidden column": workbook_with(hidden_column),
    "a column without width": workbook_with(column_between),
    "a struck row": workbook_with(struck_row_of_a_sheet),
    "struck digits": workbook_with(rich("struck", "999", VALUE)),
    "a raised mark": workbook_with(rich(VALUE, "raised", "1")),
    "a lowered mark": workbook_with(rich("bold", VALUE, "lowered", "[2]")),
    "bold digits": workbook_with(rich("bold", VALUE[:1], VALUE[1:])),
    "a circle": workbook_with(circled),
    **{
        f"thousands with {separator!r}": workbook_with(lambda *_: None, separator)
        for separator in (",", "，", " ", "\u00a0")
    },
}  # fmt: skip


@pytest.mark.parametrize("content", XLSX.values(), ids=XLSX)
def test_a_workbook_is_read_as_it_is_seen(content, tmp_path):
    assert read(write(tmp_path, "a.xlsx", content)) == FIGURES


def test_the_rows_below_a_hidden_one_keep_their_numbers(tmp_path):
    def change(_, found):
        found[SHEET].write_string(UNIT + 2, 1, "约三百")
        found[SHEET].write_string(UNIT + 1, 1, "约三百")
        found[SHEET].set_row(UNIT + 1, None, None, {"hidden": True})

    with pytest.raises(InputError, match="bad_figure") as refused:
        read(write(tmp_path, "a.xlsx", workbook_with(change)))
    assert refused.value.row == UNIT + 3


def test_a_workbook_of_another_program_with_something_hidden_is_refused(tmp_path):
    plain = ods(sheets(FIGURES))
    for mark in (
        b'<table:table-row table:visibility="collapse">',
        b'<table:table-row table:visibility="filter">',
        b'<x style:text-line-through-style="solid"/><table:table-row>',
        b'<x style:text-position="super 58%"/><table:table-row>',
    ):  # fmt: skip
        buffer = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(plain)) as old, zipfile.ZipFile(buffer, "w") as new:
            for name in old.namelist():
                data = old.read(name)
                if name == "content.xml":
                    assert b"<table:table-row>" in data
                    data = data.replace(b"<table:table-row>", mark, 1)
                new.writestr(name, data)
        with pytest.raises(InputError, match="hidden_content"):
            read(write(tmp_path, "a.ods", buffer.getvalue()))


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("2,168", "2168"), ("1,234,567", "1234567"), ("2,168.5", "2168.5"), ("-2,168", "-2168"),
        ("２，１６８", "2168"), ("2 168", "2168"), ("1 234 567", "1234567"), ("2’168件", "2168件"),
        ("12,34", "12,34"), ("1,2345", "1,2345"), ("1234,567", "1234,567"), ("1,234,5", "1,234,5"),
        ("拨打12345，168件已办", "拨打12345，168件已办"),
        ("为112，168，300件", "为112，168，300件"),
        ("办结2，168件", "办结2168件"), ("307¹", "307"), ("95.7①", "95.7"), ("100%［2］", "100%"),
        ("第2季度①热线", "第2季度①热线"), ("307\n1", "307／1"), ("第二\n季度", "第二季度"),
    ],
)  # fmt: skip
def test_separators_and_marks(text, cleaned):
    assert clean(text) == cleaned


@pytest.mark.parametrize("text", ["12,34", "1,2345", "307／1", "2,168", "٣٠٧", "307¹"])
def test_what_isnt_a_plain_number_is_none(text):
    assert not is_number(text)
