"""Marks: what calamine doesn't expose of a workbook's rows, read from the file itself.

They are errors and formulas without a stored value (blanks in calamine), hidden rows and columns,
covered cells, and the displayed text of number cells in identity columns. What a mark means for a
table is decided in `workbooks`.
"""

import io
import re
import tempfile
import zipfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from xml.etree import ElementTree

from orchestration.reading.tables import NOT_CALCULATED

CHUNK = 1 << 22
# Spreadsheets keep this many digits of a number; further ones may have been lost.
EXACT_DIGITS = 15
TRUE = (b"1", b"true")
FIRST_OWN_FORMAT = 164
SHOWN_AS_STORED = ("", "general", "g/通用格式", "@", "#")
# The built-in number formats that show an integer as it is.
FORMATS = {0: "General", 1: "0", 49: "@"}

# The patterns below work on plain XML, which every known program writes; this one finds other XML.
NOT_PLAIN = re.compile(rb"<!|<[^<>?]*'|<[^<>?]*\s=|<[^<>?]*=\s")
ENCODING = re.compile(rb"""^<\?xml[^>]*encoding=["']([\w-]+)""")
ROW = re.compile(rb"<(?:\w+:)?row(\s[^>]*)?>")
COLUMN = re.compile(rb"<(?:\w+:)?col(\s[^>]*)>")
CELL = re.compile(rb"<(?:\w+:)?c(\s[^>]*?)?(?:/>|>(.*?)</(?:\w+:)?c>)", re.DOTALL)
FORMULA = re.compile(rb"<(?:\w+:)?f[\s/>]")
VALUE_TAG = re.compile(rb"<(?:\w+:)?v[\s/>]")
STORED = re.compile(rb"<(?:\w+:)?v(?:\s[^>]*)?>([^<]+)<")
ATTRIBUTE = re.compile(rb'\s(\w+)="([^"]*)"')


_plain: dict[tuple[object, ...], bool] = {}


@dataclass
class RowMarks:
    """The marks of a row, or of a run of equal rows; columns are counted from 0."""

    first: int
    """Row number, as a spreadsheet shows it."""
    last: int
    is_hidden: bool = False
    is_filled: bool = False
    shown: dict[int, str] = field(default_factory=dict)
    """The text of errors, and `NOT_CALCULATED` for a formula without a stored value."""
    identity: dict[int, str | None] = field(default_factory=dict)
    """What the number cells of identity columns show; None if that isn't certain."""
    covered: set[int] = field(default_factory=set)
    """Columns whose cell is part of a merged one (an ODS; other formats list them apart)."""

    def __bool__(self) -> bool:
        return bool(self.is_hidden or self.shown or self.identity or self.covered)


@dataclass
class Marks:
    """A sheet's rows with marks, in order; `hidden_columns` is filled once a row was read."""

    rows: Iterator[RowMarks]
    hidden_columns: set[int]


def shown_identity(value: str, code: str) -> str | None:
    """The text that a number cell displays under its number format; None if that isn't certain.

    A format of zeros pads (00000000 displays 1 as 00000001). Fractions, dates, thousands
    separators, scientific notation and more digits than a spreadsheet keeps aren't certain.
    """
    number = integer_digits(value)
    code = re.sub(r"\[[^\]]*\]|_.|\*.|\\ | ", "", code.partition(";")[0])
    if number is None or code.lower() in SHOWN_AS_STORED:
        return number
    return number.zfill(len(code)) if not code.strip("0") else None


def integer_digits(value: str) -> str | None:
    """The digits of a number that is whole and small enough to be exact; None for any other."""
    try:
        number = Decimal(value)
        if 0 <= number < 10**EXACT_DIGITS and number == number.to_integral_value():
            return str(int(number))
    except (ArithmeticError, ValueError):
        pass
    return None


def plain_chunks(archive: zipfile.ZipFile, member: str) -> Iterator[bytes]:
    """A member's XML as plain XML in UTF-8, in chunks.

    XML with other quotes, comments or another encoding is first rewritten to a temporary file.
    """
    info = archive.getinfo(member)
    if _is_plain(archive, member, (archive.filename, info.CRC, info.file_size)):
        with archive.open(member) as file:
            while chunk := file.read(CHUNK):
                yield chunk
        return
    with tempfile.TemporaryFile() as plain, archive.open(member) as file:
        text = io.TextIOWrapper(plain, encoding="utf-8", write_through=True)
        ElementTree.canonicalize(from_file=file, out=text)
        text.detach()
        plain.seek(0)
        while chunk := plain.read(CHUNK):
            yield chunk


def _is_plain(archive: zipfile.ZipFile, member: str, key: tuple[object, ...]) -> bool:
    """Whether a member is plain XML; cached, because the row count and the marks both ask."""
    if key not in _plain:
        _plain.clear()
        _plain[key] = _looks_plain(archive, member)
    return _plain[key]


def _looks_plain(archive: zipfile.ZipFile, member: str) -> bool:
    tail = b""
    with archive.open(member) as file:
        while chunk := file.read(CHUNK):
            if not tail:
                declared = ENCODING.match(chunk.removeprefix(b"\xef\xbb\xbf"))
                if b"\0" in chunk[:4] or (declared and declared[1].lower() not in (b"utf-8",)):
                    return False
            data = tail + chunk
            if any(mark in data for mark in (b"<!", b"'", b" =", b"= ")) and NOT_PLAIN.search(data):
                return False
            tail = data[-1024:]
    return True


def row_pieces(chunks: Iterator[bytes], bound: int) -> Iterator[tuple[bytes, list[bytes]]]:
    """The XML of a sheet, also cut after the end of each row; the last piece isn't a row.

    Raises:
        OverflowError: a row is longer than `bound` bytes.
    """
    rest, end = b"", b""
    for chunk in chunks:
        data = rest + chunk
        if not end:
            prefix = re.search(rb"<(\w+:)?worksheet[\s>]", data)
            end = b"</" + ((prefix[1] or b"") if prefix else b"") + b"row>"
        *rows, rest = data.split(end)
        if len(rest) > bound:
            raise OverflowError
        yield data, rows
    yield rest, [rest]


class Workbook:
    """The parts of an XLSX that its sheets refer to."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    @cached_property
    def recalculates(self) -> bool:
        """Whether formulas are calculated on opening, so that stored zeros aren't results."""
        tags = re.findall(rb"<(?:\w+:)?calcPr\s[^>]*>", self._archive.read("xl/workbook.xml"))
        return any(_attributes(tag).get(b"fullCalcOnLoad") in TRUE for tag in tags)

    @cached_property
    def formats(self) -> list[str]:
        """The number formats, indexed by cell style."""
        if "xl/styles.xml" not in self._archive.namelist():
            return []
        root = ElementTree.fromstring(self._archive.read("xl/styles.xml"))  # noqa: S314 (no entities)
        own = {
            int(entry.get("numFmtId", 0)): entry.get("formatCode", "")
            for entry in root.iter()
            if entry.tag.endswith("}numFmt")
        }
        cells = next((entry for entry in root if entry.tag.endswith("}cellXfs")), ())
        numbers = [int(entry.get("numFmtId", 0)) for entry in cells]
        return [own.get(number) or FORMATS.get(number, "?") for number in numbers]

    def format_of(self, style: str) -> str:
        """The number format of a cell style; `?` if unknown."""
        if not self.formats:
            return "General"
        return self.formats[int(style)] if int(style) < len(self.formats) else "?"


def xlsx_marks(archive: zipfile.ZipFile, member: str, identity: Collection[int]) -> Marks:
    """The marks of a sheet of an XLSX."""
    hidden_columns: set[int] = set()
    book = Workbook(archive)
    # A text cell with the usual order of attributes: a fast path past most rows.
    text_cells = [
        re.compile(
            rb'\sr="' + column_letters(at).encode() + rb'\d+"[^>]*?\st="(?:s|str|inlineStr)"'
        )
        for at in identity
    ]

    def rows() -> Iterator[RowMarks]:
        number, is_head = 0, True
        for data, pieces in row_pieces(plain_chunks(archive, member), bound=1 << 40):
            is_odd = _is_odd(data)
            for piece in pieces:
                if is_head:
                    is_head = False
                    head = piece[: start.start()] if (start := ROW.search(piece)) else piece
                    hidden_columns.update(_hidden_columns(head))
                found = ROW.match(piece)
                if not found or piece[found.end() - 2 : found.end()] == b"/>":
                    # The row follows the sheet's head, or empty rows (self-closing elements).
                    found = None
                    for found in ROW.finditer(piece):
                        before, number = number, _row_number(found[1], number + 1)
                    if not found or found[0].endswith(b"/>"):
                        continue
                    number = before
                number = _row_number(found[1], number + 1)
                is_hidden = _is_hidden(found[1] or b"")
                if (
                    is_hidden
                    or (is_odd and _is_odd(piece))
                    or not all(text.search(piece) for text in text_cells)
                ):
                    mark = RowMarks(number, number, is_hidden)
                    mark.is_filled = is_hidden and bool(STORED.search(piece) or b"<t" in piece)
                    _mark_cells(mark, piece[found.end() :], identity, book)
                    if mark:
                        yield mark

    return Marks(rows(), hidden_columns)


def _row_number(tag: bytes | None, default: int) -> int:
    at = tag.find(b' r="') if tag else -1
    return int(tag[at + 4 : tag.index(b'"', at + 4)]) if tag and at >= 0 else default


def _is_hidden(tag: bytes) -> bool:
    if b"hidden=" not in tag and b' ht="0' not in tag:
        return False
    given = _attributes(tag)
    return given.get(b"hidden") in TRUE or _is_zero(given.get(b"ht"))


def _is_odd(data: bytes) -> bool:
    """Whether the XML may contain an error or a formula."""
    return b't="e"' in data or b"<f" in data or b":f" in data


def _mark_cells(mark: RowMarks, body: bytes, identity: Collection[int], book: Workbook) -> None:
    at = -1
    for tag, inner in CELL.findall(body):
        given = _attributes(tag)
        letters = given.get(b"r", b"").rstrip(b"0123456789").upper()
        at = column_number(letters) - 1 if letters else at + 1
        kind, stored = given.get(b"t", b"n"), STORED.search(inner)
        is_formula = FORMULA.search(inner)
        if kind == b"e":
            mark.shown[at] = stored[1].decode() if stored else "#N/A"
        elif is_formula and (
            (not stored and not (kind == b"str" and VALUE_TAG.search(inner)))
            or (stored and stored[1].strip() == b"0" and book.recalculates)
        ):
            mark.shown[at] = NOT_CALCULATED
        elif at in identity and stored and kind not in (b"s", b"str", b"inlineStr"):
            code = book.format_of(given.get(b"s", b"0").decode())
            text = stored[1].decode().strip()
            mark.identity[at] = shown_identity(text, code) if kind == b"n" else None


def _attributes(tag: bytes) -> dict[bytes, bytes]:
    return dict(ATTRIBUTE.findall(tag))


def _is_zero(text: bytes | None) -> bool:
    try:
        return text is not None and float(text) == 0
    except ValueError:
        return False


def _hidden_columns(head: bytes) -> Iterator[int]:
    for tag in COLUMN.findall(head):
        given = _attributes(tag)
        if given.get(b"hidden") in TRUE or _is_zero(given.get(b"width")):
            first, last = int(given.get(b"min", 1)), int(given.get(b"max", 0))
            yield from range(first - 1, min(last, 1 << 14))


def column_letters(at: int) -> str:
    """The letters of a column that is counted from 0."""
    letters = ""
    at += 1
    while at:
        at, rest = divmod(at - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def column_number(letters: bytes) -> int:
    """The number of a column by its letters, counted from 1."""
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number
