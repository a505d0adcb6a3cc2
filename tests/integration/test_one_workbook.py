"""A workbook that holds every source: the same figures, books that close, and nothing personal."""

import csv
import io
import shutil
from hashlib import sha256

import pytest
from conftest import EXPORTS, hashes, hotline, read
from personal import is_personal, leaks
from python_calamine import CalamineWorkbook
from rewrite import rows_of, xlsx

from orchestration.common.settings import Home
from orchestration.warehouse.connection import query

SHEETS = {"工单": "ticket", "信件": "mailbox", "微建议": "suggestion"}
NAME = "全部.xlsx"
LETTER_ROW = 10_000_002  # the second sheet's row 2
PERSONAL = {
    "ticket": ("来电人", "联系电话", "诉求地址", "诉求内容"),
    "mailbox": ("写信人", "联系电话", "信件内容"),
    "suggestion": ("委员姓名", "委员电话", "建议内容"),
}


def write(folder, rows):
    book = xlsx({sheet: rows[source] for sheet, source in SHEETS.items()})
    (folder / "2022Q2" / NAME).write_bytes(book)


@pytest.fixture(scope="module")
def rows():
    return {source: rows_of(source) for source in SHEETS.values()}


@pytest.fixture(scope="module")
def book(rows, tmp_path_factory):
    """Home and exports of a quarter whose three sources came in one workbook."""
    folder = tmp_path_factory.mktemp("book")
    (folder / "exports" / "2022Q2").mkdir(parents=True)
    shutil.copy(EXPORTS / "2022Q2" / "bulletin.csv", folder / "exports" / "2022Q2")
    write(folder / "exports", rows)
    ran = hotline("run", "2022Q2", home=folder / "home", exports=folder / "exports")
    assert ran.status == 0, ran.out + ran.err
    return folder / "home", folder / "exports"


def test_the_marts_are_the_same(book, published_home):
    expected, found = (hashes(home / "published/parquet") for home in (published_home, book[0]))
    marts = {name: sha for name, sha in expected.items() if not name.startswith("fct_")}
    assert len(marts) == 10
    assert marts.items() <= found.items()


def test_the_books_close_source_by_source(book):
    home, exports = book
    sha = sha256((exports / "2022Q2" / NAME).read_bytes()).hexdigest()
    assert read(
        home,
        "select source, file_sha256, read_count, accepted_count, rejected_count, duplicate_count, "
        "out_of_scope_count from audit.row_balance where source <> 'bulletin' order by 1",
    ) == [
        ("mailbox", sha, 61, 61, 0, 0, 0),
        ("suggestion", sha, 31, 31, 0, 0, 0),
        ("ticket", sha, 2174, 2174, 0, 0, 0),
    ]
    assert read(
        home,
        "select count(*), count(distinct file_sha256), min(superseded_by) from audit.source_file",
    ) == [(4, 2, None)]
    assert read(
        home,
        "select control_id, count(*) from audit.reconciliation where control_group = 'file_to_raw' "
        "group by 1 order by 1",
    ) == [("file_to_lake", 4), ("lake_to_raw", 4)]


def test_figures_lead_to_rows_of_the_workbook_and_back(book, rows):
    home, exports = book
    asked = ("--unit", "全区", "--measure", "mailbox.due_count", "--csv")
    ran = hotline("trace", "2022Q2", *asked, home=home, exports=exports)
    assert ran.status == 0, ran.out + ran.err
    traced = list(csv.DictReader(io.StringIO(ran.out)))
    assert {row["file_name"] for row in traced} == {NAME}
    assert [int(row["row_number"]) for row in traced] == [
        LETTER_ROW + at for at in range(len(rows["mailbox"]) - 1)
    ]
    place = f"{NAME}:{LETTER_ROW}"
    ran = hotline("trace", "2022Q2", "--row", place, home=home, exports=exports)
    assert ran.status == 0, ran.out + ran.err
    assert "mailbox_unit_quarter" in ran.out and "hotline_unit_quarter" not in ran.out
    assert ran.out.count("相符") == 1, "one file, once"


def test_the_version_is_rebuilt_with_and_without_the_lake(book, tmp_path):
    home = shutil.copytree(book[0], tmp_path / "home")
    for _ in range(2):
        ran = hotline("verify", "2022Q2", home=home, exports=book[1])
        assert ran.status == 0, ran.out + ran.err
        shutil.rmtree(home / "lake", ignore_errors=True)


@pytest.fixture(scope="module")
def stopped(book, rows, tmp_path_factory):
    """The workbook sent again: a bad row in each sheet, one row fewer, one row more."""
    home = shutil.copytree(book[0], tmp_path_factory.mktemp("stopped") / "home")
    exports = shutil.copytree(book[1], home.parent / "exports")
    changed = {source: [list(row) for row in sheet] for source, sheet in rows.items()}
    tickets, letters, suggestions = changed.values()
    tickets[5][tickets[0].index("承办单位")] = "区人社居"
    tickets[7][tickets[0].index("交办时间")] = "4/1/2022 9:05"
    letters[5][letters[0].index("信箱类别")] = "局长信箱"
    suggestions[5][suggestions[0].index("交办时间")] = ""
    del tickets[100]
    tickets.append(["YX20220630999999", *tickets[-1][1:]])
    write(exports, changed)
    return home, hotline("run", "2022Q2", home=home, exports=exports)


def test_a_corrected_file_says_what_changed(stopped, rows):
    home, ran = stopped
    assert ran.status == 1, ran.out + ran.err
    lines = ran.out.splitlines()
    assert (
        f"「12345工单」的文件更换了：新增 1 行（{NAME} 第 {len(rows['ticket'])} 行），"
        f"删除 1 行（{NAME} 第 101 行），改动 2 行（{NAME} 第 6 行、{NAME} 第 8 行）"
    ) in lines
    assert (
        "「市长信箱、区长信箱」的文件更换了：新增 0 行，删除 0 行，"
        f"改动 1 行（{NAME} 第 {LETTER_ROW + 4} 行）"
    ) in lines
    # Dagster keeps what it is told: no number is among it.
    for path in (home / "dagster").rglob("*.db"):
        assert rows["ticket"][5][0].encode() not in path.read_bytes()
        assert b"YX20220630999999" not in path.read_bytes()


def test_bad_rows_are_told_by_sheet(stopped):
    home, ran = stopped
    for words in (
        "[unknown_unit] 来源 ticket：单位「区人社居」共 1 行",
        f"[unknown_unit] 文件 {NAME}，第 6 行",
        f"[bad_timestamp] 文件 {NAME}，第 8 行",
        f"[unknown_value] 文件 {NAME}，第 10000006 行",
        f"[missing_value] 文件 {NAME}，第 20000006 行",
    ):
        assert ran.err.count(words) == 1, words
    workbook = CalamineWorkbook.from_path(str(home / "rejected" / "2022Q2" / "rejected.xlsx"))
    summary = workbook.get_sheet_by_name("汇总").to_python()[1:]
    assert [row[:5] for row in summary if row[0] != "bulletin"] == [
        ["mailbox", NAME, 61, 60, 1],
        ["suggestion", NAME, 31, 30, 1],
        ["ticket", NAME, 2174, 2172, 2],
    ]
    assert [row[1] for row in workbook.get_sheet_by_name("逐行").to_python()[1:]] == [
        *(6, 8, 10_000_006, 20_000_006)
    ]
    # The published version stands; the working warehouse has the rows, each once.
    sql = "select count(*) as n, count(distinct row_number) as rows from audit.rejected_row"
    assert query(Home(home), sql) == [{"n": 4, "rows": 4}]
    sql = (
        "select subject, actual::int as n from audit.reconciliation "
        "where control_id = 'rejected_rows' and status = 'unexplained' order by 1"
    )
    assert [tuple(row.values()) for row in query(Home(home), sql)] == [
        (f"{NAME}（mailbox）", 1),
        (f"{NAME}（suggestion）", 1),
        (f"{NAME}（ticket）", 2),
    ]


def test_nothing_personal_is_left_by_a_stopped_run_either(stopped, rows):
    home, ran = stopped
    for source, columns in PERSONAL.items():
        header, *body = rows[source]
        assert all(is_personal(row[header.index(column)]) for row in body for column in columns)
    assert not is_personal(ran.out + ran.err)
    kinds = {path.suffix for path in home.rglob("*") if path.is_file()}
    assert kinds >= {".parquet", ".duckdb", ".db", ".json", ".xlsx"}
    assert leaks(home) == []
