"""Apache Superset reads a mart, from the DuckDB file and from PostgreSQL."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import PROJECT, read
from postgres_server import Server, running_server

from orchestration.common.settings import Home
from orchestration.publish.tables.postgres import publish_postgres

PYTHON = PROJECT / ".venv-superset" / "bin" / "python"
SCRIPT = Path(__file__).with_name("read_by_superset.py")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


def read_by_superset(uri: str) -> dict:
    done = subprocess.run([PYTHON, SCRIPT, uri], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def check(answer: dict, home: Path) -> None:
    tables = read(home, "select table_name from duckdb_tables() where schema_name = 'marts'")
    (row,) = answer["rows"]
    assert answer["tables"] == sorted(name for (name,) in tables)
    assert (row["quarter"], row["due_count"], row["callback_count"]) == ("2022Q2", "2168", "2049")
    assert (row["dissatisfaction_rate"], row["composite_index"]) == ("0.1894", "95.7")
    assert answer["label"] == "应办理数：本季度交办的"


def test_from_the_duckdb_file(published_home, tmp_path):
    # Under the name marts the schema marts would be ambiguous: docs/bi.md.
    link = tmp_path / "hotline.duckdb"
    link.symlink_to(published_home / "published" / "marts.duckdb")
    check(read_by_superset(f"duckdb:///{link}?access_mode=READ_ONLY"), published_home)


def test_from_postgresql(published_home, server):
    url = server.url(server.create("bi"))
    publish_postgres(Home(published_home), url)
    analyst = server.url("bi", "analyst").replace("postgresql://", "postgresql+psycopg2://")
    check(read_by_superset(analyst), published_home)
