"""Detects and proves a text file's encoding, and decodes the file to UTF-8 block by block.

Rows and cells belong to `text`.
"""

import codecs
import gzip
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path

import polars as pl
from charset_normalizer import from_bytes

from orchestration.common import progress
from orchestration.reading.tables import (
    MAX_RATIO,
    MAX_RECORD,
    MIN_BOMB,
    Part,
    unreadable,
    zip_bomb,
)

UTF8, GB18030, UTF16 = "utf-8", "gb18030", "utf-16"
# The last character of ASCII, and the first of those that Chinese text is written with.
ASCII, CJK = 0x7F, 0x2010
CHUNK = 1 << 22
# Bytes scanned at a time; they fit into the processor's cache.
SCANNED = 1 << 18
# Bytes decoded at a time, for the same reason.
DECODED = 1 << 16
HEAD = 1 << 18
MAX_UNDECODABLE = 10
# The most bytes of a document that is read at once.
MAX_DOCUMENT = 1 << 25
# Encodings without a byte order mark.
ALLOWED = (UTF8, GB18030)
# First byte of the placeholder for a line that doesn't decode: it never occurs in UTF-8.
BAD = b"\xff"


def proved_encoding(path: Path, part: Part) -> str:
    """A part's encoding, proved by the whole file if the header is ASCII and so proves nothing."""
    if part.encoding not in ALLOWED or not "".join(part.header).isascii():
        return part.encoding
    undecodable = dict.fromkeys(sorted(ALLOWED, key=lambda name: name != part.encoding), 0)
    for encoding in undecodable:
        for block in utf8_blocks(path, encoding):
            undecodable[encoding] += block.count(BAD)
            if undecodable[encoding] > MAX_UNDECODABLE:
                break
        if not undecodable[encoding]:
            return encoding
    return min(undecodable, key=lambda name: undecodable[name])


def likely_encodings(head: bytes) -> list[str]:
    """The allowed encodings that fit a file's first bytes, the likeliest first."""
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


def utf8_blocks(path: Path, encoding: str) -> Iterator[bytes]:
    """A file's text in UTF-8, in blocks of whole lines that end with line feeds.

    Lines that don't decode or are too long are replaced (see `_Text` in `text`).
    """
    chunks = byte_chunks(path)
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
    """Blocks of whole lines, each with its offset in the file; `mark` is the line end."""
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
        if len(rest) % width:  # half a UTF-16 unit at the end: a lone surrogate fails alike
            rest = rest[:-1] + b"\xd8\xd8"
        yield offset, rest + mark


def _line_end(data: bytes, mark: bytes, start: int = 0) -> int:
    """The end of the line that contains `start`, or 0; never in the middle of a UTF-16 unit."""
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
    """A block in UTF-8, decoded strictly; a line that doesn't decode is replaced."""
    try:
        if codec != UTF8:
            decoder = codecs.getincrementaldecoder(codec)()
            pieces = (block[at : at + DECODED] for at in range(0, len(block), DECODED))
            text = b"".join(decoder.decode(piece).encode() for piece in pieces)
            decoder.decode(b"", final=True)
            if codec != GB18030 or not any(map(_is_foreign, block.split(mark))):
                return text
        else:
            pl.Series([block], dtype=pl.Binary).cast(pl.String)  # validates faster than Python
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
    """Whether a line of a GB18030 file is in fact UTF-8, which GB18030 decodes to rare characters.

    Chinese text in GB18030 isn't valid UTF-8, apart from a few pairs of characters. Read as UTF-8,
    those pairs aren't Chinese.
    """
    try:
        others = [char for char in line.decode(UTF8) if ord(char) > ASCII]
    except UnicodeDecodeError:
        return False
    return len(others) > 1 and all(ord(char) >= CJK for char in others)


def _first_beyond_ascii(line: bytes) -> int:
    return next(at for at, byte in enumerate(line) if byte > ASCII)


def byte_chunks(path: Path) -> Iterator[bytes]:
    """A file's bytes in chunks, decompressed if it is a .gz.

    Raises:
        InputError: a .gz is damaged, or expands out of proportion.
    """
    size = path.stat().st_size
    with path.open("rb") as packed:
        if path.suffix.lower() != ".gz":
            # Chunks mostly end with a line, so that lines seldom have to be joined.
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
    """A document's text, decoded strictly by the first of its likely encodings that fits.

    Raises:
        InputError: the file is empty, too large for a document, or not in an allowed encoding.
    """
    data = path.read_bytes() if path.stat().st_size <= MAX_DOCUMENT else b""
    if not data.strip(b"\r\n\t \xef\xbb\xbf\xff\xfe\x00"):
        found = "文档过大" if path.stat().st_size > MAX_DOCUMENT else "文件是空的"
        raise unreadable(path, "bad_document", found, f"1 到 {MAX_DOCUMENT} 字节的文档")
    for encoding in likely_encodings(data):
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
