"""Verify: a published version can be rebuilt from what it recorded, to the byte, anywhere."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import duckdb
import pytest
from conftest import HOTLINE, hashes, hotline


def log_again(home: Path) -> None:
    """Have the log agree with manifests that a test altered, as no program does."""
    log = home / "published" / "publications.jsonl"
    entries = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    for entry in entries:
        path = f"published/versions/{entry['quarter']}/v{entry['version']}/manifest.json"
        entry["manifest_sha256"] = hashlib.sha256((home / path).read_bytes()).hexdigest()
    log.write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")


def test_the_same_bytes_in_another_folder_zone_locale_and_thread_count(published_home, tmp_path):
    copy = shutil.copytree(published_home, tmp_path / "elsewhere" / "warehouse")
    before = hashes(copy)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = os.environ | {
        "HOTLINE_HOME": str(copy),
        "HOTLINE_EXPORTS": str(tmp_path / "no exports here"),
        "TZ": "America/New_York",
        "LC_ALL": "C",
        "TMPDIR": str(scratch),
    }
    done = subprocess.run(
        [HOTLINE, "verify", "2022Q2"],
        env=environment,
        capture_output=True,
        timeout=300,
        # DuckDB takes as many threads as it has cores.
        preexec_fn=lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}),
    )
    out = done.stdout.decode("utf-8")
    assert done.returncode == 0, out + done.stderr.decode("utf-8")
    assert "14 个表逐字节相同" in out
    assert "fct_ticket" in out and "hotline_unit_quarter" in out
    assert list(scratch.glob("hotline-verify-*")) == []
    assert hashes(copy) == before, "verifying only reads"


def test_a_changed_copy_is_named(home):
    """The version's file too: in a home, unlike in this copy of one, both are the same file."""
    name = "hotline_unit_quarter.parquet"
    for folder in ("parquet/hotline_unit_quarter/quarter=2022Q2", "versions/2022Q2/v1"):
        file = home / "published" / folder / name
        file.write_bytes(file.read_bytes() + b"\0")
    ran = hotline("verify", "2022Q2", home=home)
    assert ran.status == 1
    assert "hotline_unit_quarter：发布的 Parquet 与记录的不同" in ran.err
    assert "重建的与记录的不同" not in ran.err


def test_a_changed_table_of_the_readers_database_is_named(home):
    with duckdb.connect() as connection:
        connection.execute(f"attach '{home / 'published' / 'marts.duckdb'}' as altered")
        connection.execute("update altered.marts.channel_quarter set handled_count = 60")
    ran = hotline("verify", "2022Q2", home=home)
    assert ran.status == 1
    assert "channel_quarter：marts.duckdb 中的与记录的不同" in ran.err
    assert "hotline_unit_quarter：" not in ran.err and "Parquet" not in ran.err
    (home / "published" / "marts.duckdb").write_bytes(b"no database")
    ran = hotline("verify", "2022Q2", home=home)
    assert ran.status == 1
    assert "hotline_unit_quarter：marts.duckdb 中的与记录的不同" in ran.err


def test_a_changed_record_or_rule_is_named(home):
    path = home / "published/versions/2022Q2/v1/manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["outputs"]["channel_quarter"] = manifest["rules_sha256"] = "0" * 64
    path.write_text(json.dumps(manifest), encoding="utf-8")
    ran = hotline("verify", "2022Q2", home=home)
    assert ran.status == 1
    assert "damaged_manifest" in ran.err and "versions/2022Q2/v1/manifest.json" in ran.err
    log_again(home)
    ran = hotline("verify", "2022Q2", home=home)
    assert ran.status == 1
    assert "channel_quarter：重建的与记录的不同" in ran.err
    assert "业务规则" in ran.err
    assert "hotline_unit_quarter：" not in ran.err


def test_a_lost_lake_file_is_made_from_the_same_export_or_refused(home, exports):
    shutil.rmtree(home / "lake")
    path = exports / "2022Q2" / "ticket.csv"
    path.rename(path.with_name("renamed.csv"))
    ran = hotline("verify", "2022Q2", home=home, exports=exports)
    assert ran.status == 0, ran.out + ran.err
    with path.with_name("renamed.csv").open("ab") as file:
        file.write(b"\n")
    ran = hotline("verify", "2022Q2", home=home, exports=exports)
    assert ran.status == 2
    assert "missing_input" in ran.err and "ticket.csv" in ran.err


def test_an_unpublished_quarter_is_refused(published_home):
    ran = hotline("verify", "2022Q3", home=published_home)
    assert ran.status == 2
    assert "not_published" in ran.err


@pytest.mark.slow
def test_a_quarter_compared_with_the_one_before_is_rebuilt_with_it(home, exports):
    sample = ("sample", "--tickets", "500", "--quarter", "2022Q3", "--out")
    made = hotline(*sample, exports / "2022Q3", home=home, exports=exports)
    assert made.status == 0, made.err
    reason = ("--reason", "合成数据，比上季度少")  # 500 tickets after 2168
    ran = hotline("run", "2022Q3", *reason, home=home, exports=exports)
    assert ran.status == 0, ran.out + ran.err
    manifest = json.loads(
        Path(home / "published/versions/2022Q3/v1/manifest.json").read_text(encoding="utf-8")
    )
    assert manifest["compared_with"] == {"quarter": "2022Q2", "version": 1}
    ran = hotline("verify", "2022Q3", home=home, exports=exports)
    assert ran.status == 0, ran.out + ran.err
    # What else the home holds is not in a quarter's bytes: no new version, and still verified.
    ran = hotline("run", "2022Q2", home=home, exports=exports)
    assert ran.status == 0, ran.out + ran.err
    assert "2022Q2 第 1 版" in ran.out
    # A ticket of the first quarter is in the second one's comparison.
    row = hotline("trace", "2022Q2", "--row", "ticket.csv:123", home=home, exports=exports)
    assert "previous_count" in row.out
    manifest["compared_with"] = None
    path = home / "published/versions/2022Q3/v1/manifest.json"
    path.write_text(json.dumps(manifest), encoding="utf-8")
    log_again(home)
    ran = hotline("verify", "2022Q3", home=home, exports=exports)
    assert ran.status == 1
    assert "hotline_category_quarter：重建的" in ran.err
    assert "hotline_unit_quarter：" not in ran.err
