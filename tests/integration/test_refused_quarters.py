"""A quarter that was stopped feeds nothing; one that is corrected makes later comparisons stale."""

import csv
from pathlib import Path

import pytest
from conftest import hotline, read


def sample(exports: Path, quarter: str, home: Path) -> Path:
    folder = exports / quarter
    made = hotline("sample", "--tickets", "300", "--quarter", quarter, "--out", folder, home=home)
    assert made.status == 0, made.err
    return folder / "ticket.csv"


def rewrite(path: Path, **cells: str) -> None:
    """Give the first ticket of a file other cells."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        header, first, *rest = csv.reader(file)
    for name, value in cells.items():
        first[header.index(name)] = value
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([header, first, *rest])


def previous_counts(home: Path, quarter: str) -> int | None:
    ((total,),) = read(
        home,
        "select sum(previous_count)::int from marts.hotline_category_quarter "
        f"where quarter = '{quarter}'",
    )
    return total


@pytest.mark.slow
def test_from_a_refused_quarter_to_a_corrected_one(tmp_path, exports):
    home = tmp_path / "home"
    tickets = sample(exports, "2023Q2", home)
    sample(exports, "2023Q3", home)
    sound = tickets.read_bytes()
    rewrite(tickets, 承办单位="没有这个单位")
    ran = hotline("run", "2023Q2", home=home, exports=exports)
    assert ran.status == 1, ran.out + ran.err
    ran = hotline("run", "2023Q3", home=home, exports=exports)
    assert ran.status == 0, ran.out + ran.err
    assert previous_counts(home, "2023Q3") is None, "nothing was published to compare with"
    for table in ("row_balance", "source_file", "unmapped_unit", "anomaly"):
        quarters = {row[0] for row in read(home, f"select quarter from audit.{table}")}
        assert quarters <= {"2023Q3"}, table
    assert read(home, "select 1 from audit.rejected_row") == []
    stopped = "select distinct quarter from audit.check_result where not passed"
    assert read(home, stopped) == [("2023Q2",)], "what only grows tells of it, by its run"

    tickets.write_bytes(sound)
    ran = hotline("run", "2023Q2", home=home, exports=exports)
    assert ran.status == 0, ran.out + ran.err
    assert "2023Q3 的环比过时" in ran.out and "hotline run 2023Q2 --and-later" in ran.out
    stale = "select quarter, version, compared_version, is_stale from audit.publication order by 1"
    assert read(home, stale) == [("2023Q2", 1, None, False), ("2023Q3", 1, None, True)]
    ran = hotline("run", "2023Q2", "--and-later", home=home, exports=exports)
    assert ran.status == 0, ran.out + ran.err
    assert "2023Q2 与第 1 版相同，无需重跑" in ran.out and "2023Q3 第 2 版" in ran.out
    assert read(home, stale) == [
        ("2023Q2", 1, None, False),
        ("2023Q3", 1, None, False),
        ("2023Q3", 2, 1, False),
    ]
    due = "select due_count::int from marts.hotline_district_quarter where quarter = '2023Q2'"
    assert previous_counts(home, "2023Q3") == read(home, due)[0][0]
    for quarter in ("2023Q2", "2023Q3"):  # each is known to be as it was
        ran = hotline("run", quarter, home=home, exports=exports)
        assert ran.status == 0 and "无需重跑" in ran.out, ran.out + ran.err
        ran = hotline("verify", quarter, home=home, exports=exports)
        assert ran.status == 0, ran.out + ran.err

    version = home / "published" / "versions" / "2023Q2"
    version.rename(tmp_path / "lost")
    for command, status in (("run", 2), ("verify", 1), ("reconcile", 2)):
        ran = hotline(command, "2023Q2", home=home, exports=exports)
        assert ran.status == status, command
        assert "missing_version" in ran.err and "2023Q2 第 1 版不见了" in ran.err
    (tmp_path / "lost").rename(version)
    assert hotline("reconcile", "2023Q3", home=home, exports=exports).status in (0, 1)
