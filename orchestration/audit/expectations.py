"""Great Expectations suites (`expectations/*.json`) on pandas frames, in bounded memory.

This module alone imports Great Expectations (two seconds): import it only where a check runs.
"""

import json
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

import great_expectations as gx
import pandas as pd
from great_expectations.core.batch_definition import BatchDefinition
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.data_context.data_context.ephemeral_data_context import (
    EphemeralDataContext,
)
from great_expectations.data_context.types.base import ProgressBarsConfig

from orchestration.audit.check_results import CheckResult, Severity
from orchestration.settings import expectation_suites

for logger in ("great_expectations", ProgressBarsConfig.__module__):  # the second sets its own
    logging.getLogger(logger).setLevel(logging.WARNING)


class Validated(NamedTuple):
    """A batch against its suite: how many expectations, how many of them hold."""

    suite: str
    run_name: str
    total: int
    passed: int


def validate(name: str, frames: Iterable[pd.DataFrame], layer: str) -> list[CheckResult]:
    """Validate frames against the suite `expectations/<name>.json`, the site's or the project's.

    Args:
        name: the suite's and the table's name.
        frames: the table in batches of rows; each is validated whole, then let go.
        layer: where the table stands (`raw`, `marts`).

    Returns:
        One result an expectation; failing rows are added up over the batches.
    """
    suite, context = _suite(name), _context()
    definition = _batch_definition(context, name)
    failing: dict[str, int] = {}
    severity: dict[str, Severity] = {}
    for frame in frames:
        batch = definition.get_batch(batch_parameters={"dataframe": frame})
        # Boolean results carry no values, so nothing personal can reach a result or a log.
        outcome = batch.validate(suite, result_format="BASIC")
        for result in outcome.results:
            config = result.expectation_config
            if config is None or config.meta is None:
                raise ValueError(f"{name}.json: an expectation without meta")
            check = f"{name}.{config.meta['id']}"
            severity[check] = "error" if config.severity == "critical" else "warn"
            unexpected = result.result.get("unexpected_count") or 1
            failing[check] = failing.get(check, 0) + (0 if result.success else int(unexpected))
    return [
        CheckResult(
            check_name=check,
            layer=layer,
            severity=severity[check],
            passed=count == 0,
            failing_count=count,
        )
        for check, count in failing.items()
    ]


def write_data_docs(
    folder: Path, tables: Iterable[tuple[str, Iterable[pd.DataFrame]]], run_name: str
) -> list[Validated]:
    """Write Great Expectations' own pages: each suite, and what it finds in a table now.

    Args:
        folder: where; its `index.html` is the first page.
        tables: suite's name and its table in batches of rows, each suite once.
        run_name: what these validations are called on the pages.

    Returns:
        One entry a batch, in order.
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
                # Counts of what fails, never a value.
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
