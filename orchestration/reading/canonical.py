"""What counts as a blank, and which written identities are the same.

This is the only definition in the tree. Python calls the functions; the models get the patterns as
rules of the contract (`written`) and apply them in the macros `clean_text` and `identity_text`. The
patterns use the syntax that RE2 (DuckDB) and Java (Spark) share.
"""

import re
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestration.reading.contracts import Contract

# Unicode's White_Space, and the control characters.
SPACES = (
    *((0x01, 0x20), (0x7F, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029)),
    *((0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000)),
)
# Unicode's Default_Ignorable_Code_Point (characters without a shape: zero-width ones, direction
# marks, soft hyphen, byte order mark), and the interlinear annotation marks.
INVISIBLE = (
    *((0xAD, 0xAD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160), (0x17B4, 0x17B5)),
    *((0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164)),
    *((0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFB)),
    *((0xE0001, 0xE0001), (0xE0020, 0xE007F), (0xE0100, 0xE01EF)),
)
APOSTROPHES = "'\u2018\u2019`\u00b4"
FULL_WIDTH = "".join(map(chr, range(0xFF01, 0xFF5F)))
HALF_WIDTH = "".join(map(chr, range(0x21, 0x7F)))


def _characters(ranges: tuple[tuple[int, int], ...]) -> str:
    return "".join(chr(code) for first, last in ranges for code in range(first, last + 1))


def _pattern(ranges: tuple[tuple[int, int], ...]) -> str:
    return "".join(rf"\x{{{first:x}}}-\x{{{last:x}}}" for first, last in ranges)


# Every character that is invisible in a cell; a cell with only these is empty.
BLANKS = _characters(SPACES + INVISIBLE)
# The same for the models.
RULES: dict[str, Any] = {
    "spaces": _pattern(SPACES),
    "invisible": _pattern(INVISIBLE),
    "apostrophes": APOSTROPHES,
    "full_width": FULL_WIDTH,
    "half_width": HALF_WIDTH,
    # An identity of these characters only is canonical as it is written.
    "clean_identity": r"[!$-&(-*,-<>-_a-~]+",
    # A formula, a number in scientific notation, an error or hash marks in place of the identity.
    "bad_identity": r"^=|^[0-9]([.][0-9]+)?[eE][+][0-9]+$|^#(#|N/A|NAME|REF|VALUE|NUM|NULL|DIV)",
}
_INVISIBLE = re.compile(f"[{_characters(INVISIBLE)}]")
_BLANK = re.compile(f"[{re.escape(BLANKS)}]")
_CLEAN_IDENTITY = re.compile(RULES["clean_identity"])
_BAD_IDENTITY = re.compile(RULES["bad_identity"])
_TO_HALF_WIDTH = str.maketrans(FULL_WIDTH, HALF_WIDTH)
_QUOTED, _QUOTES = re.compile('=?".*"'), re.compile('^=?"+|"+$')
_TO_UPPER = str.maketrans(ascii_lowercase, ascii_uppercase)
_DECIMAL_ZERO = re.compile(r"(.*[0-9])[.]0+")
_PADDED = re.compile(r"0+([1-9][0-9]*)")


def clean_text(text: str) -> str:
    """Strip surrounding blanks, invisible characters and a spreadsheet's protection marks.

    The marks `="…"` and a leading apostrophe only keep a spreadsheet from converting a value.
    """
    text = _INVISIBLE.sub("", text).strip(BLANKS)
    if text.startswith('="') and text.endswith('"') and len(text) > 2:
        text = text[2:-1]
    return text.lstrip(APOSTROPHES).strip(BLANKS)


def canonical_identity(text: str, contract: "Contract") -> str:
    """The canonical form of a written identity; two spellings of one identity have the same form.

    Blanks, protection marks, surrounding quotes and full-width characters don't matter. Letter
    case, leading zeros and `.0` don't matter if the contract treats such variants as the same.
    """
    if not _CLEAN_IDENTITY.fullmatch(text):
        text = _BLANK.sub("", text).translate(_TO_HALF_WIDTH)
        if _QUOTED.fullmatch(text):
            text = _QUOTES.sub("", text)
        text = text.strip(APOSTROPHES)
    return fold(text, contract, "same")


def fold(text: str, contract: "Contract", *rules: str) -> str:
    """A canonical identity without the differences for which the contract has one of `rules`."""
    variants = contract.identity_variants
    if variants.letter_case in rules:
        text = text.translate(_TO_UPPER)  # ASCII letters only: engines differ about others
    if variants.decimal_zero in rules and (whole := _DECIMAL_ZERO.fullmatch(text)):
        text = whole[1]
    if variants.leading_zeros in rules and (number := _PADDED.fullmatch(text)):
        text = number[1]
    return text


def is_identity(canonical: str) -> bool:
    """Whether a canonical text can be an identity; formulas, errors and rounded numbers can't."""
    return bool(canonical) and not _BAD_IDENTITY.search(canonical)
