"""A contract's rules for reading written values, as data for the dbt macros of staging.

Patterns for time formats are made here, because a macro can't turn a strptime format into a pattern
and DuckDB's strptime is lenient (it reads 2022041 as a day).
"""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from orchestration.common.errors import InputError
from orchestration.reading.canonical import RULES
from orchestration.reading.contracts import Contract

DIRECTIVES = {
    "Y": r"\d{4}",
    "m": r"\d{1,2}",
    "d": r"\d{1,2}",
    "H": r"\d{1,2}",
    "I": r"\d{1,2}",
    "M": r"\d{2}",
    "S": r"\d{2}",
    "f": r"\d{1,6}",
    "p": "[AaPp][Mm]",
    "b": "[A-Za-z]{3}",
    "B": "[A-Za-z]+",
}
OFFSET = r" ?(?:[Zz]|[+-](?:0\d|1[0-4])(?::?[0-5]\d)?)"  # from UTC
# No earlier period is loaded, and China had daylight saving time until 1991.
CLOCKS_MATTER_FROM = 1992
LAST_LISTED_CHANGE = 2037
SERIAL_EPOCHS = {1900: "1899-12-30", 1904: "1904-01-01"}  # the 1900 system has a 29 February 1900


def written_rules(contract: Contract) -> dict[str, Any]:
    """The contract's rules about written values, by the keys that the macro `contract_rules` reads.

    Raises:
        InputError: a time format has an unknown directive.
    """
    formats = contract.timestamp_formats
    moments = [text for text in formats if "%H" in text or "%I" in text]
    days = [text for text in formats if text not in moments]
    zoned = [f"{text}{gap}%z" for text in moments for gap in ("", " ") if contract.time_zone]
    try:
        shapes = {"moment_shape": _shape(moments), "day_shape": _shape(days)}
    except KeyError as error:
        raise InputError(
            code="bad_contract",
            file=f"contracts/{contract.source}.yml",
            found=f"timestamp_formats 中有不认识的 %{error.args[0]}",
            expected="、".join(f"%{directive}" for directive in DIRECTIVES),
            action="改正契约文件后重新运行",
        ) from error
    return (
        RULES
        | shapes
        | {
            "moment_formats": moments,
            "day_formats": days,
            "zoned_formats": zoned,
            "zoned_shape": f"(?:{shapes['moment_shape']}){OFFSET}",
            "time_zone": contract.time_zone,
            "clock_changes": _has_clock_changes(contract),
            "conflict": contract.conflict,
            "identity": list(contract.identity),
            "identity_variants": contract.identity_variants.model_dump(),
            "empty": list(contract.empty),
            "serial_epoch": SERIAL_EPOCHS.get(contract.excel_serial_dates or 0),
            "expected": [
                column.name
                for column in contract.columns
                if column.personal is None and not column.optional
            ],
        }
    )


def _has_clock_changes(contract: Contract) -> bool:
    """Whether the contract's zone changes its UTC offset in the years that its times may have."""
    if not contract.time_zone:
        return False
    zone = ZoneInfo(contract.time_zone)
    first = (contract.plausible_years or (CLOCKS_MATTER_FROM,))[0]
    months = (
        datetime(year, month, 1, tzinfo=zone)
        for year in range(max(first, 1), LAST_LISTED_CHANGE + 1)
        for month in range(1, 13)
    )
    return len({month.utcoffset() for month in months}) > 1


def _shape(formats: Iterable[str]) -> str:
    """A pattern for texts that fit one of the formats; adjacent parts have their full width."""
    return "|".join(_pattern(text) for text in formats)


def _pattern(text: str) -> str:
    tokens = re.findall(r"%(.)|(.)", text)
    parts = []
    for position, (directive, literal) in enumerate(tokens):
        if literal:
            parts.append(" +" if literal == " " else re.escape(literal))
            continue
        part = DIRECTIVES[directive]
        touches = any(
            tokens[near][0] not in ("", "p")
            for near in (position - 1, position + 1)
            if 0 <= near < len(tokens)
        )
        parts.append(part.replace("{1,2}", "{2}") if touches else part)
    return "".join(parts)
