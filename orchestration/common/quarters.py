"""Calendar quarters as people write them, such as 2022Q2. Nothing else belongs here."""

import re
from dataclasses import dataclass
from datetime import date

from orchestration.common.errors import InputError


@dataclass(frozen=True, order=True)
class Quarter:
    """One calendar quarter; sorts by time."""

    year: int
    number: int

    @classmethod
    def parse(cls, text: str) -> "Quarter":
        """Read `2022Q2`.

        Raises:
            InputError: the text isn't a year and a quarter from 1 to 4.
        """
        if not (match := re.fullmatch(r"(20\d{2})Q([1-4])", text, re.ASCII)):
            raise InputError(
                code="bad_quarter",
                found=f"季度写成了「{text[:20]}」",
                expected="四位年份加 Q1 至 Q4，例如 2022Q2",
                action="改正季度后重新运行",
            )
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def containing(cls, day: date) -> "Quarter":
        """The quarter in which a day lies."""
        return cls(day.year, (day.month + 2) // 3)

    @property
    def start(self) -> date:
        """The first day."""
        return date(self.year, 3 * self.number - 2, 1)

    @property
    def end(self) -> date:
        """The first day of the next quarter (exclusive end)."""
        return date(self.year + self.number // 4, 3 * (self.number % 4) + 1, 1)

    @property
    def previous(self) -> "Quarter":
        """The quarter before."""
        return Quarter(self.year - (self.number == 1), (self.number + 2) % 4 + 1)

    def __str__(self) -> str:
        return f"{self.year}Q{self.number}"
