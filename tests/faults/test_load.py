"""Readers while versions are published: the short form of `make test-load`."""

import threading

import duckdb
import pytest
from evidence import record_as_passed
from load import READS, mixtures, read_in_threads

from orchestration.common.settings import Home
from orchestration.publish.candidate import export_candidate, read_candidate
from orchestration.publish.publication import publish

VERSIONS = 4


def change_a_figure(home: Home) -> None:
    """In every mart that has it, so that a set of two versions' tables can't pass for one."""
    with duckdb.connect(str(home.warehouse)) as connection:
        for table, column in (
            ("hotline_unit_quarter", "rework_count"),
            ("hotline_district_quarter", "rework_count"),
            ("unit_quarter", "hotline_due_count"),
        ):
            connection.execute(f"update marts.{table} set {column} = {column} + 1")


@pytest.mark.slow
def test_readers_see_one_version_or_the_next(home):
    writing = threading.Event()
    place = Home(home)

    run_id = read_candidate(place, "2022Q2").run_id

    def write() -> None:
        try:
            for number in range(VERSIONS):
                place.scratch.mkdir(exist_ok=True)
                change_a_figure(place)
                export_candidate(place, "2022Q2", run_id)
                record_as_passed(place, "2022Q2")
                publish(place, "2022Q2", f"run-{number}", "更正")
        finally:
            writing.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = read_in_threads(home, writing.is_set, 6, pause=0.05)
    writer.join()
    print(dict(seen.reads), len(seen.sets), seen.errors[:3])
    assert len(list((home / "published" / "versions" / "2022Q2").glob("v*"))) == VERSIONS + 1
    assert seen.errors == []
    assert mixtures(home, seen) == []
    assert set(seen.reads) == {read.__name__ for read in READS}
    assert len(seen.sets) > len(READS), "readers did see versions come"
