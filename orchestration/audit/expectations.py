"""Great Expectations suites (`expectations/*.json`) on pandas frames, in bounded memory.

This module alone imports Great Expectations (two seconds): import it only where a check runs.
"""

import json
import logging
import os
from collections.abc import Iterable

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

import great_expectations as gx
import pandas as pd
from great_expectations.data_context.types.base import ProgressBarsConfig

from orchestration.audit.check_results import CheckResult, Severity
from orchestration.settings import expectation_suites

logging.getLogger("great_expectations").setLevel(logging.WARNING)


def validate(name: str, frames: Iterable[pd.DataFrame], layer: str) -> list[CheckResult]:
    """Validate frames against the suite `expectations/<name>.json`, the site's or the project's.

    Args:
        name: the suite's and the table's name.
        frames: the table in batches of rows; each is validated whole, then let go.
        layer: where the table stands (`raw`, `marts`).

    Returns:
        One result an expectation; failing rows are added up over the batches.
    """
    path = expectation_suites()[name]
    suite = gx.ExpectationSuite(**json.loads(path.read_text(encoding="utf-8")))
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    batches = context.data_sources.add_pandas("frames").add_dataframe_asset(name)
    definition = batches.add_batch_definition_whole_dataframe("rows")
    failing: dict[str, int] = {}
    severity: dict[str, Severity] = {}
    for frame in frames:
        batch = definition.get_batch(batch_parameters={"dataframe": frame})
        # Boolean results carry no values, so nothing personal can reach a result or a log.
        outcome = batch.validate(suite, result_format="BASIC")
        for result in outcome.results:
            config = result.expectation_config
            if config is None or config.meta is None:
                raise ValueError(f"{path.name}: an expectation without meta")
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
