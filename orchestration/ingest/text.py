"""CSV and TSV → tables of text.

A clean file streams through polars; `_scan` proves from the bytes alone that it is clean and counts
its rows. Any other file goes line by line, and the lines that can't be read are marked.
"""

import codecs
import csv
import gzip
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any

import numpy as np
import polars as pl
from charset_normalizer import from_bytes

from orchestration.ingest.tables import (
    BLANK_ROW,
    BLANKS,
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
HEAD = 1 << 18
DELIMITERS = (",", "\t", ";")
MAX_UNDECODABLE = 10
MAX_DOCUMENT = 1 << 25
"""Bytes of a document that is read whole."""
MAX_MALFORMED = 10_000
MAX_LINES = 200
"""Lines that one quoted cell may span; an unclosed quote is given up after as many."""
UTF8, GB18030, UTF16 = "utf-8", "gb18030", "utf-16"
ALLOWED = (UTF8, GB18030)
"""Without a byte order mark."""
NEWLINE, RETURN, QUOTE = b'\n\r"'

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
    if path.suffix.lower() == ".gz":
        head = b"".join(_unzipped(path, HEAD))[:HEAD]
    else:
        with path.open("rb") as file:
            head = file.read(HEAD)
    if not head.strip(b"\r\n\t ,;\xef\xbb\xbf\xff\xfe\x00"):
        raise unreadable(path, "empty_file", "文件是空的", "列名和各行")
    for encoding in _likely_encodings(head):
        text = head.decode(encoding, errors="replace").removeprefix("\ufeff")
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


@contextmanager
def text_table(path: Path, part: Part, rules: RowRules, scratch: Path) -> Iterator[Table]:
    """Open the rows below a text file's header.

    Args:
        path: the file as received.
        part: where its table lies.
        rules: what its rows may be.
        scratch: a folder for a temporary UTF-8 copy, gone when the context ends.

    Raises:
        InputError: more than a few lines can't be decoded, or a compressed file is broken.
    """
    with _as_utf8(path, part, scratch) as (utf8, encoding, undecodable):
        if not undecodable and (scanned := _scan(utf8, part, rules)):
            frame = _clean_frame(utf8, part, scanned)
            yield Table(iter([frame]), encoding, lambda: scanned.row_count)
            return
        tally = _Tally()
        yield Table(
            frames_of(_careful_rows(path, utf8, part, rules, tally), rules.width),
            encoding,
            # Every physical line belongs to exactly one row: a lost line shows as a lost row.
            lambda: tally.rows + _line_count(utf8) - part.header_lines - tally.lines,
        )


@dataclass
class _Scanned:
    """A clean file's rows: how many, and the numbers of those that aren't records."""

    row_count: int = 0
    blank: list[int] = field(default_factory=list)
    not_records: list[int] = field(default_factory=list)


def _clean_frame(path: Path, part: Part, scanned: _Scanned) -> pl.LazyFrame:
    width = len(part.header)
    frame = pl.scan_csv(
        path,
        has_header=False,
        skip_lines=part.header_lines,
        separator=part.delimiter,
        schema=pl.Schema({str(position): pl.String for position in range(width)}),
        row_index_name=ROW_NUMBER,
        row_index_offset=part.header_row + 1,
        extra_columns="raise",
        missing_columns="insert",  # a blank line has none; the scan has proved the others
        glob=False,
    )
    if scanned.blank:
        frame = frame.filter(~pl.col(ROW_NUMBER).is_in(scanned.blank))
    if not scanned.not_records:
        return frame.with_columns(pl.lit(None, pl.String).alias(ROW_DEFECT))
    is_record = ~pl.col(ROW_NUMBER).is_in(scanned.not_records)
    cells = pl.exclude(ROW_NUMBER)
    return frame.with_columns(
        pl.when(is_record).then(cells),
        pl.when(~is_record).then(pl.lit(NOT_A_RECORD)).alias(ROW_DEFECT),
    )


def _scan(path: Path, part: Part, rules: RowRules) -> _Scanned | None:
    """Prove that each row below the header has the header's width and well-set quotes.

    Works on bytes with numpy, independently of the reader that polars uses. Returns None as soon as
    anything is odd: a NUL, a lone carriage return, a quote inside a bare cell.
    """
    scanned = _Scanned()
    number = part.header_row
    delimiter = ord(part.delimiter)
    suspects = _suspect_bytes(rules, delimiter)
    if rules.named < rules.width or rules.width == 1:
        return None
    with path.open("rb") as file:
        for _ in range(part.header_lines):
            file.readline()
        rest = b""
        while True:
            chunk = file.read(SCANNED)
            data = rest + chunk
            if not chunk and data and not data.endswith(b"\n"):
                data += b"\n"
            if not data:
                break
            found = _structure(data, delimiter)
            if found is None:
                return None
            starts, ends, widths = found
            cut = int(ends[-1]) + 1 if len(ends) else 0
            rest = data[cut:]
            if len(rest) > MAX_RECORD or (not chunk and rest):
                return None
            lengths = ends - starts
            lengths -= (lengths > 0) & (np.frombuffer(data, np.uint8)[ends - 1] == RETURN)
            empty = lengths == 0
            if not np.all((widths == rules.width) | empty):
                return None
            buffer = np.frombuffer(data, np.uint8)
            first = buffer[starts]
            first = np.where(first == QUOTE, buffer[np.minimum(starts + 1, ends)], first)
            for at in np.flatnonzero(suspects[first]):
                line = data[starts[at] : ends[at]].decode(UTF8)
                cells = next(csv.reader([line], delimiter=part.delimiter), [])
                defect = rules.defect(cells)
                if defect == BLANK_ROW:
                    scanned.blank.append(number + int(at) + 1)
                elif defect == NOT_A_RECORD:
                    scanned.not_records.append(number + int(at) + 1)
            number += len(ends)
            scanned.row_count += len(ends)
            if not chunk:
                break
    scanned.row_count -= len(scanned.blank)
    return scanned


def _structure(data: bytes, delimiter: int) -> tuple[Array, Array, Array] | None:
    """Starts, ends (of the line feeds) and widths in cells of the whole rows in `data`."""
    if b"\0" in data:
        return None
    buffer = np.frombuffer(data, np.uint8)
    marks = (buffer == delimiter) | (buffer == NEWLINE)
    if b"\r" in data:
        returns = buffer == RETURN
        if (returns[:-1] & (buffer[1:] != NEWLINE)).any():
            return None
    if QUOTE in data:
        quotes = buffer == QUOTE
        inside = np.bitwise_xor.accumulate(quotes)
        # A quote that opens follows the end of a cell, one that closes precedes it; two in a row
        # close and open again. Before the data a row ended, and after it more may come.
        edges = marks | quotes
        opens = quotes & inside
        closes = quotes & ~inside
        if (opens[1:] & ~edges[:-1]).any():
            return None
        if (closes[:-1] & ~(edges | (buffer == RETURN))[1:]).any():
            return None
        marks &= ~inside
    positions = np.flatnonzero(marks)
    line_marks = np.flatnonzero(buffer[positions] == NEWLINE)
    ends = positions[line_marks]
    starts = np.concatenate(([0], ends[:-1] + 1)) if len(ends) else ends
    return starts, ends, np.diff(line_marks, prepend=-1)


def _suspect_bytes(rules: RowRules, delimiter: int) -> Array:
    """Which first bytes of a row may begin a blank row, a total or a footnote."""
    suspects = np.zeros(256, bool)
    suspects[[delimiter, QUOTE, *(text.encode()[0] for text in (*BLANKS, *rules.words))]] = True
    return suspects


@dataclass
class _Tally:
    """What the careful path has gone through."""

    rows: int = 0
    lines: int = 0
    malformed: int = 0


def _careful_rows(
    path: Path, utf8: Path, part: Part, rules: RowRules, tally: _Tally
) -> Iterator[NumberedRow]:
    """Rows of a file that isn't clean, line by line, from its UTF-8 copy.

    A line that can't be read is a row of its own, and reading goes on at the very next line: an
    unclosed quote takes no other row with it.

    Raises:
        InputError: most rows are malformed, and they are many: this is no table.
    """
    number = part.header_row
    with utf8.open("rb") as file:
        lines = _physical_lines(file)
        for _ in range(part.header_lines):
            next(lines, None)
        for cells, defect, line_count in _records(lines, part.delimiter, rules):
            number += 1
            tally.lines += line_count
            if defect != BLANK_ROW:
                tally.rows += 1
                tally.malformed += defect == MALFORMED
                if tally.malformed > max(MAX_MALFORMED, tally.rows // 2):
                    raise unreadable(
                        path,
                        "malformed_file",
                        f"到第 {number} 行为止，多半的行格数不对或引号没有闭合",
                        "各行格数与列名相同、引号成对的文本",
                    )
                yield number, defect, cells


def _records(
    lines: Iterator[bytes], delimiter: str, rules: RowRules
) -> Iterator[tuple[list[str], str | None, int]]:
    """Each record's cells, its defect, and how many lines it takes."""
    pending: deque[bytes] = deque()
    taken: list[bytes] = []

    def feed() -> Iterator[str]:
        while len(taken) < MAX_LINES:
            line = pending.popleft() if pending else next(lines, None)
            if line is None:
                return
            taken.append(line)
            if b"\0" in line:
                raise csv.Error
            yield line.decode(UTF8)

    while True:
        taken.clear()
        cells: list[str] = []
        try:
            cells = next(csv.reader(feed(), delimiter=delimiter, strict=True))
            defect = rules.defect(cells)
        except StopIteration:
            return
        except (csv.Error, UnicodeDecodeError):
            defect = MALFORMED
        if defect == MALFORMED:
            pending.extendleft(reversed(taken[1:]))
            del taken[1:]
            defect = MALFORMED if _decodes(taken[0]) else UNDECODABLE
        yield cells, defect, len(taken)


@contextmanager
def _as_utf8(path: Path, part: Part, scratch: Path) -> Iterator[tuple[Path, str, int]]:
    """The file or a temporary UTF-8 copy, its encoding, and how many of its lines don't decode.

    Bytes that don't decode stay undecodable in the copy: the line's own row is rejected later.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:

        def copy_of(chunks: Iterable[bytes]) -> Path:
            copy = stack.enter_context(NamedTemporaryFile(dir=scratch, suffix=".csv"))
            copy.writelines(chunks)
            copy.flush()
            return Path(copy.name)

        plain = copy_of(_unzipped(path)) if path.suffix.lower() == ".gz" else path
        # The header proved the encoding if it isn't plain ASCII, which reads the same in any.
        encodings = [part.encoding]
        if "".join(part.header).isascii() and part.encoding in ALLOWED:
            encodings = sorted(ALLOWED, key=lambda name: name != part.encoding)
        found = []
        for encoding in encodings:
            copy = plain if encoding == UTF8 else copy_of(_transcoded(plain, encoding))
            found.append((_undecodable_lines(copy), copy, encoding))
            if not found[-1][0]:
                break
        bad, utf8, encoding = min(found, key=lambda copy: copy[0])
        if bad > MAX_UNDECODABLE:
            raise unreadable(
                path,
                "bad_encoding",
                f"超过 {MAX_UNDECODABLE} 行的字节不能按 {encoding} 解码",
                "UTF-8、带 BOM 的 UTF-16 或 GB18030 编码的文本",
            )
        with utf8.open("rb") as file:
            head = file.read(HEAD)
        if b"\n" not in head and b"\r" in head:
            utf8 = copy_of(chunk.replace(b"\r", b"\n") for chunk in _chunks(utf8))
        yield utf8, encoding, bad


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


def _transcoded(path: Path, encoding: str) -> Iterator[bytes]:
    """A file's text in UTF-8; a line that doesn't decode becomes one byte that never does."""
    if encoding == UTF16:
        decoder = codecs.getincrementaldecoder(UTF16)("surrogatepass")
        for chunk in _chunks(path):
            yield decoder.decode(chunk).encode(UTF8, "surrogatepass")
        if decoder.getstate()[0]:
            yield b"\xff\n"
        return
    with path.open("rb") as file:
        while block := file.read(CHUNK) + file.readline(MAX_RECORD):
            try:
                yield block.decode(encoding).encode()
            except UnicodeDecodeError:
                for line in block.splitlines(keepends=True):
                    try:
                        yield line.decode(encoding).encode()
                    except UnicodeDecodeError:
                        yield b"\xff\n"


def _undecodable_lines(path: Path) -> int:
    """How many lines of a UTF-8 file don't decode strictly; counts no further than is needed."""
    decoder = codecs.getincrementaldecoder(UTF8)("strict")
    try:
        for chunk in _chunks(path):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        with path.open("rb") as file:
            bad = (1 for line in _physical_lines(file) if not _decodes(line))
            return sum(islice(bad, MAX_UNDECODABLE + 1))
    return 0


def _decodes(line: bytes) -> bool:
    try:
        line.decode(UTF8)
    except UnicodeDecodeError:
        return False
    return True


def _physical_lines(file: IO[bytes]) -> Iterator[bytes]:
    """Lines of a file; one that is too long for any row is replaced by a NUL."""
    while line := file.readline(MAX_RECORD):
        if len(line) == MAX_RECORD:
            while line and not line.endswith(b"\n"):
                line = file.readline(MAX_RECORD)
            line = b"\0\n"
        yield line


def _line_count(path: Path) -> int:
    count, last = 0, b"\n"
    for chunk in _chunks(path):
        count, last = count + chunk.count(b"\n"), chunk[-1:]
    return count + (last != b"\n")


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _unzipped(path: Path, at_most: int | None = None) -> Iterator[bytes]:
    """The content of a .gz file, at most so many bytes of it.

    Raises:
        InputError: not a whole gzip file, or one that grows out of all proportion.
    """
    allowed = max(path.stat().st_size * MAX_RATIO, MIN_BOMB)
    total = 0
    try:
        with gzip.open(path) as file:
            while (at_most is None or total < at_most) and (chunk := file.read(at_most or CHUNK)):
                total += len(chunk)
                if total > allowed:
                    raise zip_bomb(path)
                yield chunk
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
