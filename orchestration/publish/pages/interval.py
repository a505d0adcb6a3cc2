"""The confidence interval of a rate with few answers, the only figure that the pages compute."""

from decimal import ROUND_HALF_UP, Decimal, localcontext

# The 97.5% quantile of the normal distribution, for a two-sided interval of 95%.
_Z = Decimal("1.959963984540054")


def wilson(count: int, total: int) -> tuple[Decimal, Decimal] | None:
    """The 95% Wilson score interval of a proportion, each bound to three decimals, half up.

    Unlike the symmetric interval of textbooks, it stays within 0 and 1, and it is valid for few
    answers and for proportions of 0 and 1, which occur here.

    Args:
        count: the number of successes, such as dissatisfied callers; 0 to `total`.
        total: the number of trials, such as callbacks.

    Returns:
        The lower and upper bound as fractions; None if `total` is 0.
    """
    if not total:
        return None
    with localcontext() as context:
        context.prec = 28
        n, z2 = Decimal(total), _Z * _Z
        p = Decimal(count) / n
        centre = p + z2 / (2 * n)
        spread = _Z * (p * (1 - p) / n + z2 / (4 * n * n)).sqrt()
        scale = 1 + z2 / n
        low, high = ((centre + side * spread) / scale for side in (-1, 1))
        return _rounded(low), _rounded(high)


def _rounded(bound: Decimal) -> Decimal:
    return bound.quantize(Decimal("0.001"), ROUND_HALF_UP)
