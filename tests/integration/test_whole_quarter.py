"""The benchmark's quarter: its books close, and all contenders give the mart that is published.

dlt needs an environment of its own: `make bench` holds it to the same mart.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import contenders
import pytest
import quarters
from conftest import Ran, hotline

from orchestration.common.settings import Home
from orchestration.lint.command import lint_file


@pytest.fixture(scope="module", autouse=True)
def _site() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "HOTLINE_SITE", "")  # put back as it was, whatever is set here
        quarters.use_site()
        yield


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Ran]:
    """The exports' ticket file, and a home in which they were loaded with little memory."""
    folder = tmp_path_factory.mktemp("quarter")
    ticket = quarters.write_quarter(1000, folder / "exports")
    done = hotline(
        *("run", str(quarters.QUARTER), "--memory-limit", "1GiB"),
        home=folder / "home",
        exports=folder / "exports",
    )
    return ticket, folder / "home", done


def test_a_bulletin_of_ten_million_tickets_does_not_contradict_itself(tmp_path: Path) -> None:
    """Thousands of numbers of callbacks give such a printed rate; any of them may be the one."""
    path = tmp_path / "bulletin.csv"
    quarters.write_bulletin(quarters.planned_quarter(10_000_000), path)
    report = lint_file(path, str(quarters.QUARTER))
    assert report.comparison_count > 500
    assert not report.contradictions


def test_the_books_close_without_an_explanation(ran: tuple[Path, Path, Ran]) -> None:
    *_, done = ran
    assert done.status == 0, done.out + done.err
    groups = [line.split("│")[1:6] for line in done.out.splitlines() if line.count("│") == 6]
    found = {name.strip(): [int(count) for count in counts] for name, *counts in groups}
    assert {"published", "bulletin_self"} <= found.keys()
    for total, match, explained, broken in found.values():
        assert (match, explained, broken) == (total, 0, 0)


@pytest.mark.parametrize(
    "how", [contenders.with_duckdb, contenders.with_polars, contenders.with_pandas]
)
def test_a_contender_gives_the_published_mart(
    how: contenders.Contender, ran: tuple[Path, Path, Ran], tmp_path: Path
) -> None:
    ticket, home, _ = ran
    assert contenders.unit_mart(how(ticket, tmp_path)) == contenders.published_mart(Home(home))


def test_a_wrong_count_gives_another_mart(ran: tuple[Path, Path, Ran], tmp_path: Path) -> None:
    ticket, home, _ = ran
    (name, group, due, *rest), *others = contenders.with_duckdb(ticket, tmp_path)
    wrong = [(name, group, due + 1, *rest), *others]
    assert contenders.unit_mart(wrong) != contenders.published_mart(Home(home))


def test_the_same_seed_gives_the_same_bytes(ran: tuple[Path, Path, Ran], tmp_path: Path) -> None:
    again = quarters.write_quarter(1000, tmp_path / "again")
    for path in sorted(ran[0].parent.iterdir()):
        assert path.read_bytes() == (again.parent / path.name).read_bytes()
