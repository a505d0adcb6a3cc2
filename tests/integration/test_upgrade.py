"""A home that an older version made: the next run brings it up to date, and nothing is lost."""

import hashlib
import json
import tarfile
from pathlib import Path

import duckdb
import polars as pl
import pytest
from conftest import hashes, hotline, read

from orchestration.common.settings import Home
from orchestration.operations.rebuild import why_rebuild

OLD_HOME = Path(__file__).parents[1] / "homes" / "0.1.0.tar.xz"
RESULTS = (
    "select run_id, count(*) from audit.reconciliation group by run_id order by min(checked_at)"
)


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


@pytest.mark.slow
def test_a_run_brings_an_old_home_up_to_date_by_itself(old_home):
    assert "byte_number" not in columns(old_home, "audit.rejected_row")
    assert why_rebuild(Home(old_home)) == "工作库由结构不同的版本写成"
    versions = hashes(old_home / "published" / "versions")
    (earlier,) = read(old_home, RESULTS)
    # As an upgrade leaves it that died halfway: the old warehouse aside, a beginning of the new.
    old_home.joinpath("hotline.duckdb").rename(old_home / "hotline.duckdb.old")
    with duckdb.connect(str(old_home / "hotline.duckdb")) as connection:
        connection.execute("create schema audit")
        connection.execute("create table audit.reconciliation (run_id varchar)")

    ran = hotline("run", "2022Q2", home=old_home)
    assert ran.status == 0, ran.out + ran.err
    assert "上一次重建没有完成：先由原始层重建各季度的工作库" in ran.err
    assert "byte_number" in columns(old_home, "audit.rejected_row")
    assert list(old_home.glob("hotline.duckdb.old*")) == []
    assert why_rebuild(Home(old_home)) == ""
    assert hashes(old_home / "published" / "versions") == versions, "no figure changed"
    kept, new = read(old_home, RESULTS)
    assert kept == earlier and new[1] > 2000, "what the old version found, and this run; no more"

    table = old_home / "published/versions/2022Q2/v1/channel_quarter.parquet"
    pl.read_parquet(table).drop("handled_count").write_parquet(table)
    manifest = json.loads(table.with_name("manifest.json").read_text(encoding="utf-8"))
    manifest["outputs"]["channel_quarter"] = hashlib.sha256(table.read_bytes()).hexdigest()
    table.with_name("manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    log = old_home / "published" / "publications.jsonl"
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert [(line["quarter"], line["version"]) for line in lines] == 2 * [("2022Q2", 1)]
    sha256 = hashlib.sha256(table.with_name("manifest.json").read_bytes()).hexdigest()
    for line in lines:
        line["manifest_sha256"] = sha256
    log.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    ran = hotline("verify", "2022Q2", home=old_home)
    assert (ran.status, ran.out.count("✓")) == (1, 13), ran.out + ran.err
    assert "channel_quarter：新增 handled_count；其余各列逐格相同" in ran.err
