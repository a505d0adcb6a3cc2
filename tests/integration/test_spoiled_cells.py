"""What a file shows otherwise than it is read: each kind is refused by place, none a blank."""

import io
import struct
import zipfile

import pytest
import xlsxwriter
from rewrite import compound, ods, ods_of, rows_of, text, xls
from test_formats import CONTRACTS, HEADER, ROWS, ingest
from test_hostile_files import TEN, repacked

from orchestration.common.errors import InputError

FINISHED, UNIT, CALLER = (HEADER.index(label) for label in ("办结时间", "承办单位", "来电人"))


def refused(tmp_path, name, content):
    """The error of a file, none of whose rows is kept."""
    with pytest.raises(InputError) as caught:
        ingest(tmp_path, {name: content})
    assert not list((tmp_path / "home").rglob("*.parquet"))
    assert "虚构" not in str(caught.value) and "000-" not in str(caught.value)
    return caught.value


def read(tmp_path, name, content):
    frame, (file,) = ingest(tmp_path, {name: content})
    assert file.row_count == file.counted_row_count == frame.height
    return frame


def book(edit, rows=TEN):
    """A workbook of ten tickets, edited through xlsxwriter: edit(book, sheet)."""
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as made:
        sheet = made.add_worksheet("数据")
        for at, row in enumerate(rows):
            for place, cell in enumerate(row):
                if cell:
                    sheet.write_string(at, place, cell)
        edit(made, sheet)
    return file.getvalue()


def sheet_xml(old, new, workbook=None):
    """A workbook with some XML of its sheet replaced once."""

    def edit(xml):
        assert old in xml, xml[:2000]
        return xml.replace(old, new, 1)

    return repacked(workbook or book(lambda *_: None), edit)


def cell(at):
    """The XML of the sheet's cell as it is written: a shared text."""
    xml = zipfile.ZipFile(io.BytesIO(book(lambda *_: None))).read("xl/worksheets/sheet1.xml")
    start = xml.index(f'<c r="{at}"'.encode())
    return xml[start : xml.index(b"</c>", start) + 4]


def ods_with(old, new):
    content = zipfile.ZipFile(io.BytesIO(ods({"数据": TEN}))).read("content.xml").decode()
    content = content.replace(
        "xmlns:text=", 'xmlns:calcext="urn:org:documentfoundation:calcext" xmlns:text=', 1
    )
    assert old in content
    return ods_of(content.replace(old, new, 1))


FIRST_FINISHED = f"<text:p>{TEN[1][FINISHED]}</text:p>"
ODS_FINISHED = f'<table:table-cell office:value-type="string">{FIRST_FINISHED}</table:table-cell>'
ODS_ID = (
    f'<table:table-cell office:value-type="string"><text:p>{TEN[1][0]}</text:p></table:table-cell>'
)
ERRORS = ("#REF!", "#VALUE!", "#N/A", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#SPILL!", "#CALC!")


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_is_no_blank(error, tmp_path):
    wanted = (
        f"[error_cell] 文件 a.xlsx，工作表「数据」，第 2 行，列「办结时间」：单元格是错误值 {error}"
    )
    made = sheet_xml(cell("I2"), f'<c r="I2" t="e"><v>{error}</v></c>'.encode())
    if error in ("#SPILL!", "#CALC!"):  # calamine knows no such error: the column is its letter
        wanted = wanted.replace("办结时间", "I")
    assert str(refused(tmp_path / "xlsx", "a.xlsx", made)).startswith(wanted)
    for name, soil in {
        "text.xlsx": book(lambda _, sheet: sheet.write_string(1, FINISHED, error)),
        "a.csv": text(
            [TEN[0], [*TEN[1][:FINISHED], f" {error}", *TEN[1][FINISHED + 1 :]]]
        ).encode(),
        "a.ods": ods_with(
            ODS_FINISHED,
            '<table:table-cell table:formula="of:=1" office:value-type="string" '
            f'calcext:value-type="error"><text:p>{error}</text:p></table:table-cell>',
        ),
    }.items():
        found = refused(tmp_path / name, name, soil)
        assert (found.code, found.row, found.column) == ("error_cell", 2, "办结时间"), name


@pytest.mark.parametrize(
    "xml",
    [
        b"<c t='e' r='I2'><v>#REF!</v></c>",
        b'<c t="e" s="0" r="I2"><f>A1</f><v>#REF!</v></c>',
        b'<c r="I2"\n t = "e" ><!-- a note --><v>#REF!</v></c>',
        b'<c r="I2" t="e"><v><![CDATA[#REF!]]></v></c>',
    ],
)
def test_an_error_is_found_however_the_xml_is_written(xml, tmp_path):
    found = refused(tmp_path, "a.xlsx", sheet_xml(cell("I2"), xml))
    assert (found.code, found.row, found.column) == ("error_cell", 2, "办结时间")


def test_a_sheet_in_another_encoding_or_prefix_is_looked_at_too(tmp_path):
    made = sheet_xml(cell("I2"), b'<c r="I2" t="e"><v>#REF!</v></c>')

    def utf16(xml):
        return xml.decode().replace("UTF-8", "UTF-16").encode("utf-16")

    def prefixed(xml):
        for name in (b"worksheet", b"sheetData", b"row", b"c", b"v"):
            for end in (b" ", b">", b"/"):
                xml = xml.replace(b"<" + name + end, b"<x:" + name + end)
            xml = xml.replace(b"</" + name + b">", b"</x:" + name + b">")
        return xml.replace(b"xmlns=", b"xmlns:x=")

    for number, edit in enumerate((utf16, prefixed)):
        found = refused(tmp_path / str(number), "a.xlsx", repacked(made, edit))
        # A reader that doesn't take the encoding is as good: the file is refused.
        assert found.code in ("error_cell", "bad_workbook", "unknown_header", "empty_file"), found


def test_an_error_that_is_not_read_does_not_matter(tmp_path):
    """In a personal column, whose free text may begin with `=`; in the row of totals."""

    def soil(_, sheet):
        sheet.write_formula(1, CALLER, "=甲", value="#NAME?")
        sheet.write_string(11, 0, "合计")
        sheet.write_formula(11, FINISHED, "=1/0", value="#DIV/0!")

    frame = read(tmp_path, "a.xlsx", book(soil))
    assert frame["row_defect"].to_list() == [None] * 10 + ["not_a_record"]


@pytest.mark.parametrize(
    "xml",
    [
        b'<c r="I2"><f>C2+3</f></c>',
        b'<c r="I2"><f>C2+3</f><v></v></c>',
        b'<c r="I2" s="0"><f t="shared" si="0"/><v/></c>',
        b'<c r="I2" t="str"><f>C2+3</f></c>',
        b'<c r="I2"><f>C2+3</f><v>0</v></c>',  # and the workbook is to be computed on opening
    ],
)
def test_a_formula_without_a_stored_value_is_no_blank(xml, tmp_path):
    found = refused(tmp_path, "a.xlsx", sheet_xml(cell("I2"), xml))
    assert (found.code, found.row, found.column) == ("formula_without_value", 2, "办结时间")


def test_a_formula_with_its_value_is_read(tmp_path):
    def soil(_, sheet):
        sheet.write_formula(1, UNIT, "=A1", value="区民政局")
        sheet.write_formula(2, FINISHED, '=IF(1,"","")', value="")

    made = book(soil)
    made = repacked(made, lambda xml: xml.replace(b"<v></v>", b"<v></v>").replace(
        b'<c r="I3"><f>', b'<c r="I3" t="str"><f>'
    ))  # fmt: skip
    frame = read(tmp_path, "a.xlsx", made)
    assert frame["unit_name"][0] == "区民政局" and not frame["finished_at"][1]


def test_a_formula_without_a_value_in_an_ods(tmp_path):
    made = ods_with(ODS_FINISHED, '<table:table-cell table:formula="of:=[.C2]+3"/>')
    found = refused(tmp_path, "a.ods", made)
    assert (found.code, found.row, found.column) == ("formula_without_value", 2, "办结时间")


# Identities as numbers


def numbered(write):
    """Ten tickets whose identity is written by write(book, sheet, row number)."""

    def edit(made, sheet):
        for at in range(1, 11):
            write(made, sheet, at)

    return book(edit, [TEN[0], *(["", *row[1:]] for row in TEN[1:])])


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (20220314000000001, "General"),
        (2022031400000001, "0"),
        (123456.5, "General"),
        (1234, "0.00E+00"),
        (1234, "#,##0"),
        (44652, "yyyy-mm-dd"),
        (7, '"YX"00000000'),
        (-7, "General"),
    ],
)
def test_an_identity_of_which_not_every_digit_is_certain(number, code, tmp_path):
    def write(made, sheet, at):
        sheet.write_number(at, 0, number, made.add_format({"num_format": code}))

    found = refused(tmp_path, "a.xlsx", numbered(write))
    assert (found.code, found.row, found.column) == ("number_as_identity", 2, "工单编号")


def test_seventeen_digits_as_a_script_writes_them(tmp_path):
    made = numbered(lambda _, sheet, at: sheet.write_number(at, 0, at))
    made = sheet_xml(b'<c r="A5"><v>4</v>', b'<c r="A5"><v>20220314000000001</v>', made)
    assert refused(tmp_path, "a.xlsx", made).row == 5


def test_numbers_that_show_what_they_are(tmp_path):
    codes = {"00000000": "0000000{}", "General": "{}", "0": "{}", "0_ ": "{}", "@": "{}"}
    codes |= {"0_);[Red]\\(0\\)": "{}"}
    for place, (code, shown) in enumerate(codes.items()):

        def write(made, sheet, at, code=code):
            sheet.write_number(at, 0, at % 10, made.add_format({"num_format": code}))

        frame = read(tmp_path / str(place), "a.xlsx", numbered(write))
        assert frame["work_order_id"].to_list() == [shown.format(at % 10) for at in range(1, 11)]


def test_numbers_of_an_ods_are_those_that_it_shows(tmp_path):
    def number(value, shown):
        return ods_with(
            ODS_ID,
            f'<table:table-cell office:value-type="float" office:value="{value}">'
            f"<text:p>{shown}</text:p></table:table-cell>",
        )

    frame = read(tmp_path / "a", "a.ods", number("1", "00000001"))
    assert frame["work_order_id"][0] == "00000001"
    for place, (value, shown) in enumerate(
        [("20220314000000001", "20220314000000001"), ("1234", "1,234"), ("220314", "2.2E+05")]
    ):
        found = refused(tmp_path / str(place), "a.ods", number(value, shown))
        assert (found.code, found.row) == ("number_as_identity", 2)


@pytest.mark.parametrize(
    "written",
    ["2.0220314E+16", "2.02203E+16", "2E+16", "2.0220314E16", "'2.02E+16", '="2.02E+16"', "2e+16 "],
)
def test_scientific_notation_in_a_csv(written, tmp_path):
    rows = [TEN[0], TEN[1], *([written, *row[1:]] for row in TEN[2:])]
    for encoding in ("utf-8-sig", "gb18030"):
        found = refused(tmp_path / encoding, "a.csv", text(rows).encode(encoding))
        assert (found.code, found.row, found.column) == ("number_as_identity", 3, "工单编号")


def test_numbers_of_which_only_zeros_are_left(tmp_path):
    rows = [TEN[0], *([f"2022031400000{at // 4}000", *row[1:]] for at, row in enumerate(TEN[1:]))]
    assert refused(tmp_path / "a", "a.csv", text(rows).encode()).code == "number_as_identity"
    rows[5][0] = "20220314000001017"
    assert read(tmp_path / "b", "a.csv", text(rows).encode()).height == 10


def test_codes_that_only_look_like_numbers(tmp_path):
    rows = [TEN[0], *([f"{at}E05", *row[1:]] for at, row in enumerate(TEN[1:]))]
    number, *others = CONTRACTS["ticket"].columns
    columns = (number.model_copy(update={"pattern": None}), *others)  # a place that numbers so
    contract = CONTRACTS["ticket"].model_copy(update={"columns": columns})
    frame, _ = ingest(tmp_path, {"a.csv": text(rows).encode()}, CONTRACTS | {"ticket": contract})
    assert frame.height == 10


# What nobody sees


@pytest.mark.parametrize("how", ["hide", "very_hidden"])
def test_a_hidden_sheet_of_tickets(how, tmp_path):
    def edit(made, _):
        sheet = made.add_worksheet("备份")
        for at, row in enumerate(TEN):
            sheet.write_row(at, 0, row)
        getattr(sheet, how)()

    found = refused(tmp_path, "a.xlsx", book(edit))
    assert found.code == "hidden_sheet" and "备份" in found.file
    ignoring = {
        source: contract.model_copy(update={"ignored_sheets": ("备份",)})
        for source, contract in CONTRACTS.items()
    }
    frame, _ = ingest(tmp_path / "ignored", {"a.xlsx": book(edit)}, ignoring)
    assert frame.height == 10


def test_a_hidden_sheet_of_an_ods(tmp_path):
    content = zipfile.ZipFile(io.BytesIO(ods({"数据": TEN, "备份": TEN}))).read("content.xml")
    style = (
        '<office:automatic-styles xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0">'
        '<style:style style:name="ta2" style:family="table">'
        '<style:table-properties table:display="false"/></style:style></office:automatic-styles>'
    )
    made = content.decode().replace("<office:body>", style + "<office:body>")
    made = made.replace('table:name="备份"', 'table:name="备份" table:style-name="ta2"')
    assert refused(tmp_path, "a.ods", ods_of(made)).code == "hidden_sheet"


@pytest.mark.parametrize(
    ("edit", "count"),
    [
        (lambda _, sheet: sheet.set_row(4, None, None, {"hidden": True}), 1),
        (lambda _, sheet: [sheet.set_row(at, None, None, {"hidden": True}) for at in (4, 7)], 2),
        (lambda _, sheet: sheet.set_row(4, 0), 1),
        (lambda _, sheet: sheet.set_row(4, None, None, {"hidden": True, "level": 1}), 1),
    ],
)
def test_hidden_rows(edit, count, tmp_path):
    found = refused(tmp_path, "a.xlsx", book(edit))
    assert (found.code, found.row) == ("hidden_rows", 5) and f"有 {count} 行" in found.found


def test_hidden_rows_that_are_no_records(tmp_path):
    def edit(_, sheet):
        sheet.write_string(11, 0, "合计")
        sheet.set_default_row(hide_unused_rows=True)
        for at in (0, 11, 15):
            sheet.set_row(at, None, None, {"hidden": True})

    assert read(tmp_path, "a.xlsx", book(edit)).height == 11


@pytest.mark.parametrize("visibility", ["collapse", "filter"])
def test_hidden_rows_and_columns_of_an_ods(visibility, tmp_path):
    row = f"<table:table-row>{ODS_ID}"
    hidden = row.replace("table-row>", f'table-row table:visibility="{visibility}">', 1)
    assert refused(tmp_path / "row", "a.ods", ods_with(row, hidden)).code == "hidden_rows"
    column = (
        '<table:table-column table:number-columns-repeated="3"/>'
        f'<table:table-column table:visibility="{visibility}"/>'
    )
    start = '<table:table table:name="数据">'
    found = refused(tmp_path / "column", "a.ods", ods_with(start, start + column))
    assert (found.code, found.column) == ("hidden_column", "承办单位")


@pytest.mark.parametrize(
    "edit",
    [
        lambda _, sheet: sheet.set_column(UNIT, UNIT, None, None, {"hidden": True}),
        lambda _, sheet: sheet.set_column(UNIT, UNIT + 1, 0),
        lambda _, sheet: sheet.set_column(UNIT, 99, None, None, {"hidden": True}),
    ],
)
def test_a_hidden_column(edit, tmp_path):
    found = refused(tmp_path, "a.xlsx", book(edit))
    assert (found.code, found.column) == ("hidden_column", "承办单位")


def test_hidden_personal_columns_are_left_alone(tmp_path):
    def edit(_, sheet):
        sheet.set_column(CALLER, CALLER + 1, None, None, {"hidden": True})

    assert read(tmp_path, "a.xlsx", book(edit)).height == 10


@pytest.mark.parametrize("area", [(1, UNIT, 3, UNIT), (9, 0, 10, 0), (2, UNIT, 2, UNIT + 1)])
def test_merged_cells_of_records(area, tmp_path):
    found = refused(tmp_path, "a.xlsx", book(lambda _, sheet: sheet.merge_range(*area, "区民政局")))
    assert found.code == "merged_cells" and "合并" in found.found
    assert (found.row, found.column) == (area[0] + 1, HEADER[area[1]])


def test_merged_cells_of_titles_totals_and_personal_columns(tmp_path):
    def edit(_, sheet):
        sheet.merge_range(11, 0, 11, 5, "合计")
        sheet.merge_range(1, CALLER, 4, CALLER, "虚构")

    assert read(tmp_path / "a", "a.xlsx", book(edit)).height == 11
    titled = [["明细", *[""] * 15], *TEN]
    made = book(lambda _, sheet: sheet.merge_range(0, 0, 0, 15, "明细"), titled)
    assert read(tmp_path / "b", "a.xlsx", made).height == 10


def test_merged_cells_of_an_ods(tmp_path):
    unit = f'<table:table-cell office:value-type="string"><text:p>{TEN[2][UNIT]}</text:p>'
    merged = unit.replace("table-cell ", 'table-cell table:number-rows-spanned="2" ')
    assert refused(tmp_path, "a.ods", ods_with(unit, merged)).code == "merged_cells"


# Binary workbooks


def record(kind, body):
    return struct.pack("<HH", kind, len(body)) + body


def xls_with(*more, keep=None):
    """Ten tickets in a binary workbook, some cells left out, with more records in the sheet."""
    rows = [[cell if (at, place) not in (keep or ()) else "" for place, cell in enumerate(row)]
            for at, row in enumerate(TEN)]  # fmt: skip
    content = xls(rows)
    stream = content[512 * (2 + content[512:].index(b"\x52\0o\0o\0t\0") // 512) :]
    end = stream.rindex(record(0x0A, b""))
    return compound(stream[:end] + b"".join(more) + record(0x0A, b""))


@pytest.mark.parametrize(
    ("more", "left_out", "code"),
    [
        (record(0x205, struct.pack("<HHHBB", 1, FINISHED, 0, 0x17, 1)), FINISHED, "error_cell"),
        (
            record(0x06, struct.pack("<HHH8s8x", 1, FINISHED, 0, b"\2\0\x2a\0\0\0\xff\xff")),
            FINISHED,
            "error_cell",
        ),
        (
            record(0x06, struct.pack("<HHHdHIH", 1, FINISHED, 0, 0.0, 2, 0, 0)),
            FINISHED,
            "formula_without_value",
        ),
        (record(0x203, struct.pack("<HHHd", 1, 0, 0, 2.0220314e16)), 0, "number_as_identity"),
        (record(0x208, struct.pack("<8H", 1, 0, 16, 255, 0, 0, 0x20, 0)), None, "hidden_rows"),
        (record(0x7D, struct.pack("<6H", UNIT, UNIT, 0, 0, 1, 0)), None, "hidden_column"),
        (record(0xE5, struct.pack("<5H", 1, 1, 2, UNIT, UNIT)), None, "merged_cells"),
    ],
)  # fmt: skip
def test_binary_workbooks(more, left_out, code, tmp_path):
    keep = () if left_out is None else {(1, left_out)}
    found = refused(tmp_path, "a.xls", xls_with(more, keep=keep))
    assert (found.code, found.row or 2) == (code, 2)


def test_a_number_of_a_binary_workbook(tmp_path):
    for place, more in enumerate(
        (
            record(0x203, struct.pack("<HHHd", 1, 0, 0, 123456789012.0)),
            record(0x27E, struct.pack("<HHHI", 1, 0, 0, 1234 << 2 | 2)),
            record(0xBD, struct.pack("<HHHIH", 1, 0, 0, 1234 << 2 | 2, 0)),
        )
    ):
        frame = read(tmp_path / str(place), "a.xls", xls_with(more, keep={(1, 0)}))
        ids = frame.sort("row_number")["work_order_id"]
        assert ids[0] == ("1234" if place else "123456789012")


# Quotes


def quoted(first, last, column=4, rows=ROWS):
    """Tickets with a quote that opens in one row's cell and closes in the same of another."""
    lines = text(rows[:130]).encode().splitlines(keepends=True)
    for at, place in ((first, 0), (last, 1)):
        cells = lines[at].split(b",")
        cells[column] = b'"' + cells[column] if not place else cells[column] + b'"'
        lines[at] = b",".join(cells)
    return b"".join(lines)


@pytest.mark.parametrize(("first", "last"), [(10, 70), (10, 11), (10, 12), (3, 128), (10, 35)])
@pytest.mark.parametrize("column", [1, 4, 14])
def test_a_quote_swallows_no_row(first, last, column, tmp_path):
    frame = read(tmp_path, "a.csv", quoted(first, last, column))
    defects = dict(zip(frame["row_number"], frame["row_defect"], strict=True))
    assert frame.height == 129
    assert [at for at, defect in defects.items() if defect] == [first + 1]
    assert set(frame["row_defect"]) == {None, "malformed_row"}


def test_a_footnote_between_the_quotes_hides_nothing(tmp_path):
    rows = [*ROWS[:20], ["注：略"], *ROWS[20:60]]
    content = quoted(10, 40, rows=rows)
    frame = read(tmp_path, "a.csv", content)
    assert frame["row_defect"].is_null().sum() == 58


def test_line_breaks_inside_cells_are_read_up_to_a_bound(tmp_path):
    def with_lines(count, line="虚构内容，一行"):
        rows = [list(row) for row in TEN]
        rows[3][-1] = "\n".join([line] * count)
        return text(rows).encode()

    bound = CONTRACTS["ticket"].max_cell_lines
    for count, malformed in ((2, 0), (bound, 0), (bound + 1, 1)):
        frame = read(tmp_path / str(count), "a.csv", with_lines(count))
        assert (frame["row_defect"] == "malformed_row").any() == bool(malformed)
    frame, (file,) = ingest(tmp_path / "commas", {"a.csv": with_lines(9, "一,二,三")})
    assert frame["row_defect"].null_count() == 10 and file.line_break_count == 8
    more = with_lines(9) + b"short,row\r\n"  # row by row
    _, (file,) = ingest(tmp_path / "careful", {"a.csv": more})
    assert file.line_break_count == 8


# Encodings, and what the file is


def test_rows_in_utf8_within_a_gb18030_file(tmp_path):
    for source in ("suggestion", "ticket"):
        rows = rows_of(source)[:60]
        half = len(rows) // 2
        mixed = text(rows[:half]).encode("gb18030") + text(rows[half:]).encode()
        with pytest.raises(InputError) as caught:
            ingest(tmp_path / source, {"a.csv": mixed}, source=source)
        assert caught.value.code == "bad_encoding"
    one = text(TEN).encode("gb18030") + text([["X1", *TEN[1][1:]]]).encode()
    frame = read(tmp_path / "one", "a.csv", one)
    assert frame["row_defect"][10].startswith("undecodable:")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32"])
@pytest.mark.parametrize("title", [[], [["某某区明细"]]])
def test_wide_encodings_without_a_mark(encoding, title, tmp_path):
    found = refused(tmp_path, "a.csv", text([*title, *TEN]).encode(encoding))
    assert found.code == "bad_encoding" and "编码" in str(found)


TABLE = "<table><tr><td>工单编号</td></tr></table>"
XML_2003 = (
    '<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?>'
    '<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"></Workbook>'
)


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.xls", f"<html><body>{TABLE}</body></html>".encode(), "HTML"),
        ("a.xls", f"\ufeff\r\n<!DOCTYPE html>\n<HTML>{TABLE}".encode(), "HTML"),
        ("a.xls", f'<meta charset="gbk">{TABLE}'.encode("gb18030"), "HTML"),
        ("a.xls", f"<html>{TABLE}".encode("utf-16"), "HTML"),
        ("a.csv", f"<html>{TABLE}".encode(), "HTML"),
        ("a.xls", b"MIME-Version: 1.0\r\nContent-Type: multipart/related\r\n", "MHTML"),
        ("a.xls", XML_2003.encode(), "XML"),
        ("a.xls", text(TEN, "\t").encode("gb18030"), "文本"),
        ("a.xlsx", xls(TEN), ".xls"),
        ("a.csv", xls(TEN), ".xls"),
        ("a.xls", book(lambda *_: None), ".xlsx"),
        ("a.csv", book(lambda *_: None), ".xlsx"),
        ("a.ods", book(lambda *_: None), ".xlsx"),
        ("a.xlsx", ods({"数据": TEN}), ".ods"),
        ("a.csv", b"Rar!\x1a\x07\x01\0", "RAR"),
        ("a.xlsx", b"%PDF-1.7\n", "PDF"),
    ],
)
def test_a_file_is_named_for_what_it_is(name, content, what, tmp_path):
    found = refused(tmp_path, name, content)
    assert found.code == "wrong_format" and what in found.found, found


def test_padded_texts_and_padded_numbers_are_one_identity(tmp_path):
    """The same identity as padded text in one file and as a padded number in the other."""
    padded = [TEN[0], *([f"{at:08}", *row[1:]] for at, row in enumerate(TEN[1:], 1))]

    def write(made, sheet, at):
        sheet.write_number(at, 0, at, made.add_format({"num_format": "00000000"}))

    frame, _ = ingest(tmp_path, {"a.csv": text(padded).encode(), "b.xlsx": numbered(write)})
    assert frame["work_order_id"].n_unique() == 10
