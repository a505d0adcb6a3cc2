"""Damaged and hostile files: each gives its message, or typed rows; none a traceback or a leak."""

import gzip
import io
import re
import struct
import zipfile
from collections import Counter

import pytest
from rewrite import ods, ods_of, text, xls, xlsx
from test_formats import CONTRACTS, HEADER, ROWS, ingest

from orchestration.common.errors import InputError

TEN = ROWS[:11]
CSV = text(TEN)
GB = CSV.encode("gb18030")
UTF8 = CSV.encode()
LINES = UTF8.splitlines(keepends=True)
FINE = {None: 10}


def rows_and(*more):
    return text([*TEN, *more]).encode()


def changed(at, **cells):
    """The eleven rows with other text in some cells of one row."""
    row = [cells.get(name, cell) for name, cell in zip(HEADER, TEN[at], strict=True)]
    return text([*TEN[:at], row, *TEN[at + 1 :]])


def lines_with(at, line):
    return b"".join([*LINES[:at], line, *LINES[at + 1 :]])


def cut_in_a_character(encoding):
    return CSV[: CSV.rindex("项") + 1].encode(encoding)[:-1]


def repacked(workbook, edit, name="xl/worksheets/sheet1.xml"):
    """A workbook with one member edited; None leaves it out."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook)) as old,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for info in old.infolist():
            content = old.read(info)
            if info.filename == name and (content := edit(content)) is None:
                continue
            new.writestr(info.filename, content)
    return file.getvalue()


def book():
    return xlsx({"Sheet1": TEN})


def bomb(size):
    """A workbook with a member that unfolds to so many blanks."""
    file = io.BytesIO(book())
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/x.xml", b" " * size)
    return file.getvalue()


def many_members():
    file = io.BytesIO(book())
    with zipfile.ZipFile(file, "a") as archive:
        for number in range(3000):
            archive.writestr(f"xl/{number}", b"")
    return file.getvalue()


def understated_bomb():
    """A bomb whose directory says that it is small."""
    content = bytearray(repacked(book(), lambda xml: xml + b" " * (1 << 28)))
    at = content.rfind(b"xl/worksheets/sheet1.xml") - 46
    assert content[at : at + 4] == b"PK\x01\x02"
    content[at + 24 : at + 28] = (1000).to_bytes(4, "little")
    return bytes(content)


ENTITIES = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'


def with_entities(xml):
    start = xml.index(b"?>") + 2
    return xml[:start] + ENTITIES + xml[start:]


def far_cell(xml):
    row = b'<row r="1048576"><c r="A1048576"><v>1</v></c><c r="ZX1048576"><v>1</v></c></row>'
    return xml.replace(b"</sheetData>", row + b"</sheetData>")


def far_column(xml):
    return xml.replace(b"</sheetData>", b'<row r="99"><c r="XFD99"><v>1</v></c></row></sheetData>')


def with_rows(rows):
    """The workbook with more XML after its last row."""
    return lambda: repacked(
        book(), lambda xml: xml.replace(b"</sheetData>", rows + b"</sheetData>")
    )


def claiming(count):
    """A workbook that says how many shared texts it has."""

    def edit(xml):
        return re.sub(rb'ount="\d+"', b'ount="%d"' % count, xml)

    return repacked(book(), edit, "xl/sharedStrings.xml")


def far_xls():
    """A legacy workbook of two cells, as far apart as the format can say."""
    cell = TEN[0][0].encode("utf-16-le")
    near, far = struct.pack("<HHH", 0, 0, 0), struct.pack("<HHH", 65535, 65535, 0)
    content = xls([[TEN[0][0]]])
    record = struct.pack("<HH", 0x204, 9 + len(cell))
    at = content.index(record + near)
    whole = content[at : at + 4 + 9 + len(cell)]
    return content[: at + len(whole)] + record + far + whole[10:] + content[at + 2 * len(whole) :]


def late_entities():
    """A declaration behind so much comment that nobody who looks at the beginning sees it."""

    def edit(xml):
        start = xml.index(b"?>") + 2
        return xml[:start] + b"<!--" + b"x" * (1 << 23) + b"-->" + ENTITIES + xml[start:]

    return repacked(book(), edit, "xl/workbook.xml")


def utf16_entities():
    xml = zipfile.ZipFile(io.BytesIO(book())).read("xl/workbook.xml")
    return repacked(
        book(),
        lambda _: with_entities(xml).decode().replace("UTF-8", "UTF-16").encode("utf-16"),
        "xl/workbook.xml",
    )


def unnamed_relation():
    return repacked(book(), lambda xml: xml.replace(b"r:id=", b"r:xx="), "xl/workbook.xml")


def unknown_encoding():
    return repacked(book(), lambda xml: xml.replace(b"UTF-8", b"TTF-8"), "[Content_Types].xml")


def damaged_stream():
    """The compressed bytes of the first member are no such stream."""
    content = bytearray(book())
    length = int.from_bytes(content[26:28], "little") + int.from_bytes(content[28:30], "little")
    content[30 + length] ^= 0b110
    return bytes(content)


def repeated(cells="", rows=""):
    whole = ods({"Sheet1": TEN})
    content = zipfile.ZipFile(io.BytesIO(whole)).read("content.xml").decode()
    more = (
        f"<table:table-row {rows}><table:table-cell {cells}><text:p>x</text:p>"
        "</table:table-cell></table:table-row></table:table>"
    )
    return ods_of(content.replace("</table:table>", more, 1))


# Name of the case: (file name, content, message code or the rows by defect)
CASES = {
    # Not what it says
    "empty": ("a.csv", b"", "empty_file"),
    "empty xlsx": ("a.xlsx", b"", "bad_workbook"),
    "empty gz": ("a.csv.gz", b"", "empty_file"),
    "gz of nothing": ("a.csv.gz", gzip.compress(b""), "empty_file"),
    "byte order mark only": ("a.csv", b"\xef\xbb\xbf", "empty_file"),
    "utf-16 mark only": ("a.csv", b"\xff\xfe", "empty_file"),
    "blank lines only": ("a.csv", b"\r\n" * 50, "empty_file"),
    "delimiters only": ("a.csv", b",,,\r\n" * 50, "empty_file"),
    "binary": ("a.csv", bytes(range(256)) * 400, "bad_encoding"),
    "NULs": ("a.csv", b"\0" * 5000, "empty_file"),
    "renamed PDF": ("a.csv", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj<<>>endobj\n", "wrong_format"),
    "PDF as xlsx": ("a.xlsx", b"%PDF-1.7\n1 0 obj<<>>endobj\n", "wrong_format"),
    "HTML as xls": ("a.xls", b"<html><table><tr><td>1</td></tr></table></html>", "wrong_format"),
    "CSV as xlsx": ("a.xlsx", UTF8, "wrong_format"),
    "CSV as gz": ("a.csv.gz", UTF8, "bad_gzip"),
    "xlsx as csv": ("a.csv", book, "wrong_format"),
    "any zip as xlsx": ("a.xlsx", lambda: repacked(book(), lambda _: None), "bad_workbook"),
    "zip without a book": (
        "a.xlsx", lambda: repacked(book(), lambda _: None, "xl/workbook.xml"), "wrong_format",
    ),
    # The header
    "header only": ("a.csv", LINES[0], {}),
    "header only, xlsx": ("a.xlsx", lambda: xlsx({"Sheet1": TEN[:1]}), {}),
    "header twice": (
        "a.csv", text([HEADER, *TEN]).encode(), {None: 10, "unlikely_value": 1},
    ),
    "no header": ("a.csv", b"".join(LINES[1:]), "unknown_header"),
    "header below row 20": ("a.csv", b"x\n" * 25 + UTF8, "unknown_header"),
    "a column missing": ("a.csv", text([row[1:] for row in TEN]).encode(), "unknown_header"),
    "a column more": ("a.csv", text([[*row, "x"] for row in TEN]).encode(), "unknown_header"),
    "duplicate header": (
        "a.csv", text([[*row, row[0]] for row in TEN]).encode(), "unknown_header",
    ),
    "header and its alias": (
        "a.csv", text([[*HEADER, "工单号"], *([*row, row[0]] for row in TEN[1:])]).encode(),
        "unknown_header",
    ),
    "header nearly right": (
        "a.csv", CSV.replace("工单编号", "工单编码").encode(), "unknown_header",
    ),
    "text under a blank header": (
        "a.csv", text([[*HEADER, ""], [*TEN[1], "x"], [*TEN[2], ""]]).encode(),
        {None: 1, "malformed_row": 1},
    ),
    "a million columns": ("a.csv", b"x," * 1_000_000 + b"\n", "too_many_columns"),
    "a thousand columns": ("a.csv", b"x," * 1_000 + b"\n", "too_many_columns"),
    "far column, xlsx": ("a.xlsx", lambda: repacked(book(), far_column), "too_many_columns"),
    "another sheet with text": (
        "a.xlsx", lambda: xlsx({"Sheet1": TEN, "草稿": [["x", "y"]]}), "unknown_header",
    ),
    # Rows
    "swapped columns": (
        "a.csv", text([HEADER, *([row[1], row[0], *row[2:]] for row in TEN[1:])]).encode(),
        "unlikely_column",
    ),
    "a cell too many": ("a.csv", rows_and([*TEN[1], "x"]), {None: 10, "malformed_row": 1}),
    "a cell too few": ("a.csv", rows_and(TEN[1][:-1]), {None: 10, "malformed_row": 1}),
    "a comma unquoted": (
        "a.csv", lines_with(5, LINES[5].replace("虚构路".encode(), "虚,构路".encode())),
        {None: 9, "malformed_row": 1},
    ),
    "truncated last line": ("a.csv", UTF8[:-100], {None: 9, "malformed_row": 1}),
    "truncated in a character": ("a.csv", cut_in_a_character("utf-8"), {None: 9, "undecodable": 1}),
    "truncated in a character, gb18030": (
        "a.csv", cut_in_a_character("gb18030"), {None: 9, "undecodable": 1},
    ),
    "truncated utf-16": ("a.csv", CSV.encode("utf-16")[:-1], {None: 9, "undecodable": 1}),
    "unclosed quote": ("a.csv", lines_with(4, b'"' + LINES[4]), {None: 9, "malformed_row": 1}),
    "unclosed quote at the end": (
        "a.csv", lines_with(10, b'"' + LINES[10]), {None: 9, "malformed_row": 1},
    ),
    "unclosed quotes everywhere": (
        "a.csv", LINES[0] + b"".join(b'"' + line for line in LINES[1:]) * 300,
        {"malformed_row": 3000},
    ),
    "quote within a bare cell": ("a.csv", CSV.replace("虚构路", '虚"构路').encode(), FINE),
    "text after a quote": (
        "a.csv", lines_with(4, b'"x"y' + LINES[4]), {None: 9, "malformed_row": 1},
    ),
    "every cell quoted wrong": (
        "a.csv",
        LINES[0] + b"".join(LINES[1:]).replace(b",", b"',\"'").replace(b"\r", b"\"'\r"),
        "malformed",
    ),
    "backslash quotes": (
        "a.csv", lines_with(3, LINES[3].replace(b",YX", b",YX").replace(b"\r\n", b'\\"x\\",\r\n')),
        {None: 9, "malformed_row": 1},
    ),
    "NUL in a row": ("a.csv", lines_with(3, b"\0" + LINES[3]), {None: 9, "malformed_row": 1}),
    "NULs after the end": ("a.csv", UTF8 + b"\0" * 4096, {None: 10, "malformed_row": 1}),
    "lone carriage return": (
        "a.csv", lines_with(3, LINES[3].replace(b",", b"\r,", 1)), {None: 9, "malformed_row": 1},
    ),
    "100 MB cell": (
        "a.csv", lambda: lines_with(3, b"x" * 100_000_000 + LINES[3]),
        {None: 9, "malformed_row": 1},
    ),
    "100 MB quoted cell": (
        "a.csv", lambda: lines_with(3, b'"' + b"x\n" * 50_000_000 + b'"' + LINES[3]),
        "malformed_file",
    ),
    "formulas": ("a.csv", changed(2, 承办单位="=cmd|' /C calc'!A0").encode(), FINE),
    "path in a cell": ("a.csv", changed(2, 承办单位="../../etc/passwd").encode(), FINE),
    "SQL in a cell": ("a.csv", changed(2, 承办单位="'); drop table x; --").encode(), FINE),
    "markup in a cell": ("a.csv", changed(2, 承办单位="<script>alert(1)</script>").encode(), FINE),
    "rare characters": ("a.csv", changed(2, 承办单位="𠮷😀\u202e").encode("gb18030"), FINE),
    "byte order mark in the middle": (
        "a.csv", UTF8 + b"\xef\xbb\xbf" + UTF8, {None: 20, "unlikely_value": 1},
    ),
    "the file twice in one": ("a.csv", UTF8 + UTF8, {None: 20, "unlikely_value": 1}),
    "wrong quarter": ("a.csv", CSV.replace("2022-", "2019-").encode(), FINE),
    "two quarters": ("a.csv", changed(2, 交办时间="2023-01-01 00:00:00").encode(), FINE),
    "footnotes": (
        "a.csv", rows_and(["注：略"], ["合计", "", "10"], ["\u3000"]),
        {None: 10, "not_a_record": 3},
    ),
    # Encodings
    "one bad byte": ("a.csv", lines_with(3, b"\xff" + LINES[3]), {None: 9, "undecodable": 1}),
    "one bad byte, gb18030": (
        "a.csv", GB.replace("YX2022".encode("gb18030"), b"\xff\xff", 1),
        {None: 9, "undecodable": 1},
    ),
    "mixed encodings": (
        "a.csv", lines_with(3, LINES[3].decode().encode("gb18030")), {None: 9, "undecodable": 1},
    ),
    "many lines in another encoding": (
        "a.csv", UTF8 + text(ROWS[1:50]).encode("gb18030"), "bad_encoding",
    ),
    "lone surrogate": (
        "a.csv", CSV.encode("utf-16").replace("YX".encode("utf-16-le"), b"\x00\xd8Y\0", 1),
        {None: 9, "undecodable": 1},
    ),
    "overlong utf-8": ("a.csv", lines_with(3, b"\xc0\xaf" + LINES[3]), {None: 9, "undecodable": 1}),
    "Big5": ("a.csv", "工單編號,承辦單位\n1,測試\n".encode("big5"), "unknown_header"),
    "utf-16 without a mark": ("a.csv", CSV.encode("utf-16-le"), "bad_encoding"),
    # Compressed
    "truncated gz": ("a.csv.gz", lambda: gzip.compress(text(ROWS).encode())[:-2000], "bad_gzip"),
    "gz with a wrong checksum": (
        "a.csv.gz", lambda: gzip.compress(UTF8)[:-8] + b"\0" * 8, "bad_gzip",
    ),
    "gz bomb": ("a.csv.gz", lambda: gzip.compress(UTF8 + b"x" * (1 << 28)), "zip_bomb"),
    "gz of a gz": ("a.csv.gz", gzip.compress(gzip.compress(UTF8)), "wrong_format"),
    # Workbooks
    "half-written xlsx": ("a.xlsx", lambda: book()[:3000], "bad_workbook"),
    "xlsx with a broken sheet": (
        "a.xlsx", lambda: repacked(book(), lambda xml: xml[: len(xml) // 2]), "bad_workbook",
    ),
    "xlsx with a damaged byte": (
        "a.xlsx", lambda: book().replace(b"PK\x03\x04", b"PK\x03\x05", 3), "bad_workbook",
    ),
    "zip bomb": ("a.xlsx", lambda: bomb(1 << 28), "zip_bomb"),
    "understated zip bomb": ("a.xlsx", understated_bomb, "bad_workbook"),
    "many members": ("a.xlsx", many_members, "zip_bomb"),
    "entities": ("a.xlsx", lambda: repacked(book(), with_entities), "xml_entities"),
    "entities in the texts": (
        "a.xlsx", lambda: repacked(book(), with_entities, "xl/sharedStrings.xml"), "xml_entities",
    ),
    "entities, ods": (
        "a.ods", lambda: repacked(ods({"Sheet1": TEN}), with_entities, "content.xml"),
        "xml_entities",
    ),
    "far cell": ("a.xlsx", lambda: repacked(book(), far_cell), "sheet_too_large"),
    "ods with endless rows": (
        "a.ods", lambda: repeated(rows='table:number-rows-repeated="90000000"'),
        "sheet_too_large",
    ),
    "ods with endless columns": (
        "a.ods", lambda: repeated('table:number-columns-repeated="999999999"'), "too_many_columns",
    ),
    # A few bytes that would have the reader allocate more than there is, and die of it
    "far cells out of order": (
        "a.xlsx",
        with_rows(
            b'<row r="99"><c r="XFD99"><v>1</v></c><c r="A99"><v>1</v></c></row>'
            b'<row r="1048576"><c r="A1048576"><v>1</v></c></row>'
        ),
        "unsafe_workbook",
    ),
    "far cell in other quotes": (
        "a.xlsx", with_rows(b"<row r='1048576'><c r='XFD1048576'><v>1</v></c></row>"),
        "too_many_columns",
    ),
    "far cell in small letters": (
        "a.xlsx", with_rows(b'<row r="9"><c r="xfd1048576"><v>1</v></c></row>'), "unsafe_workbook",
    ),
    "far cells without names": (
        "a.xlsx", with_rows(b'<row r="1048576">' + b"<c><v>1</v></c>" * 16384 + b"</row>"),
        "unsafe_workbook",
    ),
    "many texts claimed": ("a.xlsx", lambda: claiming(99_999_999_999), "unsafe_workbook"),
    "far cell, xls": ("a.xls", far_xls, "unsafe_workbook"),
    # Found by fuzzing
    "entities far down": ("a.xlsx", late_entities, "xml_entities"),
    "entities, utf-16": ("a.xlsx", utf16_entities, "xml_entities"),
    "sheet without a relation": ("a.xlsx", unnamed_relation, "bad_workbook"),
    "damaged compression": ("a.xlsx", damaged_stream, "bad_workbook"),
    "header run into a row": (
        "a.csv", b"".join([LINES[0].rstrip(), b",", *LINES[1:]]), "unknown_header",
    ),
    "half-written ods": ("a.ods", lambda: ods({"Sheet1": TEN})[:900], "bad_workbook"),
    "half-written xls": ("a.xls", lambda: xls(TEN)[:2000], "bad_workbook"),
    "xls of noise": ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x55" * 9000, "bad_workbook"),
    "xls that is an xlsx": ("a.xls", book, "wrong_format"),
    "formulas, xlsx": (
        "a.xlsx", lambda: xlsx({"Sheet1": [*TEN, ["=1+1", *TEN[1][1:]]]}), {None: 11},
    ),
    "empty sheets": ("a.xlsx", lambda: xlsx({"Sheet1": [], "Sheet2": []}), "empty_file"),
    "footnotes, xlsx": (
        "a.xlsx", lambda: xlsx({"Sheet1": [*TEN, ["合计", "10"], ["\u3000"], [], ["备注：略"]]}),
        {None: 10, "not_a_record": 3},
    ),
    # Names
    "brackets in the name": ("[a]*?.csv", UTF8, FINE),
    "quote in the name": ("a'; drop table x;--.csv", UTF8, FINE),
    "path tricks in the name": ("a..\\..\\evil%2f..%2f.csv", UTF8, FINE),
    "line break in the name": ("a\nb.csv", GB, FINE),
    "markup in the name": ("<b>&amp;.xlsx", book, FINE),
    "very long name": ("a" * 240 + ".csv", GB, FINE),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_hostile_file(case, tmp_path):
    name, content, expected = CASES[case]
    files = {name: content() if callable(content) else content}
    try:
        frame, (file,) = ingest(tmp_path, files)
    except InputError as error:
        assert error.code == expected, str(error)
        assert error.file.startswith(name[:20])
        for mark in ("虚构", "000-"):
            assert mark not in str(error)
        assert not list((tmp_path / "home").rglob("*.parquet"))
        return
    assert file.row_count == file.counted_row_count == frame.height
    # A line that doesn't decode is named with the place of its first bad byte in the file.
    places = [defect for defect in frame["row_defect"] if (defect or "").startswith("undecodable")]
    assert all(int(place.partition(":")[2]) > 0 for place in places)
    defects = Counter(defect and defect.partition(":")[0] for defect in frame["row_defect"])
    if expected == "malformed":  # how many rows the pieces make is of no interest
        assert defects["malformed_row"] > 0 and set(defects) <= {None, "malformed_row"}
    else:
        assert defects == Counter(expected)
    kept = CONTRACTS["ticket"].kept_columns
    for row in frame.iter_rows(named=True):
        assert row["row_defect"] is None or not any(row[column] for column in kept)


def test_there_are_at_least_sixty_cases():
    assert len(CASES) >= 60
