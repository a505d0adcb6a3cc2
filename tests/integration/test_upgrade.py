"""A home that an older version made: the next run brings it up to date, and nothing is lost."""

import tarfile
from pathlib import Path

import duckdb
import polars as pl
import pytest
from conftest import hashes, hotline, read

OLD_HOME = Path(__file__).parents[1] / "homes" / "0.1.0.tar.xz"
RESULTS = "select run_id, count(*) from audit.reconciliation group by run_id order by min(checked_at)"


@pytest.fixture
def old_home(tmp_path):
    home = tmp_path / "old"
    home.mkdir(mode=0o700)
    with tarfile.open(OLD_HOME) as tar:
        tar.extractall(home, filter="data")
    return home


def columns(home, table):
    with duckdb.connect(str(home / "hotline.duckdb"), read_only=True) as connection:
        return set(connection.table(table).columns)


def test_a_run_brings_an_old_home_up_to_date_by_itself(old_home):
    assert "byte_number" not in columns(old_home, "audit.rejected_row")
    versions = hashes(old_home / "published" / "versions")
    (earlier,) = read(old_home, RESULTS)

    ran = hotline("run", "2022Q2", home=old_home)
    assert ran.status == 0, ran.out + ran.err
    assert "工作库由结构不同的版本写成：先由原始层重建各季度的工作库" in ran.err
    assert "byte_number" in columns(old_home, "audit.rejected_row")
    assert list(old_home.glob("hotline.duckdb.old*")) == []
    assert hashes(old_home / "published" / "versions") == versions, "the same figures: no new version"
    kept, new = read(old_home, RESULTS)
    assert kept == earlier and new[1] > 2000, "what the old version found, and this run; no more"

    ran = hotline("verify", "2022Q2", home=old_home)
    assert ran.status == 0, ran.out + ran.err
    assert "14 个表逐字节相同" in ran.out


def test_a_rebuild_that_was_cut_off_is_taken_up(old_home):
    (earlier,) = read(old_home, RESULTS)
    old_home.joinpath("hotline.duckdb").rename(old_home / "hotline.duckdb.old")
    with duckdb.connect(str(old_home / "hotline.duckdb")) as connection:
        connection.execute("create schema audit; create table audit.reconciliation (run_id varchar)")
    ran = hotline("run", "2030Q1", home=old_home)  # finds no exports once the home is ready
    assert (ran.status, "missing_quarter" in ran.err) == (2, True), ran.out + ran.err
    assert "上一次重建没有完成" in ran.err
    assert list(old_home.glob("hotline.duckdb.old*")) == []
    with duckdb.connect(str(old_home / "hotline.duckdb"), read_only=True) as connection:
        assert connection.execute(RESULTS).fetchall() == [earlier]
        assert connection.execute("select count(*) from facts.fct_ticket").fetchone() == (2174,)


def test_verify_says_of_a_version_with_other_columns_what_it_can(home):
    version = home / "published" / "versions" / "2022Q2" / "v1"
    table = version / "channel_quarter.parquet"
    pl.read_parquet(table).drop("handled_count").write_parquet(table)
    ran = hotline("verify", "2022Q2", home=home)
    assert "channel_quarter：新增 handled_count；其余各列逐格相同" in ran.err
