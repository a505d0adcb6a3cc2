"""The index by hand: the sums below are worked out on paper from printed counts."""

from decimal import Decimal
from fractions import Fraction

import pytest

from orchestration.catalogue.composite_index import composite_index
from orchestration.common.rounding import half_up

ITEMS = [
    {
        "numerator": n,
        "denominator": d,
        "kind": k,
        "weight": Decimal(w),
        "rate_when_empty": Decimal(0),
    }
    for n, d, k, w in (
        ("handled_count", "due_count", "rate", "0.3"),
        ("on_time_count", "due_count", "rate", "0.3"),
        ("rework_count", "due_count", "complement", "0.2"),
        ("dissatisfied_count", "callback_count", "complement", "0.2"),
    )
]


@pytest.mark.parametrize(
    ("counts", "index"),
    [
        # 60 + 20 × (1 − 60/2168) + 20 × (1 − 388/2049) = 60 + 19.4465 + 16.2128
        ((2168, 2168, 2168, 60, 2049, 388), "95.7"),
        # 60 + 20 × (1 − 12/307) + 20 × (1 − 83/298)
        ((307, 307, 307, 12, 298, 83), "93.6"),
        ((4, 4, 4, 0, 5, 3), "88.0"),
        # Nothing due: 0 + 0 + 20 + 20, the method's artefact.
        ((0, 0, 0, 0, 0, 0), "40.0"),
        # 30 + 30 × 98/100 + 20 × (1 − 0.0922) + 20 × (1 − 0.0687), the neighbouring county.
        ((10000, 10000, 9800, 922, 10000, 687), "96.2"),
    ],
)
def test_the_index(counts, index):
    names = ("due", "handled", "on_time", "rework", "callback", "dissatisfied")
    named = {f"{name}_count": count for name, count in zip(names, counts, strict=True)}
    assert composite_index(named, ITEMS, 1) == Decimal(index)


def test_half_up_is_exact_on_ties():
    assert half_up(Fraction(201, 20000), 4) == Decimal("0.0101")
    assert half_up(Fraction(1, 20000), 4) == Decimal("0.0001")
    assert half_up(Fraction(1, 20001), 4) == Decimal("0.0000")
