"""CSV and TSV → tables of text.

Blocks of whole lines are decoded strictly, one after another. `prove` proves from the bytes alone
how far a block is clean and counts its rows; polars reads that much. What is odd goes line by line,
and the lines that can't be read are marked.
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
LONG_CELLS = 4
"""Cells of the longest kind in one record; an unclosed quote is given up after their lines."""

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
    encoding = proved_encoding(path, part)
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
        self._blocks = utf8_blocks(path, encoding)

    def more(self) -> bool:
        """Read a block on, and forget what has been taken."""
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
