"""A bulletin in any form that an office writes gives the figures that were written into it."""

import io
import re
import time
import zipfile

import docx
import pytest
from bulletins import (
    Style,
    bare_text,
    html,
    published,
    sheets,
    tab_led_text,
    tab_row_text,
    word,
    workbook,
    write,
)
from conftest import EXPORTS
from rewrite import ods, xls

from orchestration.common.errors import InputError
from orchestration.reading.document_blocks import clean
from orchestration.reading.documents import read_document
from orchestration.reading.layouts import load_layouts

LAYOUTS = load_layouts(EXPORTS / "layouts")
FIGURES = published()
PLAIN, THREE = Style(), Style(header_rows=3)
PAIRS, LINES, ROWS = Style(2, units_across=2), Style(2, wrap="lines"), Style(3, wrap="rows")


def one_decimal(figures):
    """All percentages with one decimal, none with zeros cut off."""
    return [
        (*row, f"{float(value[:-1]):.1f}%" if value.endswith("%") else value)
        for *row, value in figures
    ]


def read(path, quarter="2022Q2"):
    return [figure.cells for figure in read_document(path, LAYOUTS, quarter)]


FORMS = {
    "tab-led": ("a.txt", lambda: tab_led_text(FIGURES, PLAIN), "utf-8"),
    "tab-led-gb18030": ("a.txt", lambda: tab_led_text(FIGURES, PLAIN), "gb18030"),
    "tab-led-utf-16": ("a.txt", lambda: tab_led_text(FIGURES, PLAIN), "utf-16"),
    "tab-rows": ("a.txt", lambda: tab_row_text(FIGURES, PLAIN), "utf-8-sig"),
    "bare-cells": ("a.txt", lambda: bare_text(FIGURES, PLAIN), "utf-8"),
    "html": ("a.html", lambda: html(FIGURES, PLAIN), "utf-8"),
    "html-gb18030": ("a.htm", lambda: html(FIGURES, THREE), "gb18030"),
    "html-pairs": ("a.html", lambda: html(FIGURES, PAIRS), "utf-8"),
    "html-wrapped-lines": ("a.html", lambda: html(FIGURES, LINES), "utf-8"),
    "html-wrapped-rows": ("a.html", lambda: html(FIGURES, ROWS), "utf-8"),
    "word": ("a.docx", lambda: word(FIGURES, PLAIN), None),
    "word-three-row-header": ("a.docx", lambda: word(FIGURES, THREE), None),
    "word-pairs": ("a.docx", lambda: word(FIGURES, PAIRS), None),
    "word-wrapped-lines": ("a.docx", lambda: word(FIGURES, LINES), None),
    "word-wrapped-rows": ("a.docx", lambda: word(FIGURES, ROWS), None),
    "xlsx": ("a.xlsx", lambda: workbook(FIGURES, PLAIN), None),
    "xlsx-three-row-header": ("a.xlsx", lambda: workbook(FIGURES, THREE), None),
    "xlsx-pairs": ("a.xlsx", lambda: workbook(FIGURES, PAIRS), None),
    "xlsx-wrapped-rows": ("a.xlsx", lambda: workbook(FIGURES, ROWS), None),
    "xlsx-numbers": ("a.xlsx", lambda: workbook(FIGURES, THREE, as_numbers=True), None),
    "ods": ("a.ods", lambda: ods(sheets(FIGURES)), None),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_figures_back(form, tmp_path):
    name, content, encoding = FORMS[form]
    assert read(write(tmp_path, name, content(), encoding)) == FIGURES


def test_percentages_keep_their_decimals_and_lose_a_doubled_sign(tmp_path):
    figures = one_decimal(FIGURES)
    assert ("2022Q2", "appendix_1", "56", "", "合计（55）", "返工率", "2.8%") in figures
    assert read(write(tmp_path, "a.txt", tab_led_text(figures, PLAIN))) == figures
    doubled = html(FIGURES, PLAIN).replace("2.77%", "2.77%%").replace("27.85%", "２７．８５％")
    assert read(write(tmp_path, "a.html", doubled)) == FIGURES


def test_a_fall_is_negative_and_a_sentence_that_two_patterns_read_counts_once(tmp_path):
    layout = LAYOUTS[0]
    fall = layout.text[-1].model_copy(
        update={"within": ".+", "find": ("下降(?P<value>[\\d.]+%)",), "subject": "投诉类",
                "measure": "环比增长", "falls": True}
    )  # fmt: skip
    overlapping = layout.text[0].model_copy(
        update={"find": ("工单(?P<value>\\d+)件", "应办理12345\\D*工单(?P<value>\\d+)件")}
    )
    layouts = [layout.model_copy(update={"text": (overlapping, *layout.text[1:], fall)})]
    text = tab_led_text(FIGURES, PLAIN).replace("下一步", "投诉类下降3.5%。下一步")
    figures = read_document(write(tmp_path, "a.txt", text), layouts, "")
    assert len(figures) == 691
    assert [figure.value for figure in figures if figure.name == "投诉类"] == ["834", "-3.5%"]


def test_a_header_may_be_cut_over_its_rows(tmp_path):
    """回访 stands over 不满意数 and 不满意率, which means more than 办理情况 over 办结率 does."""
    page = html(FIGURES, Style(2))
    for old, new in (
        (
            'colspan="10" rowspan="1">办理情况',
            'colspan="7">办理情况</td><td colspan="2">回访</td><td>',
        ),
        ("回访不满意数", "不满意数"),
        ("回访不满意率", "不满意率"),
    ):
        assert page.count(old) == 1
        page = page.replace(old, new)
    assert read(write(tmp_path, "a.html", page)) == FIGURES


def test_a_name_may_begin_above_its_figures(tmp_path):
    layout = LAYOUTS[0]
    tables = tuple(table.model_copy(update={"wrapped_name": "above"}) for table in layout.tables)
    layouts = [layout.model_copy(update={"tables": tables})]
    page = html(FIGURES, PLAIN)
    cell = '<tr><td colspan="1" rowspan="1">区人社局</td>'
    assert cell in page
    above = "<tr><td>区人</td>" + "<td></td>" * 10 + "</tr><tr><td>社局</td>"
    path = write(tmp_path, "a.html", page.replace(cell, above, 1))
    assert [figure.cells for figure in read_document(path, layouts, "")] == FIGURES


def test_an_old_workbook_is_read_and_one_sheet_may_hold_several_tables(tmp_path):
    rows = [row for text, sheet in sheets(FIGURES).items() for row in ([text], *sheet)]
    assert read(write(tmp_path, "a.xls", xls(rows))) == FIGURES


def test_a_table_may_be_cut_over_pages(tmp_path):
    """With the header again, or with a group's title as a line of text between two tables."""
    text = tab_led_text(FIGURES, PLAIN)
    start = text.index("\t部门名称")
    header = text[start : text.index("\n\n", start) + 2]
    for break_ in (f"{header}\t区林业局\n", f"第2页\n\n{header}\t区林业局\n"):
        assert read(write(tmp_path, "a.txt", text.replace("\t区林业局\n", break_, 1))) == FIGURES
    titled = text.replace("\t其他单位\n\n", f"其他单位\n{header}", 1)
    assert read(write(tmp_path, "a.txt", titled)) == FIGURES


def test_a_group_may_be_a_column_and_a_rank_and_a_number_be_printed(tmp_path):
    page = """<p>2022年第二季度</p><p>附件1</p><table>
    <tr><td>序号</td><td>单位类别</td><td>部门名称</td><td>应办理数</td><td>办理数</td><td>办结率
    <td>按期办理数<td>按期办结率<td>返工数<td>返工率<td>回访不满意数<td>回访不满意率<td>综合指标值
    <td>名次</tr>
    <tr><td>1<td rowspan=2>其他单位<td>甲局<td>4<td>4<td>100%<td>4<td>100%<td>0<td>0%<td>0<td>0%
    <td>100<td>1</tr>
    <tr><td>2<td>乙局<td>0<td>0<td>0%<td>0<td>0%<td>0<td>0%<td>0<td>0%<td>40<td>—</tr></table>"""
    figures = read_document(write(tmp_path, "a.html", page.replace("—", "-")), LAYOUTS, "")
    assert {figure.group for figure in figures} == {"其他单位"} and len(figures) == 21
    assert [f.value for f in figures if f.measure == "排名"] == ["1"]


def test_tables_in_tables_text_boxes_and_tracked_changes_are_read(tmp_path):
    """A table inside a cell, and a sentence inside a box that Word writes twice."""
    document = docx.Document(io.BytesIO(word(FIGURES, PLAIN)))
    body = document.element.body
    table = body.tbl_lst[2]
    outer = document.add_table(1, 2)
    table.getparent().replace(table, outer._tbl)
    outer.cell(0, 0)._tc.append(table)
    outer.cell(0, 0).add_paragraph()
    sentence = next(p for p in document.paragraphs if p.text.startswith("信箱"))
    run = sentence.runs[0]._r
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    box = f"<w:txbxContent><w:p><w:ins><w:r><w:t>{sentence.text}</w:t></w:r></w:ins></w:p>"
    box += "</w:txbxContent>"
    mc = "http://schemas.openxmlformats.org/markup-compatibility/2006"
    drawn = f'<mc:AlternateContent xmlns:mc="{mc}"><mc:Choice>{box}</mc:Choice>'
    drawn += f"<mc:Fallback>{box}</mc:Fallback></mc:AlternateContent>"
    sentence.text = ""
    sentence._p.append(docx.oxml.parse_xml(f"<w:r {space}>{drawn}</w:r>"))
    assert run.getparent() is None
    document.save(tmp_path / "a.docx")
    assert read(tmp_path / "a.docx") == FIGURES


def test_deep_nesting_ends_with_a_message_or_the_figures(tmp_path):
    deep = "<div>" * 20_000 + html(FIGURES, PLAIN)
    try:
        assert read(write(tmp_path, "a.html", deep)) == FIGURES
    except InputError as error:
        assert error.code == "bad_document"


def test_the_text_of_our_own_template_is_read(tmp_path):
    """What the office issues from a generated bulletin comes back as the published one."""
    text = """2022年第二季度通报
应办理工单75件，办结74件，办结率98.67%；按期办结69件，按期办结率92%。退回返工3件，返工率4%。\
完成回访60件，其中不满意8件，回访不满意率13.33%，群众满意率86.67%。参加综合评价的单位4个，\
全区综合指标值93.7。
从诉求类型看：投诉类40件、未分类35件。
从诉求类别看，件数居前的是：环境保护类30件（环比增长25%）、市场管理类20件（环比下降3.5%）。
从承办单位看，应办理数居前的是：区人社局（40件）、区公安分局（25件，综合评价A类单位）。
应办理信件5件，办结5件，办结率100%；按期办结4件，超期办结1件。群众满意率80%。
交办微建议2件。一件交几个单位办理的，按单位各计一件，共3件，其中按期办理3件，超期未办0件。"""
    all_, letters, suggestions = "全区", "市长信箱、区长信箱", "政协云微建议"
    figures = read_document(write(tmp_path, "a.txt", text.replace("\\\n", "")), LAYOUTS, "")
    assert [(figure.name, figure.measure, figure.value) for figure in figures] == [
        (all_, "应办理工单数", "75"),
        (all_, "工单办结数", "74"),
        (all_, "工单办结率", "98.67%"),
        (all_, "按期办结数", "69"),
        (all_, "按期办结率", "92%"),
        (all_, "返工数", "3"),
        (all_, "返工率", "4%"),
        (all_, "回访数", "60"),
        (all_, "回访不满意数", "8"),
        (all_, "回访不满意率", "13.33%"),
        (all_, "群众满意率", "86.67%"),
        (all_, "综合指标值", "93.7"),
        ("投诉类", "件数", "40"),
        ("未分类", "件数", "35"),
        ("环境保护类", "件数", "30"),
        ("环境保护类", "环比增长", "25%"),
        ("市场管理类", "件数", "20"),
        ("市场管理类", "环比增长", "-3.5%"),
        ("区人社局", "办件量", "40"),
        ("区公安分局", "办件量", "25"),
        (letters, "应办理信件数", "5"),
        (letters, "已办理数", "5"),
        (letters, "办结率", "100%"),
        (letters, "按期办结数", "4"),
        (letters, "超期办结数", "1"),
        (letters, "群众满意率", "80%"),
        (suggestions, "应办理数", "2"),
        (suggestions, "交办次数", "3"),
        (suggestions, "按期办理数", "3"),
        (suggestions, "超期未办数", "0"),
    ]


def changed(old, new, form=tab_led_text):
    text = form(FIGURES, PLAIN)
    assert old in text
    return text.replace(old, new, 1)


def repacked(member, change):
    """A Word document of which one member was changed."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(word(FIGURES, PLAIN))) as source,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for info in source.infolist():
            data = source.read(info)
            target.writestr(info.filename, change(data) if info.filename == member else data)
    return buffer.getvalue()


BOMB = b'<!DOCTYPE x [<!ENTITY a "b">]>'
BAD = {
    "unknown_column": (
        "a.html", lambda: changed("返工率</td>", "返工率</td><td>督办数</td>", html),
        ["督办数", "附件1"],
    ),
    "unknown_table": (
        "a.html", lambda: changed("返工率</td>", "重办率</td>", html), ["返工率", "重办率", "附件1"]
    ),
    "unknown_row": ("a.txt", lambda: changed("\t其他单位", "\tB类单位"), ["B类单位"]),
    "blank_figure": ("a.txt", lambda: changed("\t27.85%", "\t"), ["回访不满意率"]),
    "bad_figure": ("a.txt", lambda: changed("\t27.85%", "\t27.85"), ["27.85", "回访不满意率"]),
    "missing_name": ("a.txt", lambda: changed("\t区人社局", "\t"), ["附件1"]),
    "unknown_figure": ("a.txt", lambda: changed("下一步", "另有投诉5件。下一步"), ["5件"]),
    "wrong_quarter": ("a.txt", lambda: changed("第二季度", "第三季度"), ["2022Q3"]),
    "no_figures": ("a.txt", lambda: "2022年第二季度通报\n没有表", []),
    "bad_encoding": ("a.txt", lambda: b"\xff\xfe" + "附件".encode("utf-16-le") + b"\xd8", []),
    "bad_document": ("a.docx", lambda: word(FIGURES, PLAIN)[:5000], ["docx"]),
    "unknown_format": ("a.pdf", lambda: "%PDF-1.7", [".pdf", ".docx"]),
    "xml_entities": (
        "a.docx", lambda: repacked("word/document.xml", lambda data: BOMB + data), []
    ),
    "zip_bomb": (
        "a.docx", lambda: repacked("docProps/core.xml", lambda _: bytes(1 << 28)), []
    ),
    "entities in html": ("a.html", lambda: '<!DOCTYPE x [<!ENTITY a "b">]><p>&a;</p>', []),
}  # fmt: skip


@pytest.mark.parametrize("code", BAD)
def test_what_no_layout_knows_is_said_not_dropped(code, tmp_path):
    name, content, named = BAD[code]
    path = write(tmp_path, name, content())
    with pytest.raises(InputError) as caught:
        read(path)
    assert caught.value.code == {"entities in html": "xml_entities"}.get(code, code)
    for text in (name, *named):
        assert text in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("kind: rate", "kind: share"), "不是允许的取值"),
        (("label: 季度通报", "name: 季度通报"), "没有这个设置"),
        (("(?P<value>", "(?P<number>"), "缺少命名组 value"),
        (("排名, aliases: [名次]", "排名, aliases: [返工率]"), "列名重复登记：返工率"),
        (("(?P<year>", "(?P<year"), "正则表达式写错了"),
    ],
)
def test_a_layout_that_is_wrong_says_what(change, said, tmp_path):
    text = (EXPORTS / "layouts" / "bulletin.yml").read_text(encoding="utf-8")
    assert change[0] in text
    folder = tmp_path / "layouts"
    folder.mkdir()
    (folder / "own.yml").write_text(text.replace(*change), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_layouts(folder)
    assert "layouts/own.yml" in str(caught.value) and said in str(caught.value)


BODY = "word/document.xml"


def spanning(value):
    return repacked(
        BODY, lambda xml: xml.replace(b"<w:tcPr>", b'<w:tcPr><w:gridSpan w:val="%s"/>' % value, 1)
    )


def without_body(xml):
    return re.sub(rb"<w:body>.*</w:body>", b"", xml, flags=re.DOTALL)


def with_endless_rows(xml):
    return xml.replace(b"</w:tbl>", b"<w:tr><w:tc/></w:tr>" * 210_000 + b"</w:tbl>", 1)


UNBOUNDED = {
    "no body": ("a.docx", lambda: repacked(BODY, lambda _: b"<x/>"), "bad_document"),
    "empty": (
        "a.docx", lambda: repacked(BODY, without_body), "bad_document",
    ),
    "types of another kind": (
        "a.docx", lambda: repacked("[Content_Types].xml", lambda _: b"<Types/>"), "bad_document",
    ),
    "a span that is no number": ("a.docx", lambda: spanning(b"x"), "bad_document"),
    "a span beyond bounds": ("a.docx", lambda: spanning(b"99999999"), "too_many_columns"),
    "rows without end": (
        "a.docx",
        lambda: repacked(BODY, with_endless_rows),
        "table_too_large",
    ),
    "wide rows without end": (
        "a.html",
        lambda: b"<table><tr><td colspan=690>1</td></tr>" + b"<tr></tr>" * 9000 + b"</table>",
        "table_too_large",
    ),
    "a paragraph without end": ("a.txt", lambda: "类工单".encode() * 2000, "paragraph_too_long"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNBOUNDED)
def test_a_document_without_bounds_is_refused(case, tmp_path):
    name, content, code = UNBOUNDED[case]
    (tmp_path / name).write_bytes(content())
    with pytest.raises(InputError) as told:
        read(tmp_path / name)
    assert told.value.code == code


def test_blanks_and_patterns_take_time_that_grows_no_faster_than_their_text():
    """A million blanks, and a paragraph that no pattern of the layout can finish."""
    began = time.process_time()
    clean("甲" + "\u3000" * 1_000_000 + "a")
    for text in ("类工单", "信箱信件1", "办件量", "类", "12345", "其中：投诉类"):
        for layout in LAYOUTS:
            for pattern in layout.text:
                for find in pattern.find:
                    re.search(find, (text * 5000)[:5000])
    assert time.process_time() - began < 10
