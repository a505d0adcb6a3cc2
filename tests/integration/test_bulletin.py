"""Bulletins at the command line and in a run: what is found, what is said, what is published."""

import csv

import pytest
from bulletins import Style, html, long_form, published, word, write
from conftest import EXPORTS, hashes, hotline, read

RECONCILED = (
    "select control_id, subject, measure, expected, actual, status from audit.reconciliation "
    "where control_group in ('published', 'bulletin_self') order by all"
)


@pytest.fixture
def quarter(exports):
    """The quarter's folder, its bulletin taken out."""
    (exports / "2022Q2" / "bulletin.csv").unlink()
    return exports / "2022Q2"


def test_the_command_lists_contradictions_as_a_table_and_as_csv(tmp_path):
    path = EXPORTS / "2022Q2" / "bulletin.csv"
    ran = hotline("lint-bulletin", path, home=tmp_path)
    assert ran.status == 1
    assert "矛盾 13 处" in ran.out and "全区回访 2049 件" in ran.out
    for text in ("松杨湖街道办事处", "bulletin_request_type", "-137", "第 677 行“办件量”"):
        assert text in ran.out
    ran = hotline("lint-bulletin", path, "--csv", home=tmp_path)
    rows = list(csv.DictReader(ran.out.splitlines()))
    assert ran.status == 1 and len(rows) == 13
    assert {
        "control_id": "bulletin_text",
        "subject": "market_regulation",
        "measure": "due_count",
        "expected": "158",
        "actual": "150",
        "difference": "-8",
        "place": "第 680 行“办件量”",
    } in rows


def test_a_document_without_contradictions_ends_well(tmp_path):
    rows = [row for row in published() if row[1] == "appendix_3"]
    ran = hotline("lint-bulletin", write(tmp_path, "a.csv", long_form(rows)), home=tmp_path)
    assert ran.status == 0, ran.out + ran.err
    assert "读到 26 个数字" in ran.out and "矛盾 0 处" in ran.out


UNREADABLE = {
    "bad_document": ("a.docx", lambda: word(published(), Style())[:9000]),
    "unknown_column": ("a.html", lambda: html(published(), Style()).replace("返工率", "返工比", 1)),
    "unknown_measure": (
        "a.csv",
        lambda: long_form(published()).replace("返工率", "返工比率", 1),
    ),
    "missing_file": ("", lambda: ""),
}


@pytest.mark.parametrize("code", UNREADABLE)
def test_what_cannot_be_read_is_said(code, tmp_path):
    name, content = UNREADABLE[code]
    path = write(tmp_path, name, content()) if name else tmp_path / "a.docx"
    ran = hotline("lint-bulletin", path, home=tmp_path)
    assert ran.status == 2 and "应为" in ran.err and "处理" in ran.err
    assert (code if code != "unknown_column" else "unknown_") in ran.err


@pytest.mark.slow
def test_a_word_bulletin_gives_the_same_publication(published_home, quarter, tmp_path):
    """As the long form does: marts, and every control that reads the bulletin."""
    write(quarter, "bulletin.docx", word(published(), Style(3, wrap="lines")))
    ran = hotline("run", "2022Q2", home=tmp_path / "new", exports=quarter.parent)
    assert ran.status == 0, ran.out + ran.err
    assert read(tmp_path / "new", RECONCILED) == read(published_home, RECONCILED)
    assert len(read(published_home, RECONCILED)) > 1400
    parquet = [home / "published" / "parquet" for home in (tmp_path / "new", published_home)]
    assert hashes(parquet[0]) == hashes(parquet[1])


@pytest.mark.parametrize("name", ["bulletin.docx", "bulletin.xlsx"])
def test_what_the_run_writes_is_read_back(name, published_home, tmp_path):
    """It keeps what is so (callbacks above due, a name of two units) and mends what was not."""
    path = published_home / "published" / "bulletin" / "2022Q2" / name
    ran = hotline("lint-bulletin", path, "--csv", home=tmp_path)
    found = [row["control_id"] for row in csv.DictReader(ran.out.splitlines())]
    assert found == ["bulletin_callback"] * 4 + ["bulletin_name"]


def test_a_contradiction_that_nobody_explained_stops_the_run(home, quarter):
    """A figure that only the bulletin itself can confirm: 100 of 105 are no 96.24 percent."""
    text = html(published(), Style()).replace("95.24%", "96.24%")
    write(quarter, "bulletin.html", text)
    before = hashes(home / "published")
    ran = hotline("run", "2022Q2", home=home, exports=quarter.parent)
    assert ran.status == 1
    assert "bulletin_rate" in ran.err and ran.err.count("控制项不符") == 1
    assert hashes(home / "published") == before


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("bulletin.docx", b"not a document", "bad_document"),
        ("bulletin.pdf", b"%PDF-1.7", "unknown_format"),
    ],
)
def test_a_bulletin_that_cannot_be_read_publishes_nothing(name, content, code, home, quarter):
    before = hashes(home / "published")
    write(quarter, name, content)
    ran = hotline("run", "2022Q2", home=home, exports=quarter.parent)
    assert ran.status == 2
    assert code in ran.err and name in ran.err and "没有发布任何内容" in ran.err
    assert hashes(home / "published") == before
