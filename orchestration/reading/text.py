"""CSV and TSV → tables of text.

Blocks of whole lines are decoded strictly, one after another. `_prove` proves from the bytes alone
how far a block is clean and counts its rows; polars reads that much. What is odd goes line by line,
and the lines that can't be read are marked.
"""

import codecs
import csv
import gzip
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from charset_normalizer import from_bytes

from orchestration.common import progress
from orchestration.reading.canonical import BLANKS
from orchestration.reading.kinds import check_text
from orchestration.reading.tables import (
    BLANK_ROW,
    HEADER_SEARCH,
    MALFORMED,
    MAX_COLUMNS,
    MAX_RATIO,
    MAX_RECORD,
    MIN_BOMB,
    NOT_A_RECORD,
    ROW_DEFECT,
    ROW_NUMBER,
    UNDECODABLE,
    NumberedRow,
    Part,
    RowRules,
    Table,
    frames_of,
    too_many_columns,
    unreadable,
    zip_bomb,
)

CHUNK = 1 << 22
SCANNED = 1 << 18
"""Bytes that the scan looks at together: they stay in the processor's cache."""
DECODED = 1 << 16
"""Bytes that are decoded together, for the same reason."""
HEAD = 1 << 18
DELIMITERS = (",", "\t", ";")
MAX_UNDECODABLE = 10
MAX_DOCUMENT = 1 << 25
"""Bytes of a document that is read whole."""
MAX_MALFORMED = 10_000
LONG_CELLS = 4
"""Cells of the longest kind in one record; an unclosed quote is given up after their lines."""
UTF8, GB18030, UTF16 = "utf-8", "gb18030", "utf-16"
ALLOWED = (UTF8, GB18030)
"""Without a byte order mark."""
ASCII, CJK = 0x7F, 0x2010
"""The last character of ASCII, and the first of those that Chinese text is written with."""
NEWLINE, RETURN, QUOTE = b'\n\r"'
BAD = b"\xff"
"""Begins the stand-in for a line that doesn't decode: no UTF-8 text holds this byte."""

Array = np.ndarray[Any, Any]
csv.field_size_limit(MAX_RECORD)


@dataclass(frozen=True)
class Head:
    """The first rows of a text file in one reading, and the physical lines down to each row."""

    encoding: str
    delimiter: str
    rows: list[list[str]]
    lines: list[int]


def text_heads(path: Path) -> Iterator[Head]:
    """The first rows of a text file, in each encoding and by each delimiter that is possible.

    Raises:
        InputError: an empty file, one without lines, or a first row of absurd width.
    """
    head = next(_chunks(path), b"")[:HEAD]
    if not head.strip(b"\r\n\t ,;\xef\xbb\xbf\xff\xfe\x00"):
        raise unreadable(path, "empty_file", "文件是空的", "列名和各行")
    check_text(path, head)
    for encoding in _likely_encodings(head):
        text = head.decode(encoding, errors="replace").removeprefix("\ufeff")
        first, _, second = text.partition("\n")
        if "\0" in first or second.partition("\n")[0].count("\0") > 1:
            raise unreadable(
                path,
                "bad_encoding",
                "编码不对：开头有空字符，像是不带 BOM 的 UTF-16 或 UTF-32，或不是文本",
                "UTF-8、带 BOM 的 UTF-16 或 GB18030 编码的文本",
            )
        if "\n" not in text:
            text = text.replace("\r", "\n")
        lines = [line + "\n" for line in text.split("\n")]
        if len(head) == HEAD and not lines[:-1]:
            raise too_many_columns(path)
        for delimiter in DELIMITERS:
            rows, ends = _first_rows(lines, delimiter)
            if any(len(row) > MAX_COLUMNS for row in rows):
                raise too_many_columns(path)
            yield Head(encoding, delimiter, rows, ends)


def _first_rows(lines: list[str], delimiter: str) -> tuple[list[list[str]], list[int]]:
    reader = csv.reader(lines, delimiter=delimiter)
    rows: list[list[str]] = []
    ends: list[int] = []
    # What can't be read stops the search for the header; rows are judged later, one by one.
    with suppress(csv.Error):
        for row in islice(reader, HEADER_SEARCH):
            rows.append(row)
            ends.append(reader.line_num)
    return rows, ends


def text_table(path: Path, part: Part, rules: RowRules) -> Table:
    """The rows below a text file's header; the file is read once, front to end.

    Args:
        path: the file as received.
        part: where its table lies.
        rules: what its rows may be.

    Raises (as the frames are taken):
        InputError: more than a few lines can't be decoded, a compressed file is broken, or most
            rows are malformed.
    """
    encoding = _proved_encoding(path, part)
    text, tally = _Text(path, encoding), _Tally()
    return Table(
        _frames(text, part, rules, tally),
        encoding,
        # Every physical line belongs to exactly one row: a lost line shows as a lost row.
        lambda: tally.rows + text.line_count - part.header_lines - tally.lines,
        lambda: tally.line_breaks,
    )


class _Text:
    """A file's text in UTF-8: whole lines, block by block, taken off its front.

    A line that doesn't decode is there as a byte that never does, and the place of its first bad
    byte in the file; one that is too long for any row is there as a NUL.
    """

    def __init__(self, path: Path, encoding: str) -> None:
        self.path = path
        self.data = b""
        self.at = 0
        """The front: what is before it has been taken."""
        self.line_count = 0
        """Physical lines of the file so far."""
        self._undecodable = 0
        self._encoding = encoding
        self._blocks = _utf8_blocks(path, encoding)

    def more(self) -> bool:
        """Read a block on, and forget what has been taken."""
        block = next(self._blocks, b"")
        self.data = self.data[self.at :] + block
        self.at = 0
        self.line_count += _count(block, NEWLINE)
        self._undecodable += block.count(BAD) if BAD in block else 0
        if self._undecodable > MAX_UNDECODABLE:
            raise unreadable(
                self.path,
                "bad_encoding",
                f"超过 {MAX_UNDECODABLE} 行的字节不能按 {self._encoding} 解码",
                "UTF-8、带 BOM 的 UTF-16 或 GB18030 编码的文本",
            )
        return bool(block)

    def lines(self) -> Iterator[bytes]:
        """The lines from the front on, which stays where it is."""
        length = 0
        while True:
            start = self.at + length
            if start == len(self.data):
                if not self.more():
                    return
                start = length
            line = self.data[start : self.data.index(b"\n", start) + 1]
            length += len(line)
            yield line


@dataclass
class _Tally:
    """What of a file has been gone through: physical lines, and the rows that aren't blank."""

    rows: int = 0
    lines: int = 0
    malformed: int = 0
    line_breaks: int = 0
    """Within cells: lines that begin no row."""


def _frames(text: _Text, part: Part, rules: RowRules, tally: _Tally) -> Iterator[pl.LazyFrame]:
    """Clean stretches as polars reads them, and odd ones row by row."""
    header_length = sum(map(len, islice(text.lines(), part.header_lines)))
    text.at += header_length
    number = part.header_row
    # Cells beyond the last named column are looked at singly, and so is a single column, where a
    # blank line and a row with an empty cell look alike.
    provable = rules.named == rules.width > 1
    while text.at < len(text.data) or text.more():
        if provable:
            proof = _prove(text.data, text.at, ord(part.delimiter), rules)
            if proof.row_count > len(proof.blank):
                yield _clean_frame(text.data[text.at : proof.end], part, proof, number)
            number += proof.row_count
            tally.rows += proof.row_count - len(proof.blank)
            tally.lines += proof.line_count
            tally.line_breaks += proof.line_count - proof.row_count
            text.at = proof.end
            rest = len(text.data) - text.at
            if not proof.is_odd and (not rest or (rest <= MAX_RECORD and text.more())):
                continue
        stretch = list(_odd_rows(text, number, part.delimiter, rules, tally))
        number += len(stretch)
        yield from frames_of((row for row in stretch if row[1] != BLANK_ROW), rules.width)


@dataclass
class _Proof:
    """How far text is clean: where every row has the header's width and well-set quotes."""

    end: int
    is_odd: bool = False
    """What follows isn't clean; else it is the beginning of a row, or nothing."""
    row_count: int = 0
    line_count: int = 0
    blank: list[int] = field(default_factory=list)
    """Which rows are blank lines, counted from 1."""
    not_records: list[int] = field(default_factory=list)


def _clean_frame(data: bytes, part: Part, proof: _Proof, number: int) -> pl.LazyFrame:
    frame = pl.scan_csv(
        data,
        has_header=False,
        separator=part.delimiter,
        schema=pl.Schema({str(position): pl.String for position in range(len(part.header))}),
        row_index_name=ROW_NUMBER,
        row_index_offset=number + 1,
        missing_columns="insert",  # a blank line has none; the proof has been through the others
    )
    if proof.blank:
        frame = frame.filter(~pl.col(ROW_NUMBER).is_in([number + at for at in proof.blank]))
    if not proof.not_records:
        return frame.with_columns(pl.lit(None, pl.String).alias(ROW_DEFECT))
    is_record = ~pl.col(ROW_NUMBER).is_in([number + at for at in proof.not_records])
    cells = pl.exclude(ROW_NUMBER)
    return frame.with_columns(
        pl.when(is_record).then(cells),
        pl.when(~is_record).then(pl.lit(NOT_A_RECORD)).alias(ROW_DEFECT),
    )


def _prove(data: bytes, at: int, delimiter: int, rules: RowRules) -> _Proof:
    """Prove how far rows from `at` on are clean, and count them.

    Works on bytes with numpy, independently of the reader that polars uses. Whole lines are given;
    a NUL, a lone carriage return or a quote inside a bare cell ends what is clean.
    """
    proof = _Proof(at)
    suspects = _suspect_bytes(rules, delimiter)
    size = SCANNED
    while (start := proof.end) < len(data):
        stop = (data.rfind(b"\n", start, start + size) + 1) or (data.index(b"\n", start) + 1)
        piece = np.frombuffer(data, np.uint8, stop - start, start)
        # polars would take a byte order mark off the first row.
        proof.is_odd = data.startswith(codecs.BOM_UTF8, start) or any(
            data.find(byte, start, stop) >= 0 for byte in (b"\0", BAD)
        )
        has_quotes = data.find(b'"', start, stop) >= 0
        ends = None if proof.is_odd else _row_ends(piece, delimiter, rules, has_quotes)
        if ends is None:
            proof.is_odd = True
            return proof
        if not len(ends):  # a quoted cell goes on beyond the piece
            if stop == len(data):
                return proof
            size *= 2
            continue
        size = SCANNED
        starts = np.concatenate(([0], ends[:-1] + 1))
        first = piece[starts]
        first = np.where(first == QUOTE, piece[np.minimum(starts + 1, ends)], first)
        for row in np.flatnonzero(suspects[first]):
            line = data[start + int(starts[row]) : start + int(ends[row])].decode(UTF8)
            cells = next(csv.reader([line], delimiter=chr(delimiter)), [])
            defect = rules.defect(cells)
            if defect == BLANK_ROW:
                proof.blank.append(proof.row_count + int(row) + 1)
            elif defect == NOT_A_RECORD:
                proof.not_records.append(proof.row_count + int(row) + 1)
        whole = int(ends[-1]) + 1
        proof.end += whole
        proof.row_count += len(ends)
        proof.line_count += _count(piece[:whole], NEWLINE) if has_quotes else len(ends)
    return proof


def _row_ends(data: Array, delimiter: int, rules: RowRules, has_quotes: bool) -> Array | None:
    """Where rows end (their line feeds), if each has the width or is a blank line.

    `data` ends with a line feed; its last row may go on beyond it. A row with line breaks inside
    and delimiters enough for another record, or with many line breaks, isn't clean.
    """
    width = rules.width
    line_feeds = data == NEWLINE
    marks = data == delimiter
    marks |= line_feeds
    returns = data == RETURN
    if has_quotes:
        quotes = data == QUOTE
        marks |= quotes
        positions = np.flatnonzero(marks)
        is_quote = quotes[positions]
        inside = np.bitwise_xor.accumulate(is_quote)
        # A quote that opens follows the end of a cell, one that closes precedes it; two in a row
        # close and open again. Before the data a row ended.
        follows = np.diff(positions, prepend=-1) == 1
        if (is_quote & inside & ~follows).any():
            return None
        loose = positions[:-1][(is_quote & ~inside)[:-1] & ~follows[1:]]
        if not returns[loose + 1].all():
            return None
        bare, is_line_feed = ~(is_quote | inside), line_feeds[positions]
        within = inside & ~is_quote
        if not _is_sparse(
            within & is_line_feed, within & ~is_line_feed, bare & is_line_feed, rules
        ):
            return None
        positions = positions[bare]
        row_count = np.count_nonzero(line_feeds[positions])
    else:
        positions = np.flatnonzero(marks)
        row_count = np.count_nonzero(line_feeds)
    ends = positions[width - 1 :: width]
    if len(ends) != row_count or not line_feeds[ends].all():
        at = np.flatnonzero(line_feeds[positions])
        ends = positions[at]
        lengths = np.diff(ends, prepend=-1) - 1
        is_blank = (lengths == 0) | ((lengths == 1) & returns[ends - 1])
        if not np.all((np.diff(at, prepend=-1) == width) | is_blank):
            return None
    if np.count_nonzero(returns) != np.count_nonzero(returns[ends - 1]) and not np.all(
        line_feeds[np.flatnonzero(returns) + 1]
    ):
        return None
    return ends


def _is_sparse(breaks: Array, delimiters: Array, ends: Array, rules: RowRules) -> bool:
    """Whether no row's quotes can have taken another record into it.

    Args:
        breaks: which marks are line feeds within quotes.
        delimiters: which are delimiters within quotes.
        ends: which end a row.
        rules: what rows may be.
    """
    if not breaks.any():
        return True
    row = np.cumsum(ends)
    per_row = np.bincount(row[breaks])
    beside = np.bincount(row[delimiters], minlength=len(per_row))[: len(per_row)]
    return bool(
        per_row.max() < rules.max_cell_lines and (beside[per_row > 0] < rules.width - 1).all()
    )


def _count(data: bytes | Array, byte: int) -> int:
    """How often a byte occurs: quicker than `bytes.count` for one that is neither rare nor near."""
    buffer = np.frombuffer(data, np.uint8)
    pieces = range(0, len(buffer), SCANNED)
    return sum(int(np.count_nonzero(buffer[at : at + SCANNED] == byte)) for at in pieces)


def _suspect_bytes(rules: RowRules, delimiter: int) -> Array:
    """Which first bytes of a row may begin a blank row, a total or a footnote."""
    suspects = np.zeros(256, bool)
    suspects[[delimiter, QUOTE, *(text.encode()[0] for text in (*BLANKS, *rules.words))]] = True
    return suspects


def _odd_rows(
    text: _Text, number: int, delimiter: str, rules: RowRules, tally: _Tally
) -> Iterator[NumberedRow]:
    """Rows of a stretch that isn't clean, one by one.

    A line that can't be read is a row of its own, and reading goes on at the very next line: an
    unclosed quote takes no other row with it.

    Raises:
        InputError: most rows are malformed, and they are many: this is no table.
    """
    taken = 0
    while taken < CHUNK and (text.at < len(text.data) or text.more()):
        cells, defect, lines = _record(text, delimiter, rules)
        number += 1
        length = sum(map(len, lines))
        text.at += length
        taken += length
        tally.lines += len(lines)
        tally.line_breaks += len(lines) - 1
        tally.rows += defect != BLANK_ROW
        tally.malformed += defect == MALFORMED
        if tally.malformed > max(MAX_MALFORMED, tally.rows // 2):
            raise unreadable(
                text.path,
                "malformed_file",
                f"到第 {number} 行为止，多半的行格数不对或引号没有闭合",
                "各行格数与列名相同、引号成对的文本",
            )
        yield number, defect, cells


def _record(
    text: _Text, delimiter: str, rules: RowRules
) -> tuple[list[str], str | None, list[bytes]]:
    """The next row's cells, its defect, and the lines that it takes."""
    lines: list[bytes] = []
    max_lines = rules.max_cell_lines * LONG_CELLS

    def feed() -> Iterator[str]:
        for line in islice(text.lines(), max_lines):
            lines.append(line)
            if b"\0" in line or BAD in line:
                raise csv.Error
            yield line.decode(UTF8)

    try:
        cells = next(csv.reader(feed(), delimiter=delimiter, strict=True))
        defect = rules.defect(cells)
    except csv.Error:
        cells, defect = [], MALFORMED
    if any("\n" in cell and _swallows(cell, delimiter, rules) for cell in cells):
        defect = MALFORMED
    if defect != MALFORMED:
        return cells, defect, lines
    if lines[0].startswith(BAD):
        defect = f"{UNDECODABLE}:{lines[0][1:-1].decode()}"
    return cells, defect, lines[:1]


def _swallows(cell: str, delimiter: str, rules: RowRules) -> bool:
    """Whether a quoted cell has taken records into it, judged without trusting its quotes.

    A quote that opens in one record and closes in a later one takes whole records in between, and
    with each line break as many delimiters as a record has. Nor is a cell longer than some lines.
    """
    first, *others = cell.split("\n")
    if len(others) >= rules.max_cell_lines:
        return True
    delimiters = rules.width - 1
    if not delimiters:
        return False
    counts = [line.count(delimiter) for line in others]
    return delimiters in counts[:-1] or (
        first.count(delimiter) + sum(counts) == delimiters * len(others)
    )


def _proved_encoding(path: Path, part: Part) -> str:
    """The header has proved the encoding, unless it is plain ASCII, which reads alike in any."""
    if part.encoding not in ALLOWED or not "".join(part.header).isascii():
        return part.encoding
    undecodable = dict.fromkeys(sorted(ALLOWED, key=lambda name: name != part.encoding), 0)
    for encoding in undecodable:
        for block in _utf8_blocks(path, encoding):
            undecodable[encoding] += block.count(BAD)
            if undecodable[encoding] > MAX_UNDECODABLE:
                break
        if not undecodable[encoding]:
            return encoding
    return min(undecodable, key=lambda name: undecodable[name])


def _likely_encodings(head: bytes) -> list[str]:
    """The allowed encodings that a file's first bytes speak for, the likeliest first."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return [UTF16]
    try:
        codecs.getincrementaldecoder(UTF8)("strict").decode(head)
    except UnicodeDecodeError:
        if head.startswith(codecs.BOM_UTF8):
            return [UTF8]
        best = from_bytes(head, cp_isolation=list(ALLOWED)).best()
        likeliest = best.encoding.replace("_", "-") if best else GB18030
        return sorted(ALLOWED, key=lambda name: name != likeliest)
    return [UTF8]


def _utf8_blocks(path: Path, encoding: str) -> Iterator[bytes]:
    """A file's text in UTF-8, in blocks of whole lines that end with line feeds.

    Lines that don't decode or are too long are replaced as `_Text` says.
    """
    chunks = _chunks(path)
    first = next(chunks, b"")
    codec, offset = encoding, 0
    if encoding == UTF16:
        codec = "utf-16-le" if first.startswith(codecs.BOM_UTF16_LE) else "utf-16-be"
        first, offset = first[2:], 2
    head = first[:HEAD].decode(codec, errors="replace")
    newline = "\r" if "\n" not in head and "\r" in head else "\n"
    mark = newline.encode(codec)
    for start, block in _line_blocks(chain([first], chunks), mark, offset):
        text = _decoded(block, codec, mark, start)
        yield text if newline == "\n" else text.replace(b"\r", b"\n")


def _line_blocks(chunks: Iterable[bytes], mark: bytes, offset: int) -> Iterator[tuple[int, bytes]]:
    """Blocks of whole lines, and where in the file each begins; `mark` is what ends a line."""
    width = len(mark)
    rest, is_too_long = b"", False
    for chunk in chunks:
        rest += chunk
        if is_too_long and (end := _line_end(rest, mark)):
            yield offset, bytes(width) + mark
            offset, rest, is_too_long = offset + end, rest[end:], False
        if not is_too_long and (end := _last_line_end(rest, mark)):
            yield offset, rest[:end]
            offset, rest = offset + end, rest[end:]
        if len(rest) > MAX_RECORD:
            is_too_long = True
        if is_too_long:
            dropped = len(rest) // width * width
            offset, rest = offset + dropped, rest[dropped:]
    if is_too_long:
        yield offset, bytes(width) + mark
    elif rest:
        if len(rest) % width:  # half a UTF-16 unit at the end: half a surrogate pair says the same
            rest = rest[:-1] + b"\xd8\xd8"
        yield offset, rest + mark


def _line_end(data: bytes, mark: bytes, start: int = 0) -> int:
    """Where the line that `start` is in ends, or 0; never in the middle of a UTF-16 unit."""
    at = data.find(mark, start)
    while at > 0 and at % len(mark):
        at = data.find(mark, at + 1)
    return at + len(mark) if at >= 0 else 0


def _last_line_end(data: bytes, mark: bytes) -> int:
    at = data.rfind(mark)
    while at > 0 and at % len(mark):
        at = data.rfind(mark, 0, at + len(mark) - 1)
    return at + len(mark) if at >= 0 else 0


def _decoded(block: bytes, codec: str, mark: bytes, offset: int) -> bytes:
    """A block in UTF-8, every byte of it decoded strictly."""
    try:
        if codec != UTF8:
            decoder = codecs.getincrementaldecoder(codec)()
            pieces = (block[at : at + DECODED] for at in range(0, len(block), DECODED))
            text = b"".join(decoder.decode(piece).encode() for piece in pieces)
            decoder.decode(b"", final=True)
            if codec != GB18030 or not any(map(_is_foreign, block.split(mark))):
                return text
        else:
            pl.Series([block], dtype=pl.Binary).cast(pl.String)  # proves it, faster than Python
            return block
    except (UnicodeDecodeError, pl.exceptions.ComputeError):
        pass
    lines, start = [], 0
    while start < len(block):
        end = _line_end(block, mark, start)
        line = block[start:end]
        try:
            text = line.decode(codec).encode()
            bad_at = _first_beyond_ascii(line) if codec == GB18030 and _is_foreign(line) else -1
        except UnicodeDecodeError as error:
            bad_at = error.start
        if bad_at >= 0:
            place = offset + start + bad_at + 1
            text = BAD + str(place).encode() + mark.decode(codec).encode()
        lines.append(text)
        start = end
    return b"".join(lines)


def _is_foreign(line: bytes) -> bool:
    """Whether a line of a GB18030 file is UTF-8, of which GB18030 makes other, rare characters.

    Chinese in GB18030 is no UTF-8, but for a few pairs of characters; and those aren't Chinese.
    """
    try:
        others = [char for char in line.decode(UTF8) if ord(char) > ASCII]
    except UnicodeDecodeError:
        return False
    return len(others) > 1 and all(ord(char) >= CJK for char in others)


def _first_beyond_ascii(line: bytes) -> int:
    return next(at for at, byte in enumerate(line) if byte > ASCII)


def _chunks(path: Path) -> Iterator[bytes]:
    """A file's bytes, unpacked if it is a .gz.

    Raises:
        InputError: not a whole gzip file, or one that grows out of all proportion.
    """
    size = path.stat().st_size
    with path.open("rb") as packed:
        if path.suffix.lower() != ".gz":
            # Whole lines, mostly, which nobody has to put together again.
            while chunk := packed.read(CHUNK) + packed.readline(SCANNED):
                yield chunk
                progress.step(packed.tell() / size)
            return
        total = 0
        try:
            with gzip.open(packed) as file:
                while chunk := file.read(CHUNK):
                    total += len(chunk)
                    if total > max(size * MAX_RATIO, MIN_BOMB):
                        raise zip_bomb(path)
                    yield chunk
                    progress.step(packed.tell() / size)
        except (OSError, EOFError, zlib.error) as error:
            raise unreadable(
                path, "bad_gzip", "压缩文件不完整或已损坏", "完整的 .csv.gz 或 .tsv.gz"
            ) from error


def whole_text(path: Path) -> str:
    """A document's text, decoded strictly by the first encoding that its bytes speak for.

    Raises:
        InputError: empty, too large for a document, or no text in an allowed encoding.
    """
    data = path.read_bytes() if path.stat().st_size <= MAX_DOCUMENT else b""
    if not data.strip(b"\r\n\t \xef\xbb\xbf\xff\xfe\x00"):
        found = "文档过大" if path.stat().st_size > MAX_DOCUMENT else "文件是空的"
        raise unreadable(path, "bad_document", found, f"1 到 {MAX_DOCUMENT} 字节的文档")
    for encoding in _likely_encodings(data):
        with suppress(UnicodeDecodeError):
            text = data.decode(encoding).removeprefix("\ufeff")
            if "\0" not in text:
                return text
    raise unreadable(
        path,
        "bad_encoding",
        "不能按 UTF-8 或 GB18030 解码",
        "UTF-8、带 BOM 的 UTF-16 或 GB18030 编码的文本",
    )
