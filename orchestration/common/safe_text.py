"""Text from outside (names, headers, reasons) where it is handed on: screens, logs, tables, CSV.

What it means doesn't belong here; pages escape their text by template, workbooks by cell type.
"""

import re

# What a spreadsheet takes for the start of a formula, once the cell is edited or read from CSV.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?%?")
# Control characters get their picture; what turns the direction of reading, ends a line in some
# programs or is half a character gets the sign for what can't be shown.
PICTURES = {code: 0x2400 + code for code in range(0x20)} | {0x7F: 0x2421}
UNSHOWN = (
    *range(0x80, 0xA0),
    *(0x061C, 0x200E, 0x200F, 0x2028, 0x2029),
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
    *range(0xD800, 0xE000),
)
SHOWN = PICTURES | dict.fromkeys(UNSHOWN, 0xFFFD)
SHOWN_LINES = {code: picture for code, picture in SHOWN.items() if code != ord("\n")}
MARKDOWN = re.compile(r"([\\`*_\[\]<>#|~&:.@])")


def one_line(text: str) -> str:
    """Text that can't begin a line of its own, move a cursor or turn the text beside it around."""
    return text.translate(SHOWN)


def lines(text: str) -> str:
    """As `one_line`, of text that may have several lines."""
    return text.translate(SHOWN_LINES)


def markdown(text: str) -> str:
    """Text for a cell of a Markdown table: neither markup, nor HTML, nor another cell."""
    return MARKDOWN.sub(r"\\\1", one_line(text))


def csv_cell(text: str) -> str:
    """Text that a spreadsheet doesn't take for a formula; a number stays the number it is."""
    text = one_line(text)
    return f"'{text}" if text.startswith(FORMULA_STARTS) and not NUMBER.fullmatch(text) else text
