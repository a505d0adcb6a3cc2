"""Export files → text tables: encodings and formats belong here, the meaning of a column doesn't.

Every format ends as a polars LazyFrame of text with a row number, so that a CSV of any size streams
to the lake. Row 1 is the header, so that a row number is the one a person sees in Excel.
"""

import codecs
import csv
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from io import TextIOWrapper
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from xml.parsers.expat import ExpatError, ParserCreate

import polars as pl
from python_calamine import CalamineError, CalamineWorkbook

from orchestration.errors import InputError

CHUNK = 1 << 20
SUFFIXES = (".csv", ".xlsx")
# Strict decoding proves an encoding; GB18030 comes last because it accepts most byte pairs.
ENCODINGS = ("utf-8-sig", "gb18030")
ROW_NUMBER = "row_number"


@dataclass(frozen=True)
class Table:
    """A file's rows as text. `frame` holds the header's columns and `row_number`."""

    frame: pl.LazyFrame
    header: tuple[str, ...]
    encoding: str


@contextmanager
def open_table(path: Path, scratch: Path) -> Iterator[Table]:
    """Open a CSV (UTF-8 with or without BOM, GB18030) or XLSX file.

    Args:
        path: the file as received.
        scratch: a folder for a temporary UTF-8 copy, gone when the context ends.

    Raises:
        InputError: the file is empty, can't be decoded, or isn't what its suffix says.
    """
    if path.suffix.lower() == ".xlsx":
        yield _xlsx_table(path)
        return
    encoding = detect_encoding(path)
    header = tuple(cell.strip() for cell in next(_csv_records(path, encoding), []))
    if not any(header):
        raise _unreadable(path, "empty_file", "文件是空的", "第 1 行是列名")
    with _as_utf8(path, encoding, scratch) as utf8:
        # Headers are checked by contract; positions keep repeated ones apart until then.
        frame = pl.scan_csv(
            utf8,
            has_header=False,
            skip_lines=0,
            infer_schema=False,
            new_columns=[str(position) for position in range(len(header))],
            schema=pl.Schema({str(position): pl.String for position in range(len(header))}),
        )
        yield Table(_numbered(frame), header, encoding.removesuffix("-sig"))


def count_rows(path: Path) -> int:
    """Count a file's filled rows below the header, by another route than `open_table`'s.

    CSV by Python's own reader, XLSX by counting the filled rows in the sheet's XML. The control
    "file → raw" compares both counts.

    Raises:
        InputError: as `open_table`; also a row with more or fewer cells than the header.
    """
    if path.suffix.lower() == ".xlsx":
        return _count_xlsx_rows(path) - 1
    records = _csv_records(path, detect_encoding(path))
    width = len(next(records, []))
    count = 0
    for number, record in enumerate(records, start=2):
        if not any(record):
            continue
        if len(record) != width:
            raise InputError(
                code="ragged_row",
                file=path.name,
                row=number,
                found=f"这一行有 {len(record)} 格",
                expected=f"与列名相同的 {width} 格",
                action="检查是否多了逗号、引号没有闭合或文件被截断，改正或重新导出后再运行",
            )
        count += 1
    return count


def detect_encoding(path: Path) -> str:
    """The first of `ENCODINGS` that decodes the whole file strictly.

    Raises:
        InputError: none does; gives the position of the first bad byte.
    """
    position = 0
    for encoding in ENCODINGS:
        decoder = codecs.getincrementaldecoder(encoding)("strict")
        position = 0
        try:
            with path.open("rb") as file:
                while chunk := file.read(CHUNK):
                    decoder.decode(chunk)
                    position += len(chunk)
                decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            position += error.start
            continue
        return encoding
    raise _unreadable(
        path, "bad_encoding", f"第 {position} 字节附近不能解码", "UTF-8 或 GB18030 编码的文本"
    )


def _csv_records(path: Path, encoding: str) -> Iterator[list[str]]:
    with path.open("rb") as raw:
        reader = csv.reader(TextIOWrapper(raw, encoding=encoding, newline=""), strict=True)
        try:
            yield from reader
        except csv.Error as error:
            raise InputError(
                code="bad_csv",
                file=path.name,
                row=reader.line_num,
                found=f"CSV 在这里读不下去（{error}）",
                expected="引号成对、不含空字符的 CSV",
                action="检查引号是否闭合、文件是否被截断，改正或重新导出后再运行",
            ) from error


@contextmanager
def _as_utf8(path: Path, encoding: str, scratch: Path) -> Iterator[Path]:
    if encoding == "utf-8-sig":
        yield path
        return
    scratch.mkdir(parents=True, exist_ok=True)
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    with NamedTemporaryFile(dir=scratch, suffix=".csv") as copy:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                copy.write(decoder.decode(chunk).encode())
        copy.flush()
        yield Path(copy.name)


def _xlsx_table(path: Path) -> Table:
    try:
        sheet = CalamineWorkbook.from_path(path).get_sheet_by_index(0)
    except (CalamineError, IndexError, OSError) as error:
        raise _unreadable(
            path, "bad_xlsx", "不是完好的 XLSX 工作簿", "Excel 能打开的 .xlsx"
        ) from error
    rows = sheet.to_python(skip_empty_area=False)
    if not rows:
        raise _unreadable(path, "empty_file", "第一张工作表是空的", "第 1 行是列名")
    header = tuple(_cell_text(cell).strip() for cell in rows[0])
    columns = {
        str(position): pl.Series([_cell_text(row[position]) for row in rows], dtype=pl.String)
        for position in range(len(header))
    }
    return Table(_numbered(pl.LazyFrame(columns)), header, "xlsx")


def _cell_text(cell: Any) -> str:
    """A cell as text that stages can type again: ISO dates, integers without `.0`."""
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ", timespec="seconds")
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


def _numbered(frame: pl.LazyFrame) -> pl.LazyFrame:
    filled = pl.any_horizontal(pl.all().fill_null("") != "")
    numbered = frame.with_columns(filled.alias("filled")).with_row_index(ROW_NUMBER, offset=1)
    return numbered.filter(pl.col("filled") & (pl.col(ROW_NUMBER) > 1)).drop("filled")


def _count_xlsx_rows(path: Path) -> int:
    """Rows of the first sheet that hold a value, straight from its XML."""
    count, row_has_value = 0, False

    def start(name: str, _attributes: dict[str, str]) -> None:
        nonlocal row_has_value
        if name == "row":
            row_has_value = False
        elif name in ("v", "t"):
            row_has_value = True

    def end(name: str) -> None:
        nonlocal count
        count += name == "row" and row_has_value

    parser = ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    try:
        with zipfile.ZipFile(path) as archive, archive.open("xl/worksheets/sheet1.xml") as sheet:
            parser.ParseFile(sheet)
    except (zipfile.BadZipFile, KeyError, ExpatError) as error:
        raise _unreadable(
            path, "bad_xlsx", "不是完好的 XLSX 工作簿", "Excel 能打开的 .xlsx"
        ) from error
    return count


def _unreadable(path: Path, code: str, found: str, expected: str) -> InputError:
    return InputError(
        code=code, file=path.name, found=found, expected=expected, action="重新导出该文件后再运行"
    )
