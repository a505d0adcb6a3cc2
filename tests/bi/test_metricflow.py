"""MetricFlow's `mf` answers the saved queries with the marts' figures."""

import csv
import shutil
import subprocess
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest
from conftest import PROJECT, read

MF = PROJECT / ".venv-metricflow" / "bin" / "mf"
COUNTS = "due_count handled_count on_time_count rework_count callback_count dissatisfied_count"
RATES = "completion_rate on_time_rate rework_rate dissatisfaction_rate"


@pytest.fixture(scope="module")
def project(published_home, tmp_path_factory) -> Path:
    """The dbt project parsed against the published file, both copied, as docs/bi.md says."""
    folder = tmp_path_factory.mktemp("semantic") / "dbt_project"
    shutil.copytree(PROJECT / "dbt_project", folder, ignore=shutil.ignore_patterns("target"))
    shutil.copy(published_home / "published" / "marts.duckdb", folder)
    run("dbt", "parse", project=folder)
    return folder


def run(command: str, *arguments: str, project: Path) -> str:
    done = subprocess.run(
        [MF.with_name(command), *arguments],
        cwd=project,
        env={"HOTLINE_DATABASE": "marts.duckdb", "PATH": str(MF.parent), "HOME": str(project)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def saved_query(name: str, project: Path) -> list[dict[str, str]]:
    """A saved query's rows; the columns without the entity that MetricFlow puts before them."""
    answer = project / f"{name}.csv"
    run("mf", "query", "--saved-query", name, "--csv", str(answer), project=project)
    with answer.open(encoding="utf-8", newline="") as file:
        return [
            {column.rpartition("__")[2]: value for column, value in row.items()}
            for row in csv.DictReader(file)
        ]


def as_published(ratio: str) -> Decimal | None:
    """MetricFlow doesn't round: to four decimals its ratio is the mart's, or empty."""
    return Decimal(ratio).quantize(Decimal("0.0001"), ROUND_HALF_UP) if ratio else None


def test_the_semantic_layer_is_valid(project):
    assert "ERRORS: 0" in run("mf", "validate-configs", project=project)


def test_the_districts_figures_are_the_bulletins(project):
    (row,) = saved_query("hotline_district", project)
    assert row["reporting_quarter"] == "2022Q2"
    printed = {"due": 2168, "handled": 2168, "on_time": 2168, "rework": 60, "dissatisfied": 388}
    assert {name: int(row[f"hotline_{name}_count"]) for name in printed} == printed
    assert int(row["hotline_callback_count"]) == 2049
    assert as_published(row["hotline_rework_rate"]) == Decimal("0.0277")
    assert as_published(row["hotline_dissatisfaction_rate"]) == Decimal("0.1894")
    assert as_published(row["hotline_satisfaction_rate"]) == Decimal("0.8106")


def test_the_units_figures_are_the_marts(project, published_home):
    columns = [*COUNTS.split(), *RATES.split()]
    expected = {
        code: dict(zip(columns, figures, strict=True))
        for code, *figures in read(
            published_home,
            f"select unit_code, {', '.join(columns)} from marts.hotline_unit_quarter",
        )
    }
    found = {
        row["unit"]: {
            column: int(row[f"hotline_{column}"])
            if column in COUNTS.split()
            else as_published(row[f"hotline_{column}"])
            for column in columns
        }
        for row in saved_query("hotline_by_unit", project)
    }
    assert len(found) == 55
    assert found == expected


@pytest.mark.parametrize(
    ("name", "columns", "mart"),
    [
        ("hotline_by_category", "category hotline_ticket_count", "hotline_category_quarter"),
        (
            "mailbox_by_mailbox",
            "mailbox mailbox_due_count mailbox_handled_count mailbox_on_time_count "
            "mailbox_overdue_count",
            "mailbox_unit_mailbox_quarter",
        ),
        (
            "suggestion_by_unit",
            "unit suggestion_due_count suggestion_on_time_count suggestion_overdue_count",
            "suggestion_unit_quarter",
        ),
    ],
)
def test_other_channels_figures_are_the_marts(project, published_home, name, columns, mart):
    key, *counts = columns.split()
    sums = ", ".join(f"sum({count.partition('_')[2]})" for count in counts)
    group = "unit_code" if key == "unit" else key
    expected = read(published_home, f"select {group}, {sums} from marts.{mart} group by 1")
    found = [
        (row[key], *(int(row[count]) for count in counts)) for row in saved_query(name, project)
    ]
    assert found
    assert sorted(found) == sorted(expected)
