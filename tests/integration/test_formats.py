"""The same exports in every format, encoding and layout: the same rows, and the same marts."""

import csv
import gzip
import shutil
from dataclasses import replace

import polars as pl
import pytest
from conftest import EXPORTS
from rewrite import ods, rows_of, text, xls, xlsx

from orchestration.common.quarters import Quarter
from orchestration.common.settings import Home
from orchestration.ingest.lake import ingest_source
from orchestration.publish.versions import export_outputs, published_manifest
from orchestration.reading.contracts import load_contracts
from orchestration.warehouse.connection import query
from orchestration.warehouse.raw_schema import register_raw

CONTRACTS = load_contracts(EXPORTS / "contracts")
ROWS = rows_of("ticket")
HEADER, BODY = ROWS[0], ROWS[1:]
EMPTY = [""] * len(HEADER)
TOTAL = ["合计", str(len(BODY)), *EMPTY[2:]]
TITLE = [["2022年第二季度明细"], [], ["导出时间：", "2022-07-02"]]


def with_end(rows):
    """A row of totals and a footnote below the rows."""
    blank = [""] * (len(rows[0]) - 2)
    return [*rows, ["合计", str(len(rows) - 1), *blank], ["注：不含撤销的", "", *blank]]


def two_rows(rows):
    """A header that merges two columns that begin alike, and every other cell over two rows."""
    header = rows[0]
    at = next(at for at in range(len(header) - 1, 0, -1) if header[at][:1] == header[at - 1][:1])
    merged = header[at][:1]
    upper = [*header[: at - 1], merged, "", *header[at + 1 :]]
    lower = [
        "" if place not in (at - 1, at) else text[len(merged) :]
        for place, text in enumerate(header)
    ]
    return [upper, lower, *rows[1:]]


def three_rows(rows):
    """Titles of groups over a header: their texts belong to no column's name."""
    width = len(rows[0])
    groups = ["基本信息", *[""] * (width // 2 - 1), "办理情况"]
    return [groups + [""] * (width - len(groups)), ["来源", *[""] * (width - 1)], *rows]


def dirty_header(rows):
    return [[f"\u3000{text[:2]}\n{text[2:]}\u00a0" for text in rows[0]], *rows[1:]]


def with_blank_rows(rows):
    blank = [""] * len(rows[0])
    return [
        row for at, row in enumerate(rows) for row in ([row, blank] if at % 400 == 3 else [row])
    ]


def sheets_of(rows, titles=("四月", "五月")):
    """Rows over two sheets, each with the header."""
    half = len(rows) * 2 // 5
    return {titles[0]: rows[:half], "空": [], titles[1]: [rows[0], *rows[half:]]}


def three_files(rows):
    first, second = len(rows) * 2 // 5, len(rows) * 7 // 10
    return {
        "1.csv": text(rows[:first]).encode("gb18030"),
        "2.xlsx": xlsx({"Sheet1": [rows[0], *rows[first:second]]}),
        "3.tsv": text([rows[0], *rows[second:]], "\t").encode("utf-16"),
    }


def one_sheet(write, change=lambda rows: rows):
    return lambda rows: write({"Sheet1": change(rows)})


# A format: how its file's name ends, and what writes rows as its bytes.
FORMATS = {
    "utf-8": (".csv", lambda rows: text(rows).encode()),
    "utf-8-bom": (".csv", lambda rows: text(rows).encode("utf-8-sig")),
    "utf-16-le": (".csv", lambda rows: b"\xff\xfe" + text(rows).encode("utf-16-le")),
    "utf-16-be": (".csv", lambda rows: b"\xfe\xff" + text(rows).encode("utf-16-be")),
    "gb18030": (".csv", lambda rows: text(rows).encode("gb18030")),
    "line-feeds": (".csv", lambda rows: text(rows, lineterminator="\n").encode()),
    "carriage-returns": (".csv", lambda rows: text(rows, lineterminator="\r").encode("gb18030")),
    "no-last-line-end": (".csv", lambda rows: text(rows).rstrip().encode()),
    "all-quoted": (".csv", lambda rows: text(rows, quoting=csv.QUOTE_ALL).encode("gb18030")),
    "tsv": (".tsv", lambda rows: text(rows, "\t").encode()),
    "tsv-utf-16": (".tsv", lambda rows: text(rows, "\t").encode("utf-16")),
    "tabs-in-csv": (".csv", lambda rows: text(rows, "\t").encode("gb18030")),
    "semicolons": (".csv", lambda rows: text(rows, ";").encode()),
    "csv-gz": (".csv.gz", lambda rows: gzip.compress(text(rows).encode("gb18030"))),
    "tsv-gz": (".tsv.gz", lambda rows: gzip.compress(text(rows, "\t").encode())),
    "capital-suffix": (".CSV", lambda rows: text(rows).encode()),
    "xlsx": (".xlsx", one_sheet(xlsx)),
    "xlsx-date-cells": (".xlsx", lambda rows: xlsx({"Sheet1": rows}, dates=True)),
    "xls": (".xls", xls),
    "ods": (".ods", one_sheet(ods)),
    "two-sheets": (".xlsx", lambda rows: xlsx(sheets_of(rows))),
    "two-sheets-ods": (".ods", lambda rows: ods(sheets_of(rows))),
    "ignored-sheet": (".xlsx", lambda rows: xlsx({"说明": [["本表说明"]], "数据": rows})),
    "several-files": ("", three_files),
    "title": (".csv", lambda rows: text([*TITLE, *rows]).encode()),
    "title-xlsx": (".xlsx", one_sheet(xlsx, lambda rows: [*TITLE, *rows])),
    "title-quoted-break": (
        ".csv",
        lambda rows: text([["明细\n（内部）"], *rows]).encode("gb18030"),
    ),
    "two-row-header": (".csv", lambda rows: text(two_rows(rows)).encode()),
    "two-row-header-xlsx": (".xlsx", one_sheet(xlsx, two_rows)),
    "three-row-header": (
        ".csv",
        lambda rows: text([*TITLE, *three_rows(rows)]).encode("gb18030"),
    ),
    "three-row-header-ods": (".ods", one_sheet(ods, three_rows)),
    "dirty-header": (".csv", lambda rows: text(dirty_header(rows)).encode()),
    "columns-reordered": (".csv", lambda rows: text([row[::-1] for row in rows]).encode()),
    "blank-rows": (".csv", lambda rows: text(with_blank_rows(rows)).encode()),
    "blank-lines": (
        ".csv",
        lambda rows: text(rows).replace("\r\n", "\r\n\r\n", 500).encode("gb18030"),
    ),
    "blank-rows-xlsx": (".xlsx", one_sheet(xlsx, with_blank_rows)),
    "blank-columns": (".csv", lambda rows: text([[*row, "", ""] for row in rows]).encode()),
    "total-and-note": (".csv", lambda rows: text(with_end(rows)).encode("gb18030")),
    "total-and-short-note": (
        ".csv",
        lambda rows: text([*rows, [], *with_end(rows)[-2:-1], ["注：不含撤销的"]]).encode(),
    ),
    "total-and-note-xlsx": (".xlsx", one_sheet(xlsx, with_end)),
}


def files_of(name, rows, stem="a"):
    """The files that hold rows in a format, by name."""
    suffix, write = FORMATS[name]
    written = write(rows)
    if isinstance(written, bytes):
        return {f"{stem}{suffix}": written}
    return {f"{stem}-{end}": content for end, content in written.items()}


def contracts_for(names):
    """The project's contracts; where a format needs it, with a sheet that holds no rows."""
    if "ignored-sheet" not in names:
        return CONTRACTS
    return {
        source: contract.model_copy(update={"ignored_sheets": ("说明",)})
        for source, contract in CONTRACTS.items()
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
    frame, files = ingest(tmp_path, files_of(name, ROWS), contracts_for([name]))
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


@pytest.fixture(scope="module")
def manifest():
    from orchestration.warehouse.dbt import parse_project

    return parse_project()


BATCHES = [list(FORMATS)[start::8] for start in range(8)]


@pytest.mark.parametrize("names", BATCHES, ids=",".join)
def test_every_format_gives_the_same_marts(names, manifest, published_home, tmp_path):
    """Byte for byte: tickets in a file of each format, letters and suggestions whole in one."""
    from orchestration.warehouse.dbt import build

    files = files_of(names[0], rows_of("mailbox"), "mailbox")
    files |= files_of(names[-1], rows_of("suggestion"), "suggestion")
    for place, name in enumerate(names):
        files |= files_of(name, [HEADER, *BODY[place :: len(names)]], f"ticket{place}")
    folder = tmp_path / "exports" / "2022Q2"
    folder.mkdir(parents=True)
    shutil.copy(EXPORTS / "2022Q2" / "bulletin.csv", folder)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    home, quarter, contracts = Home(tmp_path / "home"), Quarter(2022, 2), contracts_for(names)
    for source in contracts:
        assert ingest_source(home, folder.parent, quarter, contracts, source), source
    register_raw(home, quarter, "formats", contracts)
    built = build(home, manifest, lambda _: None)
    statuses = {result["status"] for result in built.run_results["results"]}
    assert statuses.isdisjoint({"error", "fail", "skipped"})
    broken = "select * from audit.reconciliation where status not in ('match', 'explained')"
    assert query(home, broken) == []
    outputs = export_outputs(home, str(quarter), home.scratch / "outputs")
    expected = published_manifest(Home(published_home), str(quarter))["outputs"]
    # Facts name the file that they come from; no mart does.
    marts = {name: sha for name, sha in expected.items() if not name.startswith("fct_")}
    assert len(marts) == 10
    assert marts.items() <= outputs.items()


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
    for key in ("the first key of two", "the second key of two"):
        monkeypatch.setenv("HOTLINE_HASH_KEY", key)
        frame, _ = ingest(tmp_path / key, {"a.csv": text(rows).encode()}, contracts)
        one, same, other = frame["caller_telephone"]
        assert one == same != other and len(one) == 64
        seen.add(one)
    assert len(seen) == 2


def test_the_same_file_again_is_left_alone(tmp_path):
    _, (file,) = ingest(tmp_path, files_of("utf-8", ROWS))
    home = Home(tmp_path / "home")
    before = file.parquet(home).stat().st_mtime_ns
    (again,) = ingest_source(home, tmp_path / "exports", Quarter(2022, 2), CONTRACTS, "ticket")
    assert again == replace(file) and file.parquet(home).stat().st_mtime_ns == before
