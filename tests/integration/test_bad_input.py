"""Input that can't be used: one clear message, exit status 2, the last version stays."""

import os

import pytest
from conftest import EXPORTS, hashes, hotline


def missing_export(quarter):
    (quarter / "mailbox.xlsx").unlink()


def unknown_header(quarter):
    path = quarter / "ticket.csv"
    text = path.read_text(encoding="utf-8-sig")
    path.write_text(text.replace("承办单位", "责任部门", 1), encoding="utf-8-sig")


def not_a_header(quarter):
    path = quarter / "ticket.csv"
    lines = path.read_text(encoding="utf-8-sig").splitlines(keepends=True)
    path.write_text("".join(lines[1:]), encoding="utf-8-sig")


def empty_file(quarter):
    (quarter / "ticket.csv").write_bytes(b"")


def broken_xlsx(quarter):
    path = quarter / "mailbox.xlsx"
    path.write_bytes(path.read_bytes()[:3000])


def a_pipe(quarter):
    """Beside files that aren't read, which are named whatever the run comes to."""
    (quarter / "ticket.csv").rename(quarter / "ticket.txt")
    (quarter / "backup").mkdir()
    os.mkfifo(quarter / "ticket.csv")


def an_error_cell(quarter):
    path = quarter / "ticket.csv"
    text = path.read_text(encoding="utf-8-sig")
    path.write_text(text.replace(",2022-03-17 16:28:00,", ",#REF!,", 1), encoding="utf-8-sig")


SUGGESTION_BYTES = (EXPORTS / "2022Q2" / "suggestion.csv").stat().st_size


def cut_off(quarter):
    path = quarter / "ticket.csv"
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rstrip().rfind(b"\n") + 30])


def wrong_encoding(quarter):
    path = quarter / "suggestion.csv"
    path.write_bytes(path.read_bytes() + b"\xff\xff\xff\n")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (missing_export, ["missing_export", "2022Q2/", "信箱"]),
        (unknown_header, ["unknown_header", "ticket.csv", "第 1 行", "承办单位", "责任部门"]),
        (not_a_header, ["unknown_header", "ticket.csv", "第 1 行", "工单编号"]),
        (empty_file, ["empty_file", "ticket.csv"]),
        (broken_xlsx, ["bad_workbook", "mailbox.xlsx"]),
        (a_pipe, ["not_a_file", "2022Q2/ticket.csv", "管道", "没有读", "ticket.txt", "backup/"]),
        (an_error_cell, ["error_cell", "ticket.csv", "第 2 行", "办结时间", "#REF!"]),
    ],
)
def test_unusable_input(damage, words, home, exports):
    damage(exports / "2022Q2")
    before = hashes(home / "published")
    ran = hotline("run", "2022Q2", home=home, exports=exports)
    assert ran.status == 2, ran.out + ran.err
    for word in [*words, "应为", "处理"]:
        assert word in ran.err, ran.err
    assert "虚构" not in ran.err + ran.out and "000-" not in ran.err + ran.out
    assert "Traceback" not in ran.err
    assert hashes(home / "published") == before


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (cut_off, ["malformed_row", "ticket.csv", "第 2175 行"]),
        (
            wrong_encoding,
            ["undecodable", "suggestion.csv", "第 33 行", f"第 {SUGGESTION_BYTES + 1} 个字节"],
        ),
    ],
)
def test_a_damaged_row_is_rejected(damage, words, home, exports):
    damage(exports / "2022Q2")
    before = hashes(home / "published" / "parquet")
    ran = hotline("run", "2022Q2", home=home, exports=exports)
    assert ran.status == 1, ran.out + ran.err
    for word in [*words, "应为", "处理"]:
        assert word in ran.err, ran.err
    assert "虚构" not in ran.err + ran.out and "000-" not in ran.err + ran.out
    # The cause first; what follows from it is counted.
    assert ran.err.count("控制项不符") == 1 and "控制项不符：rejected_rows" in ran.err
    assert len(ran.err.splitlines()) < 10
    assert "检查未过" not in ran.err.replace("项检查未过", "")
    assert hashes(home / "published" / "parquet") == before


@pytest.mark.parametrize(
    ("quarter", "code"),
    [("2022Q5", "bad_quarter"), ("22Q2", "bad_quarter"), ("2021Q1", "missing_quarter")],
)
def test_a_quarter_that_is_not_there(quarter, code, tmp_path):
    ran = hotline("run", quarter, home=tmp_path / "home")
    assert ran.status == 2
    assert code in ran.err and "处理" in ran.err


def test_reconcile_before_any_run(tmp_path):
    ran = hotline("reconcile", "2022Q2", home=tmp_path / "home")
    assert ran.status == 2
    assert "hotline run 2022Q2" in ran.err


@pytest.mark.parametrize("name", ["a[b]", "what?", "all*", "line\nbreak"])
def test_a_home_whose_path_is_a_pattern(name, tmp_path):
    ran = hotline("reconcile", "2022Q2", home=tmp_path / name)
    assert ran.status == 2 and "bad_home_path" in ran.err and "Traceback" not in ran.err
