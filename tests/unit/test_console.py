"""Messages name a command that works as typed, wherever the program was installed."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from orchestration.common import console


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The program in a folder of its own, outside PATH."""
    path = tmp_path / "place" / ".venv" / "bin" / "hotline"
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(path), "run"])
    monkeypatch.setenv("PATH", os.devnull)
    monkeypatch.chdir(tmp_path / "place")
    console.command_name.cache_clear()
    yield path
    console.command_name.cache_clear()


@pytest.mark.usefixtures("program")
def test_off_the_path_it_is_named_by_its_path():
    assert console.plain("运行 hotline run 2022Q2。") == "运行 .venv/bin/hotline run 2022Q2。"


def test_from_elsewhere_it_is_named_by_its_whole_path(program, tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert console.as_typed("hotline doctor x") == f"{program} doctor x"


def test_on_the_path_it_is_named_by_its_name(program, monkeypatch):
    monkeypatch.setenv("PATH", str(program.parent))
    assert console.as_typed("hotline run 2022Q2") == "hotline run 2022Q2"


def test_another_program_of_that_name_on_the_path_isnt_advised(program, tmp_path, monkeypatch):
    shutil.copytree(program.parent, tmp_path / "bin")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert console.as_typed("hotline run") == ".venv/bin/hotline run"


def test_a_path_with_blanks_can_be_typed(program, tmp_path, monkeypatch):
    moved = tmp_path / "place" / "my bin" / "hotline"
    moved.parent.mkdir()
    program.rename(moved)
    monkeypatch.setattr(sys, "argv", [str(moved)])
    assert console.as_typed("hotline run") == "'my bin/hotline' run"


@pytest.mark.usefixtures("program")
def test_names_that_only_look_like_it_stay():
    for text in ("hotline-warehouse[x]", "hotline.duckdb", "/x/hotline run", "chotline run"):
        assert console.as_typed(text) == text


@pytest.mark.usefixtures("program")
def test_what_is_printed_directly_is_named_too(capsys):
    printed = Console(width=200)
    printed.push_render_hook(console._Printing())
    printed.print("见 [bold]hotline reconcile[/] 2022Q2")
    printed.print(Text("hotline pdf 2022Q2"))
    assert capsys.readouterr().out.splitlines() == [
        "见 .venv/bin/hotline reconcile 2022Q2",
        ".venv/bin/hotline pdf 2022Q2",
    ]
