"""Rounding as the bulletin rounds, in integers alone. Nothing else belongs here."""

from decimal import Decimal
from fractions import Fraction


def half_up(value: Fraction, decimals: int) -> Decimal:
    """Round a fraction of at least 0 half up (四舍五入), in integers alone."""
    scaled = value * 10**decimals
    return Decimal((2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)).scaleb(
        -decimals
    )
