"""The Wilson interval against the values that its best known comparison prints."""

from decimal import Decimal

import pytest

from orchestration.publish.pages.interval import wilson


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    [  # Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3
        (81, 263, "0.2553", "0.3662"),
        (15, 148, "0.0624", "0.1605"),
        (0, 20, "0.0000", "0.1611"),
        (1, 29, "0.0061", "0.1718"),
    ],
)
def test_it_is_the_published_one(count, total, low, high):
    found = wilson(count, total)
    for bound, expected in zip(found, (low, high), strict=True):
        assert abs(bound - Decimal(expected)) <= Decimal("0.00055")


def test_it_mirrors_and_stays_within_0_and_1():
    for total in (1, 2, 7, 55):
        for count in range(total + 1):
            low, high = wilson(count, total)
            assert 0 <= low <= Decimal(count) / total <= high <= 1
            assert wilson(total - count, total) == (1 - high, 1 - low)


def test_without_answers_there_is_none():
    assert wilson(0, 0) is None
