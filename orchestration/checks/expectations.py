"""Runs Great Expectations suites (`expectations/*.json`) on pandas frames, in bounded memory.

Only this module imports Great Expectations (two seconds): import it only where a check runs.
"""

import json
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

import great_expectations as gx
import pandas as pd
from great_expectations.core import ExpectationValidationResult
from great_expectations.core.batch_definition import BatchDefinition
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.data_context.data_context.ephemeral_data_context import (
    EphemeralDataContext,
)
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.expectations.expectation import ColumnMapExpectation, Expectation

from orchestration.checks.check_results import CheckResult, Severity
from orchestration.checks.frames import FIRST_ROW, HELD_BY, Batch, Table
from orchestration.common.settings import expectation_suites
from orchestration.reading.tables import ROW_NUMBER

for logger in ("great_expectations", ProgressBarsConfig.__module__):  # the second has its own level
    logging.getLogger(logger).setLevel(logging.WARNING)


# Expectations that depend on one value alone, not on other rows: a repeated value is judged once.
OF_ONE_VALUE = frozenset(
    f"expect_column_{rule}"
    for rule in (
        *("values_to_match_regex", "values_to_not_match_regex"),
        *("values_to_match_regex_list", "values_to_not_match_regex_list"),
        *("values_to_be_null", "values_to_not_be_null", "values_to_be_between"),
        *("values_to_be_in_set", "values_to_not_be_in_set"),
        *("value_lengths_to_be_between", "value_lengths_to_equal"),
    )
)
# Expectations that depend on the names of the columns alone: no rows are needed.
OF_THE_COLUMNS = frozenset(
    f"expect_{rule}"
    for rule in (
        *("table_columns_to_match_ordered_list", "table_columns_to_match_set"),
        *("table_column_count_to_equal", "table_column_count_to_be_between"),
        "column_to_exist",
    )
)
SHOWN_ROWS = 20


class Validated(NamedTuple):
    """A validated batch: the number of expectations in its suite, and how many of them hold."""

    suite: str
    run_name: str
    total: int
    passed: int


@dataclass
class _Finding:
    """An expectation's result so far: the number of failing rows, and the first of them."""

    severity: Severity
    failing: int = 0
    rows: list[tuple[str, int]] = field(default_factory=list)

    def add(self, place: str, result: ExpectationValidationResult) -> None:
        """Add a batch's result. Only counts and row numbers of failures are kept, never values."""
        if result.success:
            return
        failing = result.result.get("unexpected_index_list") or []
        rows = sum(row.get(HELD_BY, 1) for row in failing)
        self.failing += int(rows or result.result.get("unexpected_count") or 1)
        numbers = (row.get(FIRST_ROW, row.get(ROW_NUMBER)) for row in failing)
        self.rows += [(place, int(number)) for number in numbers if pd.notna(number)]
        self.rows = sorted(self.rows)[:SHOWN_ROWS]


def validate(name: str, table: Table, layer: str) -> list[CheckResult]:
    """Validate every row of a table against the suite `expectations/<name>.json`.

    The suite is the site's or the project's. An expectation that depends on one value alone is
    checked once per distinct value and applies to all rows with it: ten million rows name a few
    hundred units.

    Args:
        name: the suite's and the table's name.
        table: the table, read in batches; each is validated whole, then released.
        layer: the table's layer (`raw`, `marts`).

    Returns:
        One result per expectation, even if there are no rows; failing rows are summed over the
        batches.
    """
    definition = _batch_definition(_context(), name)
    found: dict[str, _Finding] = {}
    suite = _suite(name)
    for asked, batches, numbered_by in _questions(suite.expectations, table):
        for expectation in asked:
            severity: Severity = "error" if expectation.severity == "critical" else "warn"
            found.setdefault((expectation.meta or {})["id"], _Finding(severity))
        part = gx.ExpectationSuite(name, expectations=asked)
        form = {"result_format": "COMPLETE", "unexpected_index_column_names": numbered_by}
        for place, frame in batches:
            batch = definition.get_batch(batch_parameters={"dataframe": frame})
            outcome = batch.validate(part, result_format=form if numbered_by else "BASIC")
            for result in outcome.results:
                config = result.expectation_config
                if config is None or config.meta is None:
                    raise ValueError(f"{name}.json: an expectation without meta")
                found[config.meta["id"]].add(place, result)
    names = [(expectation.meta or {})["id"] for expectation in suite.expectations]
    return [
        CheckResult(
            check_name=f"{name}.{check}",
            layer=layer,
            severity=found[check].severity,
            passed=found[check].failing == 0,
            failing_count=found[check].failing,
            rows=tuple(found[check].rows),
        )
        for check in names
        if check in found
    ]


def _questions(
    expectations: Sequence[Expectation], table: Table
) -> Iterator[tuple[list[Expectation], Iterator[Batch], list[str]]]:
    """Groups of expectations, each with its batches and the columns that identify failing rows."""
    if not table.repeating:
        yield [*expectations], table.rows(), []
        return
    of_columns, of_rows = [], []
    of_values: dict[str, list[Expectation]] = {}
    for expectation in expectations:
        if expectation.expectation_type in OF_THE_COLUMNS:
            of_columns.append(expectation)
        elif _is_of_one_value(expectation) and expectation.column in table.repeating:
            of_values.setdefault(expectation.column, []).append(expectation)
        else:
            of_rows.append(expectation)
    if of_columns:
        yield of_columns, table.query("select * from rows limit 1"), []
    for column, asked in of_values.items():
        yield asked, table.values(column), [HELD_BY, FIRST_ROW]
    if of_rows:
        columns = {expectation.column for expectation in of_rows if _is_of_one_value(expectation)}
        is_narrow = all(map(_is_of_one_value, of_rows))
        rows = table.rows(sorted({*columns, ROW_NUMBER})) if is_narrow else table.rows()
        yield of_rows, rows, [ROW_NUMBER]


def _is_of_one_value(expectation: Expectation) -> TypeGuard[ColumnMapExpectation]:
    """Whether each value is judged by itself; a tolerated share or a condition needs all rows."""
    return (
        isinstance(expectation, ColumnMapExpectation)
        and expectation.expectation_type in OF_ONE_VALUE
        and expectation.mostly == 1
        and expectation.row_condition is None
    )


def write_data_docs(
    folder: Path, tables: Iterable[tuple[str, Iterable[pd.DataFrame]]], run_name: str
) -> list[Validated]:
    """Write Great Expectations' Data Docs: each suite, and its current results on a table.

    Args:
        folder: the target folder; its `index.html` is the first page.
        tables: the name of each suite, and its table in batches of rows; each suite once.
        run_name: the name of these validations on the pages.

    Returns:
        One entry per batch, in order.
    """
    context = _context()
    context.add_data_docs_site(
        "local",
        {
            "class_name": "SiteBuilder",
            "store_backend": {
                "class_name": "TupleFilesystemStoreBackend",
                "base_directory": str(folder),
            },
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        },
    )
    validated = []
    for name, frames in tables:
        suite = _suite(name)
        for expectation in suite.expectations:
            expectation.notes = (expectation.meta or {})["reason"]
        validation = gx.ValidationDefinition(
            name=name, data=_batch_definition(context, name), suite=context.suites.add(suite)
        )
        context.validation_definitions.add(validation)
        for number, frame in enumerate(frames, start=1):
            outcome = validation.run(
                batch_parameters={"dataframe": frame},
                # Only counts of failures, never a value.
                result_format={"result_format": "BASIC", "partial_unexpected_count": 0},
                run_id=RunIdentifier(run_name=f"{run_name}-{number}"),
            )
            counts = outcome.statistics
            validated.append(
                Validated(
                    suite=name,
                    run_name=f"{run_name}-{number}",
                    total=counts["evaluated_expectations"],
                    passed=counts["successful_expectations"],
                )
            )
    context.build_data_docs()
    return validated


def _suite(name: str) -> gx.ExpectationSuite:
    path = expectation_suites()[name]
    return gx.ExpectationSuite(**json.loads(path.read_text(encoding="utf-8")))


def _context() -> EphemeralDataContext:
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return context


def _batch_definition(context: EphemeralDataContext, name: str) -> BatchDefinition[Any]:
    source = context.data_sources.add_or_update_pandas(name)
    return source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("rows")
