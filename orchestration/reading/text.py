"""Reads CSV and TSV files into tables of text.

Blocks of whole lines are decoded strictly, one after another. `prove` determines from the bytes how
far a block is clean and counts its rows, and polars reads that much. The rest is read line by line,
and lines that can't be read are marked.
"""

import csv
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import polars as pl

from orchestration.reading.encodings import (
    BAD,
    CHUNK,
    HEAD,
    MAX_UNDECODABLE,
    UTF8,
    byte_chunks,
    likely_encodings,
    proved_encoding,
    utf8_blocks,
)
from orchestration.reading.kinds import check_text
from orchestration.reading.row_ends import NEWLINE, clean_frame, count, prove
from orchestration.reading.tables import (
    BLANK_ROW,
    HEADER_SEARCH,
    MALFORMED,
    MAX_COLUMNS,
    MAX_RECORD,
    UNDECODABLE,
    NumberedRow,
    Part,
    RowRules,
    Table,
    frames_of,
    too_many_columns,
    unreadable,
)

DELIMITERS = (",", "\t", ";")
MAX_MALFORMED = 10_000
# The most cells of maximal length in one record; beyond their lines a quote counts as unclosed.
LONG_CELLS = 4

csv.field_size_limit(MAX_RECORD)


@dataclass(frozen=True)
class Head:
    """The first rows of a text file in one reading, and the physical lines up to each row's end."""

    encoding: str
    delimiter: str
    rows: list[list[str]]
    lines: list[int]


def text_heads(path: Path) -> Iterator[Head]:
    """The first rows of a text file, read with each possible encoding and delimiter.

    Raises:
        InputError: the file is empty, of another kind or wrongly encoded, or a row is too wide.
    """
    head = next(byte_chunks(path), b"")[:HEAD]
    if not head.strip(b"\r\n\t ,;\xef\xbb\xbf\xff\xfe\x00"):
        raise unreadable(path, "empty_file", "文件是空的", "列名和各行")
    check_text(path, head)
    for encoding in likely_encodings(head):
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
    # An unreadable row ends the search for the header; rows are checked later, one by one.
    with suppress(csv.Error):
        for row in islice(reader, HEADER_SEARCH):
            rows.append(row)
            ends.append(reader.line_num)
    return rows, ends


def text_table(path: Path, part: Part, rules: RowRules) -> Table:
    """The rows below a text file's header; the frames read the file once, from start to end.

    Args:
        path: the file as received.
        part: the place of the table in it.
        rules: the rules for its rows.

    Raises (while the frames are consumed):
        InputError: more than a few lines can't be decoded, a compressed file is damaged, or most
            rows are malformed.
    """
    encoding = proved_encoding(path, part)
    text, tally = _Text(path, encoding), _Tally()
    return Table(
        _frames(text, part, rules, tally),
        encoding,
        # Every physical line belongs to exactly one row, so a lost line appears as a lost row.
        lambda: tally.rows + text.line_count - part.header_lines - tally.lines,
        lambda: tally.line_breaks,
    )


class _Text:
    """A file's text in UTF-8: whole lines, consumed from the front block by block.

    A line that doesn't decode is replaced by a byte that is never valid UTF-8 (`BAD`) and the
    position of its first bad byte in the file. A line that is too long for a row is replaced by a
    NUL.
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
        self._blocks = utf8_blocks(path, encoding)

    def more(self) -> bool:
        """Read the next block and discard what was consumed; False at the end of the file.

        Raises:
            InputError: too many lines can't be decoded.
        """
        block = next(self._blocks, b"")
        self.data = self.data[self.at :] + block
        self.at = 0
        self.line_count += count(block, NEWLINE)
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
        """The lines from the front on; they aren't consumed."""
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
    """Counts of what was read: physical lines, and rows that aren't blank."""

    rows: int = 0
    lines: int = 0
    malformed: int = 0
    line_breaks: int = 0
    """Within cells: lines that begin no row."""


def _frames(text: _Text, part: Part, rules: RowRules, tally: _Tally) -> Iterator[pl.LazyFrame]:
    """Frames of the clean stretches, read by polars, and of the others, read row by row."""
    header_length = sum(map(len, islice(text.lines(), part.header_lines)))
    text.at += header_length
    number = part.header_row
    # Read row by row if there are cells beyond the last named column, or only one column, in which
    # a blank line looks like a row with an empty cell.
    provable = rules.named == rules.width > 1
    while text.at < len(text.data) or text.more():
        if provable:
            proof = prove(text.data, text.at, ord(part.delimiter), rules)
            if proof.row_count > len(proof.blank):
                yield clean_frame(text.data[text.at : proof.end], part, proof, number)
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


def _odd_rows(
    text: _Text, number: int, delimiter: str, rules: RowRules, tally: _Tally
) -> Iterator[NumberedRow]:
    """Rows of a stretch that isn't clean, one by one.

    A line that can't be read is a row of its own, and reading continues at the next line, so that
    an unclosed quote affects no other row.

    Raises:
        InputError: most rows are malformed, and there are many: the file isn't a table.
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
    """Whether a quoted cell contains other records; its quotes aren't trusted.

    A quote that opens in one record and closes in a later one encloses the records in between, with
    as many delimiters per line break as a record has. A cell with too many lines counts, too.
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
