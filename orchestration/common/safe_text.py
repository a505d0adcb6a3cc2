"""Escaping of external text (names, headers, reasons) for screens, logs, tables and CSV.

The meaning of the text doesn't belong here. Pages escape text in their templates, workbooks by cell
type.
"""

import re

# A spreadsheet reads text with one of these prefixes as a formula, once the cell is edited or
# imported from CSV.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?%?")
# C0 controls and DEL become their Unicode control pictures. C1 controls, direction marks, line and
# paragraph separators and lone surrogates become U+FFFD.
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
    """Replace line breaks, control characters and direction marks by visible characters."""
    return text.translate(SHOWN)


def lines(text: str) -> str:
    """As `one_line`, but keep line feeds."""
    return text.translate(SHOWN_LINES)


def markdown(text: str) -> str:
    """Escape text for a cell of a Markdown table: no markup, no HTML, no extra cell."""
    return MARKDOWN.sub(r"\\\1", one_line(text))


def csv_cell(text: str) -> str:
    """Text for a CSV cell that a spreadsheet won't read as a formula; numbers stay numbers."""
    text = one_line(text)
    return f"'{text}" if text.startswith(FORMULA_STARTS) and not NUMBER.fullmatch(text) else text
