"""Forgetting a work order: nothing of it stays or comes back, and no published figure changes."""

import json
import shutil
import sqlite3
from contextlib import closing, nullcontext
from dataclasses import replace
from datetime import date

import polars as pl
import pytest
from conftest import EXPORTS, hashes, hotline
from filelock import FileLock
from personal import contents, holders, matches
from rewrite import rows_of, text

from orchestration.common.errors import InputError
from orchestration.common.home import MARK
from orchestration.common.privacy import PrivacySettings
from orchestration.common.quarters import Quarter
from orchestration.common.settings import Home
from orchestration.ingest.erasure import (
    Erasure,
    as_text,
    key_mark,
    read_erasures,
    rule_for,
    tombstone,
)
from orchestration.ingest.lake import all_files, ingest_source
from orchestration.operations.erase import _erase_lake_file, expired
from orchestration.operations.forget import forget
from orchestration.operations.places import place_of
from orchestration.reading.contracts import load_contracts

CONTRACTS = load_contracts(EXPORTS / "contracts")
KEY = "a key of thirty-two characters.."
WHO = ("--reason", "当事人要求", "--operator", "王科长")


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("HOTLINE_HASH_KEY", KEY)


def number_at(row, source="ticket"):
    return rows_of(source)[row - 1][0]


def entry(source, number):
    when = "2022-10-01 09:00:00"
    mark = tombstone(CONTRACTS[source], number)
    return Erasure(source, mark, "", when, "王科长", "当事人要求", 1, key_mark())


def marts(home):
    found = hashes(home / "published" / "versions")
    return {path: sha for path, sha in found.items() if "fct_" not in path and "json" not in path}


def manifest(home):
    path = home / "published/versions/2022Q2/v1/manifest.json"
    return json.loads(path.read_text(encoding="utf-8"))


def plant(home, number):
    """What earlier runs, other versions and accidents may have left."""
    listed = next((home / "lake" / "ticket").iterdir())
    shutil.copy(listed, listed.with_name("0" * 64 + ".parquet"))  # a run died before its index
    (home / "dagster.damaged-20220701-090000" / "history").mkdir(parents=True)
    (home / "dagster.damaged-20220701-090000" / "history" / "x.db").write_text(number)
    for name in ("rejected/2022Q1/rejected.xlsx", "audit/2022Q1/index.html", "scratch/x.parquet",
                 "dbt/target/run_results.json", "dbt/logs/dbt.log.1"):  # fmt: skip
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(f"could not convert {number}", encoding="utf-8")
    (home / "scratch" / MARK).touch()


def test_a_work_order_is_gone_from_everything_and_stays_gone(home, tmp_path):
    number, other = number_at(123), number_at(124)
    events = home / "dagster" / "told.db"  # as a run tells which rows a corrected file changed
    with closing(sqlite3.connect(events)) as connection:
        connection.execute("create table told (event text)")
        connection.execute("insert into told values (?)", [f"改动 2 行（{number}、{number}9）"])
        connection.commit()
    plant(home, number)
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
    assert not list(home.glob("dagster.damaged-*")) and not list(
        home.glob("lake/ticket/0*0.parquet")
    )
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


@pytest.mark.slow
def test_an_older_backup_takes_the_list_over_and_the_retention_rule_forgets_quarters(
    published_home, exports, tmp_path
):
    """One run does both; it then stops, as there are no exports of its quarter."""
    archive, old = tmp_path / "before.tar.gz", tmp_path / "old"
    assert hotline("backup", archive, home=published_home).status == 0
    assert hotline("restore", archive, home=old).status == 0
    letter, figures = number_at(2, "mailbox"), marts(old)
    numbers = [number_at(2), number_at(2000), letter, number_at(3, "suggestion")]
    assert all(holders(old / "published", number) for number in numbers)
    listed = replace(entry("mailbox", letter), row_count=1)
    (old / "lake" / "erasures.json").write_text(as_text([listed]), encoding="utf-8")
    (exports / "privacy.yml").write_text("retention_months: 3\n", encoding="utf-8")

    ran = hotline("run", "2030Q1", home=old, exports=exports)
    assert (ran.status, "missing_quarter" in ran.err) == (2, True), ran.out + ran.err
    assert [holders(old, number) for number in numbers] == [[], [], [], []]
    assert marts(old) == figures
    first, *rest = read_erasures(Home(old))
    assert first == listed
    assert {(e.source, e.quarter, e.operator, e.row_count) for e in rest} == {
        ("ticket", "2022Q2", "retention", 2174),
        ("mailbox", "2022Q2", "retention", 61),
        ("suggestion", "2022Q2", "retention", 31),
    }
    assert set(manifest(old)["erasures"][0]["tables"]) == {
        *("fct_ticket", "fct_callback", "fct_letter", "fct_suggestion_assignment")
    }


def test_the_retention_rule_waits_until_its_months_are_over(published_home):
    for today, is_over in ((date(2022, 12, 31), False), (date(2023, 1, 1), True)):
        settings = PrivacySettings(retention_months=6)
        assert bool(list(expired(Home(published_home), CONTRACTS, settings, today))) is is_over
    off = PrivacySettings()
    assert not list(expired(Home(published_home), CONTRACTS, off, date(2099, 7, 1)))


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("unknown_quarter", {"quarter": "2022Q1"}),
        ("bad_quarter", {"quarter": "2022-2"}),
        ("unknown_number", {"numbers": [number_at(123), "YX1"]}),
        ("unknown_source", {"source": "bulletin"}),
        ("missing_reason", {"reason": " "}),
        ("missing_operator", {"operator": ""}),
        ("missing_number", {"numbers": [" "]}),
        ("missing_hash_key", {"HOTLINE_HASH_KEY": ""}),
        ("weak_hash_key", {"HOTLINE_HASH_KEY": "short"}),
        ("home_busy", {}),
    ],
)
def test_a_request_that_cannot_be_met_changes_nothing(code, change, home, monkeypatch):
    request = {
        "quarter": "2022Q2",
        "source": "ticket",
        "numbers": [number_at(123)],
        "reason": "当事人要求",
        "operator": "王科长",
    } | change
    monkeypatch.setenv("HOTLINE_HASH_KEY", request.pop("HOTLINE_HASH_KEY", KEY))
    monkeypatch.setattr("orchestration.operations.forget.WAIT_SECONDS", 0.1)
    before = content(home)
    held = FileLock(home / "writer.lock") if code == "home_busy" else nullcontext()
    with held, pytest.raises(InputError, match=rf"\[{code}\]") as refused:
        forget(Home(home), CONTRACTS, **request)
    assert number_at(123) not in str(refused.value) and "YX1" not in str(refused.value)
    assert content(home) == before


def content(home):
    """All that is worth keeping of a home."""
    return hashes(home / "lake") | hashes(home / "published")


def test_the_command_says_what_is_missing(published_home, tmp_path):
    none = tmp_path / "none.txt"
    ran = hotline("forget", "2022Q2", "--file", none, *WHO, home=published_home)
    assert (ran.status, "bad_numbers" in ran.err) == (2, True), ran.out + ran.err
    wrong = tmp_path / "wrong"
    ran = hotline("forget", "2022Q2", number_at(123), *WHO, home=wrong)
    assert (ran.status, "unknown_quarter" in ran.err) == (2, True), ran.out + ran.err
    assert not wrong.exists(), "a mistyped home isn't made"


def test_another_key_rather_stops_than_brings_the_person_back(home, exports, monkeypatch):
    (home / "lake" / "erasures.json").write_text(
        as_text([entry("ticket", number_at(123))]), encoding="utf-8"
    )
    (lake_file,) = (home / "lake" / "ticket").iterdir()
    lake_file.unlink()
    monkeypatch.setenv("HOTLINE_HASH_KEY", KEY[::-1])
    with pytest.raises(InputError, match="wrong_hash_key"):
        ingest_source(Home(home), exports, Quarter(2022, 2), CONTRACTS, "ticket")
    assert not lake_file.exists()
    monkeypatch.setenv("HOTLINE_HASH_KEY", KEY)
    ingest_source(Home(home), exports, Quarter(2022, 2), CONTRACTS, "ticket")
    assert tombstone(CONTRACTS["ticket"], number_at(123)) in contents(lake_file)
    assert number_at(123) not in contents(lake_file)


def two_quarters(tmp_path, numbers):
    """A home whose 2022Q2 and 2022Q3 have the same export in their folders."""
    exports, home = tmp_path / "exports", Home(tmp_path / "home")
    header, *rows = rows_of("ticket")[: len(numbers) + 1]
    for row, number in zip(rows, numbers, strict=True):
        row[0] = number
    for quarter in (Quarter(2022, 2), Quarter(2022, 3)):
        (exports / str(quarter)).mkdir(parents=True)
        (exports / str(quarter) / "ticket.csv").write_text(text([header, *rows]), "utf-8-sig")
        ingest_source(home, exports, quarter, CONTRACTS, "ticket")
    return home, exports


def erase(home, listed):
    home.erasures.write_text(as_text(listed), encoding="utf-8")
    home.scratch.mkdir(exist_ok=True)
    for file in all_files(home):
        _erase_lake_file(home, file, rule_for(listed, CONTRACTS["ticket"], file.quarter))


def test_an_export_in_two_quarters_folders_is_forgotten_in_both_and_stays_sound(tmp_path):
    numbers = [number_at(2), f"{number_at(2)}\u200b", f'="{number_at(2)}"', number_at(3)]
    home, exports = two_quarters(tmp_path, numbers)
    erase(home, [entry("ticket", number_at(2))])
    files = all_files(home)
    assert len(files) == 2 and all(file.is_sound(home) for file in files)
    assert holders(home.root, number_at(2)) == []
    (column,) = {tuple(pl.read_parquet(file.parquet(home))["work_order_id"]) for file in files}
    assert column == (tombstone(CONTRACTS["ticket"], number_at(2)),) * 3 + (number_at(3),)
    for quarter in (Quarter(2022, 3), Quarter(2022, 2)):  # nor does another reading bring them back
        ingest_source(home, exports, quarter, CONTRACTS, "ticket")
        next((home.lake / "ticket").iterdir()).unlink()
        ingest_source(home, exports, quarter, CONTRACTS, "ticket")
        assert holders(home.root, number_at(2)) == []


def test_quarters_that_share_an_export_are_over_together(tmp_path):
    """Its rows are in the lake once: half of them as tombstones would make repeats new rows."""
    home, _ = two_quarters(tmp_path, [number_at(2), number_at(3)])
    settings = PrivacySettings(retention_months=6)
    over = list(expired(home, CONTRACTS, settings, date(2023, 1, 1)))
    assert {(e.source, e.quarter) for e in over} == {("ticket", "2022Q2"), ("ticket", "2022Q3")}
    assert not list(expired(home, CONTRACTS, settings, date(2022, 12, 31)))


def test_every_file_of_a_home_is_in_the_list_and_only_listed_ones_hold_numbers(published_home):
    home = Home(published_home)
    files = [path for path in published_home.rglob("*") if path.is_file()]
    assert not [path for path in files if place_of(home, path) is None]
    held = matches(published_home, r"(YX|WJ|XJ)20\d{12}")
    assert {place_of(home, path).treatment for path in held} == {"rewritten", "rebuilt", "removed"}
    assert not [path for path in held if not place_of(home, path).holds]
