"""The result of `hotline lint-bulletin`: the contradictions in one file.

Printing it belongs to `cli`.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestration.common.errors import InputError
from orchestration.common.quarters import Quarter
from orchestration.common.settings import CONTROLS, contracts_root, seeds_root
from orchestration.lint.bulletin import Bulletin, Rules, read_bulletin, unknown_measures
from orchestration.lint.comparisons import INFERRED, Comparison, lint
from orchestration.reading.contracts import load_contracts

DISTRICT = "district"


@dataclass(frozen=True)
class Report:
    """The result of checking a bulletin."""

    quarter: str
    figure_count: int
    comparison_count: int
    contradictions: tuple[Comparison, ...]
    compares: Mapping[str, str]
    """What each control compares, for people."""
    callbacks: int | None
    """The district's callbacks, if its printed dissatisfaction rate leaves one number only."""


def lint_file(path: Path, quarter: str = "") -> Report:
    """Check a bulletin in any accepted form against itself.

    Raises:
        InputError: the file is unreadable, or neither contract, layouts nor rules know something
            in it.
    """
    if quarter:
        Quarter.parse(quarter)
    contracts = load_contracts(contracts_root())
    if "bulletin" not in contracts:
        raise InputError(
            code="no_contract",
            found="没有登记通报的契约",
            expected="contracts/bulletin.yml",
            action="补上契约，或改正 HOTLINE_SITE、HOTLINE_EXPORTS",
        )
    figures = read_bulletin(path, contracts["bulletin"], quarter)
    said = quarter or figures[0].document
    rules = Rules.load(seeds_root(), contracts["bulletin"], Quarter.parse(said))
    bulletin = Bulletin.of(figures, rules)
    if error := unknown_measures(bulletin):
        raise error
    found = lint(bulletin, rules)
    with CONTROLS.open(encoding="utf-8") as file:
        compares = {row["control_id"]: row["compares"] for row in csv.DictReader(file)}
    inferred = (row for row in found if (row.control_id, row.subject) == (INFERRED, DISTRICT))
    callbacks = next((int(row.expected) for row in inferred), None)
    checked = sum(row.actual is not None for row in found)
    return Report(
        quarter=said,
        figure_count=len(figures),
        comparison_count=checked,
        contradictions=tuple(row for row in found if row.contradicts),
        compares=compares,
        callbacks=callbacks,
    )
