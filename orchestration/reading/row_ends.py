"""Proves how many rows a block of delimited text has, independently of the parser.

Line ends and quotes are counted in the bytes, without the parser's assumptions.
"""

import codecs
import csv
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from orchestration.reading.canonical import BLANKS
from orchestration.reading.encodings import BAD, SCANNED, UTF8
from orchestration.reading.tables import (
    BLANK_ROW,
    NOT_A_RECORD,
    ROW_DEFECT,
    ROW_NUMBER,
    Part,
    RowRules,
)

NEWLINE, RETURN, QUOTE = b'\n\r"'
Array = np.ndarray[Any, Any]


@dataclass
class _Proof:
    """How far text is clean: every row has the header's width and properly placed quotes."""

    end: int
    is_odd: bool = False
    """What follows isn't clean; else it is the beginning of a row, or nothing."""
    row_count: int = 0
    line_count: int = 0
    blank: list[int] = field(default_factory=list)
    """Which rows are blank lines, counted from 1."""
    not_records: list[int] = field(default_factory=list)


def clean_frame(data: bytes, part: Part, proof: _Proof, number: int) -> pl.LazyFrame:
    """A proved block as a lazy frame of text, with the number and the defect of each row."""
    frame = pl.scan_csv(
        data,
        has_header=False,
        separator=part.delimiter,
        schema=pl.Schema({str(position): pl.String for position in range(len(part.header))}),
        row_index_name=ROW_NUMBER,
        row_index_offset=number + 1,
        missing_columns="insert",  # only blank lines lack columns; the proof checked the others
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


def prove(data: bytes, at: int, delimiter: int, rules: RowRules) -> _Proof:
    """Prove how far rows from `at` on are clean, and count them.

    This works on bytes with numpy, independently of polars' reader. `data` must end with a whole
    line. A NUL, a lone carriage return or a quote inside an unquoted cell ends what is clean.
    """
    proof = _Proof(at)
    suspects = _suspect_bytes(rules, delimiter)
    size = SCANNED
    while (start := proof.end) < len(data):
        stop = (data.rfind(b"\n", start, start + size) + 1) or (data.index(b"\n", start) + 1)
        piece = np.frombuffer(data, np.uint8, stop - start, start)
        # polars would strip a byte order mark from the first row.
        proof.is_odd = data.startswith(codecs.BOM_UTF8, start) or any(
            data.find(byte, start, stop) >= 0 for byte in (b"\0", BAD)
        )
        has_quotes = data.find(b'"', start, stop) >= 0
        ends = None if proof.is_odd else _row_ends(piece, delimiter, rules, has_quotes)
        if ends is None:
            proof.is_odd = True
            return proof
        if not len(ends):  # a quoted cell continues beyond the piece
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
        proof.line_count += count(piece[:whole], NEWLINE) if has_quotes else len(ends)
    return proof


def _row_ends(data: Array, delimiter: int, rules: RowRules, has_quotes: bool) -> Array | None:
    """The positions of the line feeds that end rows; None if a row isn't clean.

    A clean row has the header's width or is a blank line. `data` ends with a line feed, but its
    last row may continue beyond it. A row isn't clean if a quoted line break comes with enough
    delimiters for another record, or if it has many line breaks.
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
        # An opening quote follows the end of a cell and a closing quote precedes one; two adjacent
        # quotes close and open again. `prepend=-1`: the data follow the end of a row.
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
    """Whether no row's quotes can contain another record.

    Args:
        breaks: which marks are line feeds within quotes.
        delimiters: which marks are delimiters within quotes.
        ends: which marks end a row.
        rules: the rules for rows.
    """
    if not breaks.any():
        return True
    row = np.cumsum(ends)
    per_row = np.bincount(row[breaks])
    beside = np.bincount(row[delimiters], minlength=len(per_row))[: len(per_row)]
    return bool(
        per_row.max() < rules.max_cell_lines and (beside[per_row > 0] < rules.width - 1).all()
    )


def count(data: bytes | Array, byte: int) -> int:
    """Count a byte; faster than `bytes.count` for a byte that is frequent."""
    buffer = np.frombuffer(data, np.uint8)
    pieces = range(0, len(buffer), SCANNED)
    return sum(int(np.count_nonzero(buffer[at : at + SCANNED] == byte)) for at in pieces)


def _suspect_bytes(rules: RowRules, delimiter: int) -> Array:
    """The bytes with which a blank row, a total or a footnote may start, as a mask."""
    suspects = np.zeros(256, bool)
    suspects[[delimiter, QUOTE, *(text.encode()[0] for text in (*BLANKS, *rules.words))]] = True
    return suspects
