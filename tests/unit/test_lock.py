"""One writer a home: a second one is told who holds it, and a dead one holds nothing."""

import multiprocessing
import os
import re

import pytest

from orchestration.common.errors import InputError
from orchestration.common.lock import holder, writer
from orchestration.common.settings import Home

SPAWN = multiprocessing.get_context("spawn")


def hold(root, ready, end):
    with writer(Home(root), "0123456789abcdef"):
        ready.set()
        end.wait()


@pytest.fixture
def held(tmp_path):
    """A home that another process holds, and that process."""
    ready, end = SPAWN.Event(), SPAWN.Event()
    process = SPAWN.Process(target=hold, args=(tmp_path / "home", ready, end))
    process.start()
    assert ready.wait(60)
    yield Home(tmp_path / "home"), process
    process.kill()
    process.join()


def test_a_second_writer_is_told_who_holds_the_home_since_when(held):
    home, process = held
    with pytest.raises(InputError) as told, writer(home, "second", wait_seconds=0.2):
        pass
    assert told.value.code == "home_busy"
    who = rf"运行 01234567，进程 {process.pid}，自 \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d"
    assert re.search(who, told.value.found)
    assert re.fullmatch(who, holder(home))


def test_a_writer_that_was_killed_holds_nothing(held):
    home, process = held
    process.kill()
    process.join()
    assert holder(home) == ""
    with writer(home, "next", wait_seconds=5) as died:
        assert died == "0123456789abcdef"
        assert str(os.getpid()) in (home.root / "writer.json").read_text()
    assert not (home.root / "writer.json").exists()


def test_a_note_that_a_power_cut_left_empty_stops_nobody(tmp_path):
    home = Home(tmp_path)
    (tmp_path / "writer.json").write_text("")
    assert holder(home) == ""
    with writer(home, "next", wait_seconds=5) as died:
        assert died == ""
