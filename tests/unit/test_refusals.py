"""What the machine refuses: who is told what, and what is tried again."""

import errno
import os
import sqlite3

import dagster as dg
import duckdb
import pytest

from orchestration.common.errors import InputError, for_people, refusal
from orchestration.common.run_events import input_error_of
from orchestration.defs import resources


def test_one_fault_has_one_message_whoever_met_it():
    told = {
        for_people(error).code
        for error in (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data/home/x.parquet"),
            OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)),
            OSError(errno.EFBIG, os.strerror(errno.EFBIG)),
            sqlite3.OperationalError("database or disk is full"),
            RuntimeError("ComputeError: No space left on device (os error 28)"),
        )
    }
    assert told == {"disk_full"}


@pytest.mark.parametrize(
    ("error", "path"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/a b/lake"), "/a b/lake"),
        (PermissionError(errno.EACCES, "Permission denied", "exports/x.csv"), "exports/x.csv"),
        (PermissionError(errno.EACCES, os.strerror(errno.EACCES), b"/data/x"), "/data/x"),
        (RuntimeError('Cannot open file "/d/h.duckdb": Permission denied'), "/d/h.duckdb"),
        (RuntimeError("Permission denied (os error 13): /data/t.parquet"), "/data/t.parquet"),
        (RuntimeError("Permission denied: http://example"), ""),
    ],
)  # fmt: skip
def test_a_missing_permission_names_the_path(error, path):
    told = for_people(error)
    assert (told.code, told.file) == ("no_permission", path)


def test_the_cause_is_what_people_are_told():
    try:
        try:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/data/home/lake")
        except OSError as error:
            raise RuntimeError("a step failed") from error
    except RuntimeError as error:
        told = for_people(error)
    assert (told.code, told.file) == ("no_permission", "/data/home/lake")
    assert all(text and not text.isascii() for text in (told.found, told.expected, told.action))


def test_a_bug_is_told_as_one():
    assert for_people(KeyError("due_count")) is None
    assert refusal("Binder Error: Referenced column not found") is None


def wrong_file() -> InputError:
    return InputError(code="unknown_header", found="甲", expected="乙", action="丙")


def passing() -> InputError:
    return InputError(code="postgres_busy", found="甲", expected="乙", action="丙", may_pass=True)


@pytest.fixture
def tried(monkeypatch):
    """Run a step that raises an error at each try but the last of some; (result, tries)."""
    monkeypatch.setattr(resources, "WAIT_SECONDS", 0.0)

    def run(error: Exception, failures: int = 99) -> tuple[dg.ExecuteInProcessResult, int]:
        tries = []

        @dg.op
        def step() -> None:
            with resources.retrying():
                tries.append(1)
                if len(tries) <= failures:
                    raise error

        @dg.job
        def job() -> None:
            step()

        return job.execute_in_process(raise_on_error=False), len(tries)

    return run


@pytest.mark.parametrize(
    ("error", "is_tried_again"),
    [
        (passing(), True),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "ticket.csv"), True),
        (OSError(errno.EIO, os.strerror(errno.EIO)), True),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), False),
        (PermissionError(errno.EACCES, os.strerror(errno.EACCES)), False),
        (wrong_file(), False),
        (ValueError("a bug"), False),
    ],
)
def test_only_what_may_pass_is_tried_again(error, is_tried_again, tried):
    result, tries = tried(error)
    assert not result.success
    assert tries == (resources.TRIES if is_tried_again else 1)


def test_the_last_try_says_what_to_do(tried):
    result, _ = tried(passing())
    assert input_error_of(result.all_events) == str(passing())


def test_what_passes_is_over(tried):
    result, tries = tried(passing(), failures=2)
    assert result.success
    assert tries == 3


def test_a_warehouse_that_was_cut_short_is_damaged(tmp_path):
    path = tmp_path / "hotline.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute("create table filled as select range from range(100_000)")
    path.write_bytes(path.read_bytes()[:200_000])
    with pytest.raises(duckdb.Error) as raised:
        duckdb.connect(path)
    assert (told := for_people(raised.value)).code == "damaged_database"
    assert told.file == str(path)
