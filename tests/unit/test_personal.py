"""The search for personal values finds one wherever it is planted."""

import json
import sqlite3
import zipfile

import duckdb
import polars as pl
import pytest
from personal import leaks


@pytest.mark.parametrize("value", ["虚构人甲0001", "虚构路1号", "虚构内容：甲", "000-0000-0001"])
def test_a_planted_value_is_found_in_every_kind_of_file(value, tmp_path):
    (tmp_path / "a.log").write_text(f"x {value}", encoding="utf-8")
    (tmp_path / "b.json").write_text(json.dumps({"a": value}), encoding="ascii")
    pl.DataFrame({"a": ["x", f"{value}!"]}).write_parquet(
        tmp_path / "c.parquet", compression="zstd"
    )
    with duckdb.connect(str(tmp_path / "d.duckdb")) as connection:
        connection.execute("create schema s")
        connection.execute("create table s.t as select repeat('x', 9) a, ? as b", [value])
    with zipfile.ZipFile(tmp_path / "e.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings.xml", f"<t>{value}</t>")
    with sqlite3.connect(tmp_path / "f.db") as events:
        events.execute("create table event (event text)")
        events.execute("insert into event values (?)", [json.dumps({"found": value})])
    events.close()
    assert [path.name[0] for path in leaks(tmp_path)] == list("abcdef")


def test_dates_identifiers_and_the_notice_are_not_personal(tmp_path):
    (tmp_path / "a.txt").write_text("2000-0101 ab5000-4123-8123 虚构数据", encoding="utf-8")
    assert leaks(tmp_path) == []
