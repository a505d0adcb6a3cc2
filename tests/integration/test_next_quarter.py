"""The next quarter's export: old work orders in a new state, rows sent twice, odd times."""

import csv
import shutil

import polars as pl
import pytest
from conftest import hashes, hotline, read
from lxml import html
from python_calamine import CalamineWorkbook
from rewrite import rows_of

HEADER, *TICKETS = rows_of("ticket")
AT = HEADER.index
REASON = "试运行，只装载一部分工单"


def changed(row, **cells):
    row = list(row)
    for label, value in cells.items():
        row[AT(label)] = value
    return row


@pytest.fixture(scope="module")
def next_quarter(published_home, tmp_path_factory):
    """A home with 2022Q2, and then 2022Q3 with rows that are told of; home, run, rows by label."""
    folder = tmp_path_factory.mktemp("next")
    home = shutil.copytree(published_home, folder / "home")
    exports = folder / "exports"
    made = hotline(
        *("sample", "--tickets", "120", "--quarter", "2022Q3", "--out", exports / "2022Q3"),
        home=home,
    )
    assert made.status == 0, made.err
    path = exports / "2022Q3" / "ticket.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        _, *tickets = csv.reader(file)
    fine = [row for row in tickets if row[AT("交办时间")] >= "2022-07-01"]
    day = fine[0][AT("交办时间")][:11]
    old = next(row for row in TICKETS if row[AT("交办时间")] >= "2022-06-01")
    told = {
        "again": changed(old, 是否返工="是", 回访时间="2022-07-06 09:00:00", 回访结果="不满意"),
        "conflict": changed(fine[1], 是否返工="是"),
        "repeat": list(fine[2]),
        "soon": changed(
            fine[0],
            工单编号="X1",
            交办时间=f"{day}09:00:00",
            办结时间=f"{day}09:09:59",
            回访时间="",
            回访结果="",
        ),
        "early": changed(
            fine[0],
            工单编号="X2",
            交办时间="2022-07-04 09:00:00",
            办结时间="2022-07-08 09:00:00",
            回访时间="2022-07-07 09:00:00",
            回访结果="满意",
        ),
        "far": changed(
            fine[0],
            工单编号="X3",
            交办时间="3020-07-04 09:00:00",
            办理期限="3020-07-14 09:00:00",
            办结时间="",
            回访时间="",
            回访结果="",
        ),
    }
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([HEADER, *tickets, *told.values()])
    rows = {label: len(tickets) + 2 + place for place, label in enumerate(told)}
    rows["conflicting"] = tickets.index(fine[1]) + 2
    ran = hotline("run", "2022Q3", "--reason", REASON, home=home, exports=exports)
    assert ran.status == 0, ran.out + ran.err
    return home, ran, rows, told, len(tickets)


def facts(home, quarter, name):
    return pl.read_parquet(home / f"published/parquet/{name}/quarter={quarter}/{name}.parquet")


def test_a_work_order_that_comes_again_changes_no_earlier_quarter(next_quarter, published_home):
    home, _, _, told, _ = next_quarter
    before, after = (hashes(place / "published/parquet") for place in (published_home, home))
    assert before.items() <= after.items() and len(after) == 2 * len(before)
    number = pl.col("work_order_id") == told["again"][0]
    (first,) = facts(home, "2022Q2", "fct_ticket").filter(number).iter_rows(named=True)
    (second,) = facts(home, "2022Q3", "fct_ticket").filter(number).iter_rows(named=True)
    assert (first["is_due"], first["is_rework"]) == (True, False)
    # Dispatched in 2022Q2, it isn't due again; its callback counts where it was made.
    assert (second["is_due"], second["is_rework"]) == (False, False)
    (callback,) = facts(home, "2022Q3", "fct_callback").filter(number).iter_rows(named=True)
    assert callback["is_dissatisfied"]


def test_the_books_count_each_row_once(next_quarter):
    home, _, _, _, count = next_quarter
    assert read(
        home,
        "select read_count, accepted_count, rejected_count, duplicate_count, out_of_scope_count "
        "from audit.row_balance where quarter = '2022Q3' and source = 'ticket'",
    ) == [(count + 6, count + 3, 1, 1, 1)]


def test_a_conflict_is_resolved_by_the_contracts_rule_and_shown(next_quarter):
    home, ran, rows, told, _ = next_quarter
    number = pl.col("work_order_id") == told["conflict"][0]
    (fact,) = facts(home, "2022Q3", "fct_ticket").filter(number).iter_rows(named=True)
    assert (fact["row_number"], fact["is_rework"]) == (rows["conflict"], True)
    assert read(
        home,
        "select row_number, reason_code, severity, standing_row_number from audit.rejected_row",
    ) == [(rows["conflicting"], "conflicting_duplicate", "warn", rows["conflict"])]
    assert (
        f"[conflicting_duplicate] 文件 ticket.csv，第 {rows['conflicting']} 行，列 work_order_id："
        f"编号重复而内容不同，另见 ticket.csv 第 {rows['conflict']} 行。"
    ) in ran.out
    assert read(
        home,
        "select actual::int, status, explanation from audit.reconciliation "
        "where control_id = 'rejected_rows' and subject = 'ticket.csv' and quarter = '2022Q3'",
    ) == [
        (1, "explained", "1 行与另一行编号相同而内容不同，按契约以文件名靠后的文件、靠后的行为准")
    ]


def test_what_gave_way_is_shown_by_source(next_quarter):
    _, ran, _, _, count = next_quarter
    cells = next(line for line in ran.out.splitlines() if line.startswith("│ ticket")).split("│")
    assert [int(cell) for cell in cells[2:-1]] == [count + 6, count + 3, 0, 1, 1, 1]
    assert "rejected.xlsx" in ran.out


def test_a_source_that_shrank_is_published_with_a_reason_only(next_quarter):
    """A few more than 100 tickets, after 2168 in the quarter before: far below half."""
    home = next_quarter[0]
    assert read(
        home,
        "select expected::int, status, explanation from audit.reconciliation "
        "where control_id = 'source_size' and subject = 'ticket'",
    ) == [(2168, "explained", REASON)]


def test_odd_times_are_counted_and_shown(next_quarter):
    home, ran, rows, _, _ = next_quarter
    assert read(
        home, "select quarter, source, row_number, anomaly_code from audit.anomaly order by 3"
    ) == [
        ("2022Q3", "ticket", rows["soon"], "finished_too_soon"),
        ("2022Q3", "ticket", rows["early"], "called_back_before_finished"),
        ("2022Q3", "ticket", rows["far"], "implausible_year"),
    ]
    for words in ("办结过快，1 行", "回访早于办结，1 行", "年份不合常理，1 行"):
        assert words in ran.out
    book = CalamineWorkbook.from_path(str(home / "rejected" / "2022Q3" / "rejected.xlsx"))
    assert [row[1:] for row in book.get_sheet_by_name("异常").to_python()] == [
        ["文件", "行号", "工单编号", "异常代码", "异常"],
        ["ticket.csv", rows["soon"], "X1", "finished_too_soon", "办结过快"],
        ["ticket.csv", rows["early"], "X2", "called_back_before_finished", "回访早于办结"],
        ["ticket.csv", rows["far"], "X3", "implausible_year", "年份不合常理"],
    ]


def test_a_published_quarter_is_green_with_its_open_warnings_beside_it(next_quarter):
    """A large change is for people to look at; it is no failure, and nothing stopped for it."""
    home = next_quarter[0]
    ((warned, blocking),) = read(
        home,
        "select count(*) filter (severity = 'warn'), count(*) filter (severity = 'error') "
        "from audit.reconciliation where quarter = '2022Q3' "
        "and status not in ('match', 'explained')",
    )
    assert warned > 0 and blocking == 0
    folder = home / "published"
    paths = [
        *folder.glob("bulletin/*.html"),
        *folder.glob("bulletin/2022Q3/**/*.html"),
        *folder.glob("audit/2022Q3/**/*.html"),
    ]
    assert len(paths) > 100
    for path in paths:
        page = html.document_fromstring(path.read_text(encoding="utf-8"))
        (status,) = page.xpath("//*[@role='status']")
        text = status.text_content()
        is_english = path.name.endswith(".en.html")
        passed, failed, noted = (
            ("Reconciled", "failed", f"{warned} large or unusual change")
            if is_english
            else ("对账通过", "未通过", f"{warned} 项变化较大")
        )
        assert status.get("class") == "status good", path
        assert passed in text and failed not in text
        (note,) = status.xpath(".//*[@class='badge']")
        assert note.text.startswith(noted)
        assert page.xpath("//*[contains(@class, 'bad') and not(contains(@class, 'badge'))]") == []
        assert page.xpath("//*[@class='badge bad' or @class='badge unexplained']") == []
