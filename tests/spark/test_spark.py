"""Spark's tables are DuckDB's, row for row: on a real cluster, also when it loses a worker."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import duckdb
import pytest
from cluster import ENVIRONMENT, Cluster, running_cluster
from conftest import EXPORTS, hashes, hotline

BUILD = Path(__file__).with_name("build_quarter.py")
TICKETS = int(os.environ.get("TICKETS", "1000000"))
SCHEMAS = ("marts", "facts", "audit", "dimensions", "rules")
# Of the run, not of the quarter.
OWN = {"run_id", "checked_at", "received_at"}
NOT_BUILT = {"check_result", "publication", "restatement", "control_history"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with running_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


def on_spark(
    cluster: Cluster, command: str, *arguments: str | Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ENVIRONMENT / "bin" / command, *map(str, arguments)],
        env=cluster.environment | environment,
        capture_output=True,
        text=True,
    )


def run_on_spark(
    cluster: Cluster, home: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    command = ("run", "2022Q2", "--home", home, "--exports", EXPORTS)
    return on_spark(cluster, "hotline", *command, **environment)


def assert_same_tables(one: Path, other: Path) -> int:
    """Every row of every table in both working warehouses; how many rows of marts there are."""
    marts = 0
    with duckdb.connect() as connection:
        for name, home in (("one", one), ("other", other)):
            connection.execute(f"attach '{home / 'hotline.duckdb'}' as {name} (read_only)")
        tables = connection.execute(
            "select table_schema, table_name from information_schema.tables "
            f"where table_catalog = 'one' and table_schema in {SCHEMAS} order by all"
        ).fetchall()
        assert len(tables) > 30
        for schema, table in tables:
            if table in NOT_BUILT:
                continue
            columns = [
                row[:2] for row in connection.execute(f"describe one.{schema}.{table}").fetchall()
            ]
            others = connection.execute(f"describe other.{schema}.{table}").fetchall()
            assert columns == [row[:2] for row in others], table
            named = ", ".join(name for name, _ in columns if name not in OWN)
            rows = [f"select {named} from {side}.{schema}.{table}" for side in ("one", "other")]
            for left, right in (rows, rows[::-1]):
                differing = connection.execute(f"{left} except all {right} limit 5").fetchall()
                assert not differing, (schema, table)
            count = connection.execute(f"select count(*) from one.{schema}.{table}").fetchone()[0]
            print(f"{schema}.{table}: {count} rows")
            marts += count if schema == "marts" else 0
    return marts


def test_the_sample_quarter_is_published_with_the_same_bytes(cluster, published_home, tmp_path):
    home = tmp_path / "home"
    ran = run_on_spark(cluster, home)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    assert assert_same_tables(published_home, home) > 400
    parquet = Path("published") / "parquet"
    assert hashes(home / parquet) == hashes(published_home / parquet)


def test_written_values_are_read_alike(cluster, tmp_path):
    """Times, numbers, blanks and ratios that the samples don't hold."""
    script = Path(__file__).with_name("read_texts.py")
    ours = [sys.executable, script, "duckdb", tmp_path / "duckdb"]
    subprocess.run(ours, check=True, capture_output=True)
    ran = on_spark(cluster, "python", script, "spark", tmp_path / "spark")
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    one, other = (
        json.loads((tmp_path / engine / "told.json").read_text()) for engine in ("duckdb", "spark")
    )
    assert len(one) > 50
    assert one == other


@pytest.fixture(scope="module")
def million(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("million")
    ran = hotline("sample", "--tickets", str(TICKETS), "--out", folder / "2022Q2", home=folder)
    assert ran.status == 0, ran.err
    return folder


def build_on_duckdb(home: Path, exports: Path) -> None:
    subprocess.run([sys.executable, BUILD, home, exports, "2022Q2"], check=True)


def test_many_tickets_and_a_worker_lost_while_they_are_counted_again(cluster, million, tmp_path):
    """The second build has no letters any more, and loses a worker in its middle.

    Spark's tables stand elsewhere than in the home: they are reached by a URL.
    """
    one, other, store = tmp_path / "duckdb", tmp_path / "spark", tmp_path / "store"
    elsewhere = {"HOTLINE_SPARK_STORE": f"file://{store}"}
    build_on_duckdb(one, million)
    first = on_spark(cluster, "python", BUILD, other, million, "2022Q2", **elsewhere)
    assert first.returncode == 0, first.stdout + first.stderr[-3000:]
    print(first.stdout)
    assert assert_same_tables(one, other) > 400

    letters = million / "2022Q2" / "mailbox.csv"
    letters.write_bytes(letters.read_bytes().splitlines(keepends=True)[0])
    build_on_duckdb(one, million)
    killer = threading.Thread(target=kill_after_staging, args=(cluster, store))
    killer.start()
    again = on_spark(cluster, "python", BUILD, other, million, "2022Q2", **elsewhere)
    killer.join()
    assert len([p for p in cluster.processes if p.poll() is None]) == 2, "no worker was lost"
    assert again.returncode == 0, again.stdout + again.stderr[-3000:]
    print(again.stdout)
    assert assert_same_tables(one, other) > 400
    assert not list((store / "tables" / "facts" / "fct_letter").glob("quarter=*"))


def kill_after_staging(cluster: Cluster, store: Path) -> None:
    """Kill a worker once the tickets are staged anew: their facts and marts are still to come."""
    staged, started = store / "tables" / "staging" / "stg_ticket" / "_SUCCESS", time.time()
    while not (staged.exists() and staged.stat().st_mtime > started):
        if time.time() > started + 1800:
            return
        time.sleep(0.2)
    cluster.kill_worker()


def test_a_cluster_that_is_not_there_is_said_at_once(cluster, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"spark://127.0.0.1:{free.getsockname()[1]}"
        ran = run_on_spark(cluster, tmp_path / "home", HOTLINE_SPARK_MASTER=nobody)
    assert ran.returncode == 2
    assert "no_cluster" in ran.stdout + ran.stderr
    assert "连不上 Spark 集群" in ran.stdout + ran.stderr
    assert not (tmp_path / "home" / "published" / "versions").exists()


def test_a_home_keeps_its_engine(cluster, published_home, tmp_path):
    home = Path(shutil.copytree(published_home, tmp_path / "home"))
    ran = run_on_spark(cluster, home)
    assert ran.returncode == 2
    assert "other_engine" in ran.stdout + ran.stderr
