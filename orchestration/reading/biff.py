"""Records of a binary workbook (.xls) that calamine doesn't expose: errors, hidden rows, formats.

BIFF5 and BIFF8 are read, as specified in [MS-XLS] and [MS-CFB]. Texts are left to calamine.
"""

import struct
from collections import defaultdict
from collections.abc import Collection, Iterator

from orchestration.reading.marks import FORMATS, Marks, RowMarks, shown_identity
from orchestration.reading.tables import NOT_CALCULATED

# Sector numbers from here on have special meanings.
LAST_SECTOR = 0xFFFFFFF0
ERRORS = {
    0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?", 0x24: "#NUM!",
    0x2A: "#N/A",
}  # fmt: skip
BOF, EOF, BOUND_SHEET, XF, FORMAT = 0x809, 0x0A, 0x85, 0xE0, 0x41E
ROW, COLUMN_INFO = 0x208, 0x7D
FORMULA, NUMBER, RK, MULTIPLE_RK, BOOL_OR_ERROR = 0x06, 0x203, 0x27E, 0xBD, 0x205
TEXTS = (0x204, 0xFD, 0xD6)


def xls_marks(data: bytes, position: int, identity: Collection[int]) -> Marks:
    """The marks of a sheet by its position in the workbook.

    Raises:
        ValueError, struct.error: the file is damaged, or of another BIFF version.
    """
    stream = _workbook_stream(data)
    styles: list[int] = []
    formats = dict(FORMATS)
    starts: list[int] = []
    version = 0
    for kind, body in _records(stream, 0):
        if kind == BOF:
            (version,) = struct.unpack_from("<H", body)
        elif kind == BOUND_SHEET:
            starts.append(struct.unpack_from("<I", body)[0])
        elif kind == XF:
            styles.append(struct.unpack_from("<H", body, 2)[0])
        elif kind == FORMAT:
            number, code = _format(body, version)
            formats[number] = code
    if version not in (0x500, 0x600):
        raise ValueError(version)
    sheet = _Sheet(identity, [formats.get(number, "?") for number in styles])
    for kind, body in _records(stream, starts[position]):
        sheet.take(kind, body)
    rows = (mark for _, mark in sorted(sheet.rows.items()) if mark)
    return Marks(rows, sheet.hidden_columns)


class _Sheet:
    """Collects the marks of each row from a sheet's records."""

    def __init__(self, identity: Collection[int], formats: list[str]) -> None:
        self._identity, self._formats = identity, formats
        self.hidden_columns: set[int] = set()
        self.rows: dict[int, RowMarks] = defaultdict(lambda: RowMarks(0, 0))

    def take(self, kind: int, body: bytes) -> None:
        """Process one record."""
        if kind == COLUMN_INFO:
            first, last, width, _, flags = struct.unpack_from("<5H", body)
            if flags & 1 or not width:
                self.hidden_columns.update(range(first, min(last, 255) + 1))
        elif kind == ROW:
            (height,), (flags,) = (struct.unpack_from("<H", body, at) for at in (6, 12))
            row = self._row(body)
            row.is_hidden = bool(flags & 0x20) or not height & 0x7FFF
        elif kind in (FORMULA, NUMBER, RK, MULTIPLE_RK, BOOL_OR_ERROR, *TEXTS):
            self._row(body).is_filled = True
            self._take_cell(kind, body)

    def _row(self, body: bytes) -> RowMarks:
        number = struct.unpack_from("<H", body)[0] + 1
        if number not in self.rows:
            self.rows[number] = RowMarks(number, number)
        return self.rows[number]

    def _take_cell(self, kind: int, body: bytes) -> None:
        row = self._row(body)
        at, style = struct.unpack_from("<HH", body, 2)
        if kind == NUMBER:
            self._number(row, at, style, struct.unpack_from("<d", body, 6)[0])
        elif kind == RK:
            self._number(row, at, style, _rk(struct.unpack_from("<I", body, 6)[0]))
        elif kind == MULTIPLE_RK:
            for place in range((len(body) - 6) // 6):
                style, packed = struct.unpack_from("<HI", body, 4 + 6 * place)
                self._number(row, at + place, style, _rk(packed))
        elif kind == BOOL_OR_ERROR:
            if body[7]:
                row.shown[at] = ERRORS.get(body[6], "#N/A")
            elif at in self._identity:
                row.identity[at] = None
        elif kind == FORMULA:
            result, flags = body[6:14], struct.unpack_from("<H", body, 14)[0]
            if result[6:] != b"\xff\xff":
                value = struct.unpack("<d", result)[0]
                self._number(row, at, style, value)
                if flags & 2 and not value:  # calculated on opening: a stored zero is no result
                    row.shown[at] = NOT_CALCULATED
            elif result[0] == 2:
                row.shown[at] = ERRORS.get(result[2], "#N/A")

    def _number(self, row: RowMarks, at: int, style: int, value: float) -> None:
        if at in self._identity:
            code = self._formats[style] if style < len(self._formats) else "General"
            row.identity[at] = shown_identity(repr(value), code)


def _rk(packed: int) -> float:
    value: float
    if packed & 2:
        value = (packed >> 2) - (1 << 30 if packed >> 31 else 0)
    else:
        (value,) = struct.unpack("<d", struct.pack("<II", 0, packed & ~3))
    return value / 100 if packed & 1 else value


def _format(body: bytes, version: int) -> tuple[int, str]:
    (number,) = struct.unpack_from("<H", body)
    if version == 0x500:
        return number, body[3:].decode("latin-1")
    return number, body[5:].decode("utf-16-le" if body[4] & 1 else "latin-1")


def _records(stream: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """The records from a BOF to its EOF, without those of embedded charts."""
    depth = 0
    while at + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, at)
        depth += kind == BOF
        if depth == 1:
            yield kind, stream[at + 4 : at + 4 + length]
        depth -= kind == EOF
        if depth <= 0:
            return
        at += 4 + length


def _workbook_stream(data: bytes) -> bytes:
    """The stream `Workbook` (BIFF5: `Book`) of a compound file."""
    size, small = (1 << struct.unpack_from("<H", data, at)[0] for at in (30, 32))
    first_directory, cutoff, first_small = (
        struct.unpack_from("<I", data, at)[0] for at in (48, 56, 60)
    )
    places = list(struct.unpack_from("<109I", data, 76))
    at = struct.unpack_from("<I", data, 68)[0]
    for _ in range(len(data) // size):  # the list of FAT sectors continues in DIFAT sectors
        if at >= LAST_SECTOR:
            break
        *more, at = struct.unpack_from(f"<{size // 4}I", data, (at + 1) * size)
        places += more
    table = b"".join(_sector(data, at, size) for at in places if at < LAST_SECTOR)
    links = struct.unpack(f"<{len(table) // 4}I", table)

    def chain(at: int, links: tuple[int, ...], source: bytes, size: int, skip: int) -> bytes:
        found = []
        while at < LAST_SECTOR:
            found.append(_sector(source, at, size, skip))
            at = links[at]
            if len(found) > len(links):
                raise ValueError(at)
        return b"".join(found)

    directory = chain(first_directory, links, data, size, 1)
    entries = {}
    for place in range(0, len(directory) - 127, 128):
        length = struct.unpack_from("<H", directory, place + 64)[0]
        name = directory[place : place + max(length - 2, 0)].decode("utf-16-le", "replace")
        entries[name] = struct.unpack_from("<II", directory, place + 116)
    start, length = entries["Workbook"] if "Workbook" in entries else entries["Book"]
    if length >= cutoff:
        return chain(start, links, data, size, 1)[:length]
    minis = chain(first_small, links, data, size, 1)
    small_links = struct.unpack(f"<{len(minis) // 4}I", minis)
    container = chain(entries["Root Entry"][0], links, data, size, 1)
    return chain(start, small_links, container, small, 0)[:length]


def _sector(data: bytes, at: int, size: int, skip: int = 1) -> bytes:
    return data[(at + skip) * size : (at + skip + 1) * size]
