"""Great Expectations on more rows than a batch holds: none is left out, each has its number."""

import csv
from collections.abc import Iterator

import pytest

from orchestration.checks.check_results import CheckResult
from orchestration.checks.expectations import validate
from orchestration.checks.frames import raw_table
from orchestration.checks.recount import BATCH_VECTORS
from orchestration.common.quarters import Quarter
from orchestration.common.settings import Home, contracts_root
from orchestration.ingest.lake import ingest_source
from orchestration.reading.contracts import load_contracts

QUARTER = Quarter(2022, 2)
ROWS = BATCH_VECTORS * 2048 + 20_000
LATE = ROWS - 5_000
HEADER = (
    *("工单编号", "受理时间", "交办时间", "承办单位", "单位类别", "诉求类型", "诉求类别"),
    *("办理期限", "办结时间", "是否返工", "回访时间", "回访结果"),
)


def rows() -> Iterator[tuple[str, ...]]:
    """Sound tickets but for two without a unit and one without a number, all in the end."""
    for number in range(ROWS):
        day = f"2022-04-01 09:{number % 60:02}:00"
        unit = "" if number in (LATE, LATE + 7) else "区人社局"
        identity = "" if number == LATE + 9 else f"YX{number}"
        yield (identity, "", day, unit, "", "投诉", "其他", day, day, "否", "", "")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, CheckResult]:
    folder = tmp_path_factory.mktemp("size")
    path = folder / "exports" / str(QUARTER) / "ticket.csv"
    path.parent.mkdir(parents=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(rows())
    home, contracts = Home(folder / "home"), load_contracts(contracts_root())
    ingest_source(home, folder / "exports", QUARTER, {"ticket": contracts["ticket"]}, "ticket")
    table = raw_table(home, contracts, "ticket", str(QUARTER))
    return {result.check_name: result for result in validate("ticket", table, "raw")}


def test_a_value_that_many_rows_could_share_fails_for_each_of_them(
    results: dict[str, CheckResult],
) -> None:
    found = results["ticket.unit_present"]
    assert (found.passed, found.severity, found.failing_count) == (False, "warn", 2)
    assert found.rows == (("ticket.csv", LATE + 2),)  # of a value the first row is told


def test_what_tells_rows_apart_is_looked_at_row_by_row(results: dict[str, CheckResult]) -> None:
    found = results["ticket.identity_present"]
    assert (found.passed, found.severity, found.failing_count) == (False, "warn", 1)
    assert found.rows == (("ticket.csv", LATE + 9 + 2),)


def test_every_expectation_of_the_suite_is_answered(results: dict[str, CheckResult]) -> None:
    assert len(results) == 10
    assert {name for name, result in results.items() if not result.passed} == {
        "ticket.unit_present",
        "ticket.identity_present",
    }
