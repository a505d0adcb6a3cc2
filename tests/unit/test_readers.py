"""Reading text: whatever is written comes back, and both ways of reading agree."""

import csv
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st
from rewrite import text

from orchestration.reading import encodings, row_ends
from orchestration.reading import text as text_reader
from orchestration.reading.contracts import Column, Contract
from orchestration.reading.exports import find_parts, open_table
from orchestration.reading.tables import header_candidates
from orchestration.reading.workbooks import cell_text

HEADER = ["编号", "单位", "内容"]
CONTRACT = Contract(
    source="case",
    label="事项",
    identity=("id",),
    columns=tuple(
        Column(name=name, label=label, type="text")
        for name, label in zip(("id", "unit", "content"), HEADER, strict=True)
    ),
)
# Everything but what no text file can hold: NUL, and halves of surrogate pairs.
CELLS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
    st.text(',\t;"\n\r 　\u00a0合计x', max_size=12),
)
RECORDS = st.tuples(CELLS, CELLS)
ROWS = st.lists(st.one_of(RECORDS, st.just(None), st.just(())), max_size=30)


def read(content: bytes, block: tuple[int, int] = (encodings.CHUNK, encodings.SCANNED)):
    """The rows of a file as (row number, defect, cells), and the independent count of them.

    `block` is how many bytes are read and looked at together: small ones have seams everywhere.
    """
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = Path(folder) / "a.csv"
        path.write_bytes(content)
        (part,) = find_parts(path, {"case": CONTRACT})
        for module in (encodings, row_ends, text_reader):
            for name, size in zip(("CHUNK", "SCANNED"), block, strict=True):
                if hasattr(module, name):
                    patch.setattr(module, name, size)
        table = open_table(path, part, CONTRACT)
        frames = [frame.collect() for frame in table.frames]
        counted = table.counted()
    names = ["row_number", "row_defect", "0", "1", "2"]
    cast = pl.col("row_number").cast(pl.Int64)
    rows = [row for frame in frames for row in frame.select(names).with_columns(cast).rows()]
    return [(number, defect, cells) for number, defect, *cells in rows], counted


@settings(max_examples=300, deadline=None)
@given(
    rows=ROWS,
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "gb18030"]),
    delimiter=st.sampled_from([",", "\t", ";"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    title=st.booleans(),
    spoiled=st.booleans(),
    block=st.sampled_from([(1 << 22, 1 << 18), (1 << 22, 40), (64, 20), (7, 3)]),
)
def test_no_row_is_lost_and_no_value_differs(
    rows, encoding, delimiter, quoting, title, spoiled, block
):
    # What looks like a swallowed record is refused (test_quotes); here it would only be noise.
    rows = [
        row
        for row in rows
        if not any("\n" in cell and cell.count(delimiter) > 1 for cell in row or ())
    ]
    above = [["某某区事项", "", ""]] * title
    written = [
        (f"k{number}", *row) if row else ["", "", ""] if row is None else []
        for number, row in enumerate(rows)
    ]
    # One line with a cell too many makes the whole file go the careful way.
    extra = [["x", "", "", ""]] * spoiled
    content = text([*above, HEADER, *written, *extra], delimiter, quoting=quoting).encode(encoding)
    found, counted = read(content, block)
    first = len(above) + 2
    expected = [
        (number, None, list(row)) for number, row in enumerate(written, start=first) if any(row)
    ]
    if spoiled:
        expected.append((first + len(written), "malformed_row", ["", "", ""]))
    assert [
        (number, defect, [cell or "" for cell in cells]) for number, defect, cells in found
    ] == (expected)
    assert counted == len(found)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.one_of(st.sampled_from(b'abc,"\n\r\xff\0\xe5'), st.integers(0, 255)), max_size=200)
)
def test_any_bytes_end_in_rows_that_add_up(body):
    content = ",".join(HEADER).encode() + b"\n" + bytes(body)
    try:
        found, counted = read(content)
    except Exception as error:
        assert getattr(error, "code", "") == "bad_encoding", repr(error)
        return
    assert counted == len(found)
    for _, defect, cells in found:
        code = defect and defect.partition(":")[0]
        assert code in (None, "not_a_record", "malformed_row", "undecodable")
        assert (defect is None) == any(cells)


def test_an_unclosed_quote_takes_no_other_row_with_it():
    found, _ = read('编号,单位,内容\na,"b,c\nd,e,f\ng,"h\ni",j\n'.encode())
    assert found == [
        (2, "malformed_row", [None] * 3),
        (3, None, ["d", "e", "f"]),
        (4, None, ["g", "h\ni", "j"]),
    ]


def test_bytes_that_do_not_decode_cost_their_own_row_only():
    for encoding in ("utf-8", "gb18030"):
        lines = ["编号,单位,内容", "1,甲,乙", "2,丙,丁", "3,戊,己"]
        content = [line.encode(encoding) for line in lines]
        content[2] = content[2][:-1] + b"\xff"
        place = len(b"\n".join([*content[:2], "2,丙,".encode(encoding)])) + 1
        found, counted = read(b"\n".join(content))
        assert [(number, defect) for number, defect, _ in found] == [
            (2, None),
            (3, f"undecodable:{place}"),
            (4, None),
        ]
        assert found[0][2] == ["1", "甲", "乙"] and found[2][2] == ["3", "戊", "己"]
        assert counted == 3


def test_a_record_that_talks_of_totals_is_a_record():
    found, _ = read("编号,单位,内容\n1,合计,注：\n,合计,5\n合计：,,7\n　,,\n注：略\n".encode())
    assert [defect for _, defect, _ in found] == [None, *["not_a_record"] * 4]


@pytest.mark.parametrize(
    ("rows", "joined"),
    [
        ([["编号", "回访", ""], ["", "时间", "结果"]], ("编号", "回访时间", "回访结果")),
        ([["基本信息", "", ""], HEADER], tuple(HEADER)),
        ([["事项", "", ""], ["编号", "办理", ""], ["", "时限", "结果"]], ("编号", "时限", "结果")),
    ],
)
def test_joined_headers(rows, joined):
    assert joined in [cells for _, cells in header_candidates(rows)]


def test_cells_as_text():
    from datetime import date, datetime

    assert cell_text(12.0) == "12" and cell_text(2.5) == "2.5" and cell_text(True) == "TRUE"
    assert cell_text(date(2022, 4, 1)) == "2022-04-01"
    assert cell_text(datetime(2022, 4, 1, 9, 4, 59, 999_600)) == "2022-04-01 09:05:00"


@pytest.mark.parametrize("above", [0, 1, 3])
def test_rows_of_a_sheet_are_numbered_as_excel_shows_them(above, tmp_path):
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        for at, row in enumerate([HEADER, ["k1", "甲", "一"], ["k2", "乙", "二"]], start=above):
            sheet.write_row(at, 1, row)
    (part,) = find_parts(path, {"case": CONTRACT})
    table = open_table(path, part, CONTRACT)
    rows = pl.concat([frame.collect() for frame in table.frames]).select("row_number", "0").rows()
    assert rows == [(above + 2, "k1"), (above + 3, "k2")]
    assert table.counted() == 2
