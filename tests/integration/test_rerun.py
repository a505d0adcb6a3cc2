"""Running again: the same bytes, nothing doubles; a correction is a new version."""

import duckdb
from conftest import hashes, hotline, read
from personal import is_personal, leaks
from rewrite import rows_of


def parquet(home):
    return hashes(home / "published" / "parquet")


def test_the_headline_is_printed(first_run):
    _, ran = first_run
    for figure in ("2168", "100%", "60", "2.77%", "388", "18.94%", "95.7"):
        assert figure in ran.out


def test_a_second_run_changes_nothing(home):
    before = parquet(home)
    tables = (
        "marts.hotline_unit_quarter",
        "audit.publication",
        "audit.restatement",
        "audit.source_file",
        "audit.row_balance",
    )
    counts = "select " + ", ".join(f"(select count(*) from {table})" for table in tables)
    figures = read(home, counts)
    ran = hotline("run", "2022Q2", home=home)
    assert ran.status == 0, ran.out + ran.err
    assert parquet(home) == before
    assert read(home, counts) == figures == [(55, 1, 0, 4, 4)]
    runs = "select count(distinct run_id) from audit.reconciliation"
    assert read(home, runs) == [(2,)], "the audit keeps both runs"


def test_a_lost_working_warehouse_is_rebuilt_with_its_history(home):
    before = parquet(home)
    (home / "hotline.duckdb").unlink()
    ran = hotline("run", "2022Q2", home=home)
    assert ran.status == 0, ran.out + ran.err
    assert parquet(home) == before
    for table in ("reconciliation", "check_result"):
        assert read(home, f"select count(distinct run_id) from audit.{table}") == [(2,)]
    assert read(home, "select max(version) from audit.publication") == [(1,)]


def test_a_warehouse_that_someone_has_open_is_told(home):
    with duckdb.connect(str(home / "hotline.duckdb")):
        for command in ("run", "reconcile"):
            ran = hotline(command, "2022Q2", home=home)
            assert ran.status == 2, ran.out + ran.err
            assert "home_busy" in ran.err and "Traceback" not in ran.err


def test_a_correction_is_a_new_version_with_restatements(home, edit_tickets):
    def praise(rows):
        at = rows[0].index("诉求类型")
        next(row for row in rows[1:] if row[at] == "")[at] = "投诉"

    exports = edit_tickets(praise)
    (exports / "2022Q2" / "bulletin.csv").unlink()  # or the published 834 would stop it
    ran = hotline("run", "2022Q2", home=home, exports=exports)
    assert ran.status == 0, ran.out + ran.err
    assert "第 2 版" in ran.out
    assert read(
        home,
        "select measure, old_value, new_value, reason from audit.restatement where measure like "
        "'%ticket_count' order by measure",
    ) == [
        ("complaint.ticket_count", "834", "835", "来源文件变更：ticket.csv"),
        ("untyped.ticket_count", "137", "136", "来源文件变更：ticket.csv"),
    ]
    assert read(
        home,
        "select count(*) from audit.source_file where superseded_by is not null "
        "and source in ('ticket', 'bulletin')",
    ) == [(2,)]


def test_nothing_personal_goes_past_ingest(first_run):
    home, ran = first_run
    personal = {
        "ticket": ["来电人", "联系电话", "诉求地址", "诉求内容"],
        "mailbox": ["写信人", "联系电话", "信件内容"],
        "suggestion": ["委员姓名", "委员电话", "建议内容"],
    }
    values = set()
    for source, columns in personal.items():
        header, *rows = rows_of(source)
        values |= {row[header.index(column)] for row in rows for column in columns}
    assert len(values) > 8000
    assert all(map(is_personal, values))
    assert not is_personal(ran.out + ran.err)
    assert len([path for path in home.rglob("*") if path.is_file()]) > 20
    assert leaks(home) == []
