"""`--memory-limit`: what is written is understood, what isn't is refused, DuckDB keeps to it."""

from pathlib import Path

import pytest
from conftest import hotline

from orchestration.common.settings import Home, memory_limit
from orchestration.warehouse.connection import bare_connection, connect

NAME = "HOTLINE_MEMORY_LIMIT"


def test_a_limit_is_for_the_whole_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "4GiB")
    assert memory_limit() == 4 << 30
    assert Home(Path("/h")).duckdb_config["memory_limit"] == "2560MiB"
    monkeypatch.setenv(NAME, "1.5 GiB")
    assert Home(Path("/h")).duckdb_config["memory_limit"] == "768MiB"


def test_duckdb_keeps_to_its_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "2GiB")
    home = Home(tmp_path)
    for opened in (connect, bare_connection):
        with opened(home) as connection:
            (limit,) = connection.execute("select current_setting('memory_limit')").fetchone()
            assert limit == "1.0 GiB"
            (folder,) = connection.execute("select current_setting('temp_directory')").fetchone()
            assert folder == str(home.scratch)  # which the next run empties, whatever a kill left


@pytest.mark.parametrize("written", ["viel", "4", "512MiB", "-1GiB"])
def test_what_is_no_limit_is_refused(written: str, tmp_path: Path) -> None:
    ran = hotline("run", "2022Q2", f"--memory-limit={written}", home=tmp_path / "home")
    assert ran.status == 2
    assert "bad_memory_limit" in ran.err
    assert "--memory-limit" in ran.err
    assert not (tmp_path / "home").exists()
