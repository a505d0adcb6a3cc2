"""Forgetting a work order: nothing of it stays or comes back, and no published figure changes."""

import json
import sqlite3
import zipfile
from contextlib import closing

import duckdb
import polars as pl
import pytest
from conftest import EXPORTS, hashes, hotline
from filelock import FileLock
from rewrite import rows_of

KEY = "a key of thirty-two characters.."
WHO = ("--reason", "当事人要求", "--operator", "王科长")


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("HOTLINE_HASH_KEY", KEY)


def number_at(row, source="ticket"):
    return rows_of(source)[row - 1][0]


def holders(folder, number):
    """The files below a folder that hold a number, looked at as what they are."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and (number.encode() in path.read_bytes() or number in contents(path))
    ]


def contents(path):
    if path.suffix == ".parquet":
        texts = pl.read_parquet(path).select(pl.col(pl.String))
        return "\n".join(value or "" for column in texts for value in column)
    if path.suffix == ".duckdb":
        with duckdb.connect() as connection:
            connection.execute(f"attach '{path}' as searched (read_only)")
            tables = connection.execute(
                "select schema_name, table_name from duckdb_tables() "
                "where database_name = 'searched'"
            ).fetchall()
            return "\n".join(
                str(connection.execute(f'from searched."{schema}"."{table}"').fetchall())
                for schema, table in tables
            )
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return "\n".join(
                archive.read(name).decode("utf-8", "ignore") for name in archive.namelist()
            )
    return ""


def marts(home):
    found = hashes(home / "published" / "versions")
    return {path: sha for path, sha in found.items() if "fct_" not in path and "json" not in path}


def manifest(home):
    path = home / "published/versions/2022Q2/v1/manifest.json"
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_work_order_is_gone_from_everything_and_stays_gone(home, tmp_path):
    number, other = number_at(123), number_at(124)
    events = home / "dagster" / "told.db"  # as a run tells which rows a corrected file changed
    with closing(sqlite3.connect(events)) as connection:
        connection.execute("create table told (event text)")
        connection.execute("insert into told values (?)", [f"改动 2 行（{number}、{number}9）"])
        connection.commit()
    before, figures = holders(home, number), marts(home)
    assert {path.suffix for path in before} >= {".parquet", ".duckdb", ".html", ".db"}

    ran = hotline("forget", "2022Q2", number, *WHO, home=home)
    assert ran.status == 0, ran.out + ran.err
    assert "已遗忘 1 个编号，原始层 1 行（2022Q2）" in ran.out
    with closing(sqlite3.connect(events)) as connection:
        ((told,),) = connection.execute("select event from told")
    assert told.endswith(f"、{number}9）") and number not in told.replace(f"{number}9", "")
    events.unlink()
    assert holders(home, number) == []
    assert holders(home, other) != []
    assert marts(home) == figures

    (entry,) = json.loads((home / "lake" / "erasures.json").read_text(encoding="utf-8"))
    said = ("ticket", "王科长", "当事人要求", 1)
    assert tuple(entry[key] for key in ("source", "operator", "reason", "row_count")) == said
    (erasure,) = manifest(home)["erasures"]
    assert set(erasure["tables"]) == {"fct_ticket", "fct_callback"}

    ran = hotline("verify", "2022Q2", home=home)
    assert ran.status == 0, ran.out + ran.err
    assert "按遗忘名单改写过明细 fct_ticket、fct_callback" in ran.out

    # From the untouched export again, and out of a backup: nobody comes back, nothing changes.
    for path in (home / "lake" / "ticket").iterdir():
        path.unlink()
    ran = hotline("run", "2022Q2", home=home)
    assert ran.status == 0, ran.out + ran.err
    assert "2022Q2 第 1 版" in ran.out
    assert number in (EXPORTS / "2022Q2" / "ticket.csv").read_text(encoding="utf-8-sig")
    assert holders(home, number) == []
    assert marts(home) == figures
    ran = hotline("trace", "2022Q2", "--row", "ticket.csv:123", home=home)
    assert entry["tombstone"] in ran.out and number not in ran.out

    archive = tmp_path / "home.tar.gz"
    assert hotline("backup", archive, home=home).status == 0
    assert KEY.encode() not in b"".join(p.read_bytes() for p in home.rglob("*") if p.is_file())
    ran = hotline("forget", "2022Q2", number, *WHO, home=home)
    assert (ran.status, "1 个编号此前已经遗忘" in ran.out) == (0, True), ran.out + ran.err


def test_an_older_backup_takes_the_list_over(home, published_home, tmp_path):
    number = number_at(2, "mailbox")
    source = ("--source", "mailbox")
    listed = tmp_path / "numbers.txt"
    listed.write_text(f"\ufeff{number}\n\n", encoding="utf-8")
    ran = hotline("forget", "2022Q2", "--file", listed, *source, *WHO, home=home)
    assert ran.status == 0, ran.out + ran.err
    archive, old = tmp_path / "before.tar.gz", tmp_path / "old"
    assert hotline("backup", archive, home=published_home).status == 0
    assert hotline("restore", archive, home=old).status == 0
    assert holders(old, number) != []
    (old / "lake" / "erasures.json").write_bytes((home / "lake" / "erasures.json").read_bytes())
    # Any run does what the list asks for first; this one finds no exports of its quarter.
    ran = hotline("run", "2030Q1", home=old)
    assert (ran.status, "missing_quarter" in ran.err) == (2, True), ran.out + ran.err
    assert holders(old, number) == []
    assert manifest(old)["outputs"] == manifest(home)["outputs"]
    assert hotline("verify", "2022Q2", home=old).status == 0


def refusals(published_home):
    good = number_at(123)
    return {
        "unknown_quarter": (["2022Q1", good, *WHO], {}),
        "bad_quarter": (["2022-2", good, *WHO], {}),
        "unknown_number": (["2022Q2", good, "YX1", *WHO], {}),
        "unknown_source": (["2022Q2", good, *WHO, "--source", "bulletin"], {}),
        "missing_reason": (["2022Q2", good, "--operator", "王科长"], {}),
        "missing_operator": (["2022Q2", good, "--reason", "当事人要求"], {}),
        "missing_number": (["2022Q2", *WHO], {}),
        "bad_numbers": (["2022Q2", "--file", published_home / "none.txt", *WHO], {}),
        "missing_hash_key": (["2022Q2", good, *WHO], {"HOTLINE_HASH_KEY": ""}),
        "weak_hash_key": (["2022Q2", good, *WHO], {"HOTLINE_HASH_KEY": "short"}),
    }


def test_a_request_that_cannot_be_met_changes_nothing(home, published_home, monkeypatch):
    before = hashes(home)
    for code, (arguments, variables) in refusals(published_home).items():
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            ran = hotline("forget", *arguments, home=home)
        assert (ran.status, f"[{code}]" in ran.err) == (2, True), code + ran.out + ran.err
        assert number_at(123) not in ran.err and "YX1" not in ran.err
    after = {path: sha for path, sha in hashes(home).items() if not path.startswith("writer")}
    assert after == {path: sha for path, sha in before.items() if not path.startswith("writer")}


def test_a_home_in_use_is_left_alone(home):
    with FileLock(home / "writer.lock"):
        (home / "writer.json").write_text('{"run_id": "r", "pid": 1, "since": "2022-07-05"}')
        ran = hotline("forget", "2022Q2", number_at(123), *WHO, home=home)
    assert ran.status == 2
    assert "home_busy" in ran.err and "2022-07-05" in ran.err
    assert not (home / "lake" / "erasures.json").exists()


def test_the_list_needs_the_key_that_it_was_made_with(home, monkeypatch):
    assert hotline("forget", "2022Q2", number_at(123), *WHO, home=home).status == 0
    monkeypatch.setenv("HOTLINE_HASH_KEY", KEY[::-1])
    for path in (home / "lake" / "ticket").iterdir():
        path.unlink()
    ran = hotline("run", "2022Q2", home=home)
    assert (ran.status, "wrong_hash_key" in ran.err) == (2, True), ran.out + ran.err
    assert not list((home / "lake" / "ticket").iterdir()), "rather nothing than the person again"


def test_the_retention_rule_forgets_a_whole_quarter(home, exports):
    figures = marts(home)
    numbers = [number_at(2), number_at(2000), number_at(2, "mailbox"), number_at(3, "suggestion")]
    settings = exports / "privacy.yml"
    settings.write_text("retention_months: 1200\n", encoding="utf-8")
    ran = hotline("run", "2030Q1", home=home, exports=exports)  # any run; this one finds no exports
    assert "missing_quarter" in ran.err
    assert all(holders(home / "lake", number) for number in numbers), "not yet"
    settings.write_text("retention_months: 3\n", encoding="utf-8")
    ran = hotline("run", "2030Q1", home=home, exports=exports)
    assert "missing_quarter" in ran.err, ran.out + ran.err
    assert [holders(home, number) for number in numbers] == [[], [], [], []]
    assert marts(home) == figures
    entries = json.loads((home / "lake" / "erasures.json").read_text(encoding="utf-8"))
    told = {entry["source"]: (entry["quarter"], entry["row_count"]) for entry in entries}
    assert told == {
        "ticket": ("2022Q2", 2174),
        "mailbox": ("2022Q2", 61),
        "suggestion": ("2022Q2", 31),
    }
    ran = hotline("verify", "2022Q2", home=home, exports=exports)
    assert ran.status == 0, ran.out + ran.err
    settings.write_text("retention_months: 0\n", encoding="utf-8")
    ran = hotline("run", "2030Q1", home=home, exports=exports)
    assert (ran.status, "bad_privacy" in ran.err) == (2, True), ran.out + ran.err
