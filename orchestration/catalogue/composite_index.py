"""The composite index in exact fractions, for checks that must not rely on the SQL engine."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

from orchestration.common.rounding import half_up


def composite_index(counts: dict[str, int], items: list[dict[str, Any]], decimals: int) -> Decimal:
    """The index of a unit by a policy's items: 100 × Σ weight × (rate, or 1 − rate)."""
    total = Fraction(0)
    for item in items:
        denominator = counts[item["denominator"]]
        rate = (
            Fraction(counts[item["numerator"]], denominator)
            if denominator
            else Fraction(item["rate_when_empty"])
        )
        total += Fraction(item["weight"]) * (1 - rate if item["kind"] == "complement" else rate)
    return half_up(100 * total, decimals)
