"""Rounding as in the bulletin, with integer arithmetic only. Nothing else belongs here."""

from decimal import Decimal
from fractions import Fraction


def half_up(value: Fraction, decimals: int) -> Decimal:
    """Round a non-negative fraction half up (四舍五入), with integer arithmetic only."""
    scaled = value * 10**decimals
    return Decimal((2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)).scaleb(
        -decimals
    )
