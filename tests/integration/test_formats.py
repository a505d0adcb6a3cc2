"""The same tickets in every format, encoding and layout give the same rows in the lake."""

import csv
import gzip
from dataclasses import replace

import polars as pl
import pytest
from conftest import EXPORTS
from rewrite import ods, text, xls, xlsx

from orchestration.ingest.contracts import load_contracts
from orchestration.ingest.lake import ingest_source
from orchestration.quarters import Quarter
from orchestration.settings import Home

CONTRACTS = load_contracts(EXPORTS / "contracts")
with (EXPORTS / "2022Q2" / "ticket.csv").open(encoding="utf-8-sig", newline="") as file:
    ROWS = list(csv.reader(file))
HEADER, BODY = ROWS[0], ROWS[1:]
EMPTY = [""] * len(HEADER)
TOTAL = ["合计", str(len(BODY)), *EMPTY[2:]]
NOTE = ["注：本表不含撤销的工单", *EMPTY[1:]]
TITLE = [["2022年第二季度工单明细"], [], ["导出时间：", "2022-07-02"]]


def two_rows(header):
    """A header whose 回访 is merged over two columns, and every other cell over two rows."""
    upper = [
        "回访" if text == "回访时间" else "" if text == "回访结果" else text for text in header
    ]
    lower = [text[2:] if text.startswith("回访") else "" for text in header]
    return [upper, lower]


def three_rows(header):
    """Titles of groups over a header: their texts belong to no column's name."""
    return [
        ["基本信息", *EMPTY[1:6], "办理情况", *EMPTY[7:]],
        ["来源", "", *EMPTY[2:]],
        header,
    ]


def dirty_header(header):
    return [f"\u3000{text[:2]}\n{text[2:]}\u00a0" for text in header]


def with_blank_rows(rows):
    return [
        row for at, row in enumerate(rows) for row in ([row, EMPTY] if at % 400 == 3 else [row])
    ]


def reordered(rows):
    return [row[::-1] for row in rows]


CSV = text(ROWS)
FORMATS = {
    "utf-8": {"a.csv": CSV.encode()},
    "utf-8-bom": {"a.csv": CSV.encode("utf-8-sig")},
    "utf-16-le": {"a.csv": b"\xff\xfe" + CSV.encode("utf-16-le")},
    "utf-16-be": {"a.csv": b"\xfe\xff" + CSV.encode("utf-16-be")},
    "gb18030": {"a.csv": CSV.encode("gb18030")},
    "line-feeds": {"a.csv": text(ROWS, lineterminator="\n").encode()},
    "carriage-returns": {"a.csv": text(ROWS, lineterminator="\r").encode("gb18030")},
    "no-last-line-end": {"a.csv": CSV.rstrip().encode()},
    "all-quoted": {"a.csv": text(ROWS, quoting=csv.QUOTE_ALL).encode("gb18030")},
    "tsv": {"a.tsv": text(ROWS, "\t").encode()},
    "tsv-utf-16": {"a.tsv": text(ROWS, "\t").encode("utf-16")},
    "tabs-in-csv": {"a.csv": text(ROWS, "\t").encode("gb18030")},
    "semicolons": {"a.csv": text(ROWS, ";").encode()},
    "csv-gz": {"a.csv.gz": gzip.compress(CSV.encode("gb18030"))},
    "tsv-gz": {"a.tsv.gz": gzip.compress(text(ROWS, "\t").encode())},
    "capital-suffix": {"A.CSV": CSV.encode()},
    "xlsx": {"a.xlsx": lambda: xlsx({"Sheet1": ROWS})},
    "xlsx-date-cells": {"a.xlsx": lambda: xlsx({"Sheet1": ROWS}, dates=True)},
    "xls": {"a.xls": lambda: xls(ROWS)},
    "ods": {"a.ods": lambda: ods({"Sheet1": ROWS})},
    "two-sheets": {
        "a.xlsx": lambda: xlsx({"四月": ROWS[:900], "空": [], "五月": [HEADER, *ROWS[900:]]})
    },
    "two-sheets-ods": {"a.ods": lambda: ods({"四月": ROWS[:900], "五月": [HEADER, *ROWS[900:]]})},
    "ignored-sheet": {"a.xlsx": lambda: xlsx({"说明": [["本表说明"]], "数据": ROWS})},
    "several-files": {
        "a.csv": text(ROWS[:900]).encode("gb18030"),
        "b.xlsx": lambda: xlsx({"Sheet1": [HEADER, *ROWS[900:1500]]}),
        "c.tsv": text([HEADER, *ROWS[1500:]], "\t").encode("utf-16"),
    },
    "title": {"a.csv": text([*TITLE, *ROWS]).encode()},
    "title-xlsx": {"a.xlsx": lambda: xlsx({"Sheet1": [*TITLE, *ROWS]})},
    "title-quoted-break": {"a.csv": text([["明细\n（内部）"], *ROWS]).encode("gb18030")},
    "two-row-header": {"a.csv": text([*two_rows(HEADER), *BODY]).encode()},
    "two-row-header-xlsx": {"a.xlsx": lambda: xlsx({"Sheet1": [*two_rows(HEADER), *BODY]})},
    "three-row-header": {"a.csv": text([*TITLE, *three_rows(HEADER), *BODY]).encode("gb18030")},
    "three-row-header-ods": {"a.ods": lambda: ods({"Sheet1": [*three_rows(HEADER), *BODY]})},
    "dirty-header": {"a.csv": text([dirty_header(HEADER), *BODY]).encode()},
    "columns-reordered": {"a.csv": text(reordered(ROWS)).encode()},
    "blank-rows": {"a.csv": text(with_blank_rows(ROWS)).encode()},
    "blank-lines": {"a.csv": CSV.replace("\r\n", "\r\n\r\n", 500).encode("gb18030")},
    "blank-rows-xlsx": {"a.xlsx": lambda: xlsx({"Sheet1": with_blank_rows(ROWS)})},
    "blank-columns": {"a.csv": text([[*row, "", ""] for row in ROWS]).encode()},
    "total-and-note": {"a.csv": text([*ROWS, TOTAL, NOTE]).encode("gb18030")},
    "total-and-short-note": {"a.csv": text([*ROWS, [], TOTAL, NOTE[:1]]).encode()},
    "total-and-note-xlsx": {"a.xlsx": lambda: xlsx({"Sheet1": [*ROWS, TOTAL, NOTE]})},
}


def ingest(folder, files, contracts=CONTRACTS, source="ticket"):
    """Bring files into a new lake; the source's rows in order, and the files."""
    quarter = folder / "exports" / "2022Q2"
    quarter.mkdir(parents=True)
    for name, content in files.items():
        (quarter / name).write_bytes(content() if callable(content) else content)
    home = Home(folder / "home")
    found = ingest_source(home, quarter.parent, Quarter(2022, 2), contracts, source)
    frame = pl.concat([pl.read_parquet(file.parquet(home)) for file in found])
    assert [path for path in home.scratch.rglob("*") if path.is_file()] == []
    return frame, found


@pytest.fixture(scope="module")
def expected():
    names = [column.name for column in CONTRACTS["ticket"].columns]
    frame = pl.DataFrame(BODY, schema=dict.fromkeys(names, pl.String), orient="row")
    return frame.select(CONTRACTS["ticket"].kept_columns)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_rows(name, expected, tmp_path):
    contracts = CONTRACTS
    if name == "ignored-sheet":
        ticket = CONTRACTS["ticket"].model_copy(update={"ignored_sheets": ("说明",)})
        contracts = CONTRACTS | {"ticket": ticket}
    frame, files = ingest(tmp_path, FORMATS[name], contracts)
    assert all(file.row_count == file.counted_row_count for file in files)
    assert sum(file.row_count for file in files) == frame.height
    defects = frame.filter(pl.col("row_defect").is_not_null())
    assert set(defects["row_defect"]) == ({"not_a_record"} if "total" in name else set())
    assert defects.drop("file_sha256", "row_number", "row_defect").null_count().row(0) == tuple(
        [defects.height] * expected.width
    )
    records = frame.filter(pl.col("row_defect").is_null())
    assert records.select(expected.columns).fill_null("").equals(expected)
    for file in files:
        own = frame.filter(pl.col("file_sha256") == file.file_sha256)["row_number"]
        assert own.is_sorted() and own.is_unique().all()


def test_row_numbers_are_those_that_a_spreadsheet_shows(tmp_path):
    rows = [*TITLE, HEADER, BODY[0], EMPTY, BODY[1], ["a\nb", *BODY[2][1:]], TOTAL, BODY[3]]
    expected = [5, 7, 8, 9, 10]
    for name, content in {
        "clean": {"a.csv": text([*rows[:2], *rows[2:]]).encode()},
        "careful": {"a.csv": text(rows).replace("a\n", "a\r").encode()},
        "workbook": {"a.xlsx": xlsx({"Sheet1": rows})},
    }.items():
        frame, _ = ingest(tmp_path / name, content)
        assert frame["row_number"].to_list() == expected, name
    frame, _ = ingest(tmp_path / "sheets", {"a.xlsx": xlsx({"一": ROWS[:3], "二": ROWS[:3]})})
    assert frame["row_number"].to_list() == [2, 3, 10_000_002, 10_000_003]


def test_pseudonyms_need_a_key_and_are_the_same_for_the_same_person(tmp_path, monkeypatch):
    ticket = CONTRACTS["ticket"]
    columns = tuple(
        column.model_copy(update={"personal": "pseudonymise"})
        if column.name == "caller_telephone"
        else column
        for column in ticket.columns
    )
    contracts = CONTRACTS | {"ticket": ticket.model_copy(update={"columns": columns})}
    rows = [HEADER, BODY[0], [*BODY[1][:13], BODY[0][13] + "\u3000", *BODY[1][14:]], BODY[2]]
    monkeypatch.delenv("HOTLINE_HASH_KEY", raising=False)
    with pytest.raises(Exception, match="missing_hash_key"):
        ingest(tmp_path / "none", {"a.csv": text(rows).encode()}, contracts)
    seen = set()
    for key in ("first", "second"):
        monkeypatch.setenv("HOTLINE_HASH_KEY", key)
        frame, _ = ingest(tmp_path / key, {"a.csv": text(rows).encode()}, contracts)
        one, same, other = frame["caller_telephone"]
        assert one == same != other and len(one) == 64
        seen.add(one)
    assert len(seen) == 2


def test_the_same_file_again_is_left_alone(tmp_path):
    _, (file,) = ingest(tmp_path, {"a.csv": CSV.encode()})
    home = Home(tmp_path / "home")
    before = file.parquet(home).stat().st_mtime_ns
    (again,) = ingest_source(home, tmp_path / "exports", Quarter(2022, 2), CONTRACTS, "ticket")
    assert again == replace(file) and file.parquet(home).stat().st_mtime_ns == before
