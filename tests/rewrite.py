"""The sample's rows as text, and the formats that offices send, written by tests."""

import csv
import io
import struct
import zipfile
from datetime import datetime
from xml.sax.saxutils import escape

import xlsxwriter
from conftest import EXPORTS
from python_calamine import CalamineWorkbook


def rows_of(source):
    """Header and rows of a source's sample export, every cell as text."""
    folder = EXPORTS / "2022Q2"
    if source == "mailbox":
        sheet = CalamineWorkbook.from_path(str(folder / "mailbox.xlsx")).get_sheet_by_index(0)
        return [[str(cell) for cell in row] for row in sheet.to_python()]
    encoding = {"suggestion": "gb18030"}.get(source, "utf-8-sig")
    with (folder / f"{source}.csv").open(encoding=encoding, newline="") as file:
        return list(csv.reader(file))


def text(rows, delimiter=",", **options):
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter, **options).writerows(rows)
    return file.getvalue()


def xlsx(sheets, dates=False):
    """A workbook of {sheet name: rows}; texts that are times become date cells if asked for."""
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows):
                for place, cell in enumerate(row):
                    if dates and len(cell) == 19 and cell[4] == "-" and cell[13] == ":":
                        value = datetime.fromisoformat(cell)
                        sheet.write_datetime(number, place, value, moment)
                    elif cell:
                        sheet.write_string(number, place, cell)
    return file.getvalue()


def ods(sheets):
    """An OpenDocument spreadsheet; runs of empty cells and rows are written as repeats."""

    def cell(value):
        if not value:
            return '<table:table-cell table:number-columns-repeated="1"/>'
        lines = "".join(f"<text:p>{escape(line)}</text:p>" for line in value.split("\n"))
        return f'<table:table-cell office:value-type="string">{lines}</table:table-cell>'

    tables = "".join(
        f'<table:table table:name="{escape(name)}">'
        + "".join(f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in rows)
        + '<table:table-row table:number-rows-repeated="1048000"><table:table-cell '
        'table:number-columns-repeated="16384"/></table:table-row></table:table>'
        for name, rows in sheets.items()
    )
    return ods_of(
        '<?xml version="1.0" encoding="UTF-8"?><office:document-content '
        'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
        'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
        'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" office:version="1.2">'
        f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body>"
        "</office:document-content>"
    )


def ods_of(content):
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", kind, zipfile.ZIP_STORED)
        archive.writestr("content.xml", content)
        archive.writestr(
            "META-INF/manifest.xml",
            "<manifest:manifest "
            'xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
            f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/>'
            "</manifest:manifest>",
        )
    return file.getvalue()


def xls(rows):
    """A BIFF8 workbook of one sheet in a compound file, all cells text."""

    def record(kind, body=b""):
        return struct.pack("<HH", kind, len(body)) + body

    cells = b"".join(
        record(
            0x204,
            struct.pack("<HHHHB", number, place, 0, len(cell), 1) + cell.encode("utf-16-le"),
        )
        for number, row in enumerate(rows)
        for place, cell in enumerate(row)
        if cell
    )
    width = max(map(len, rows))
    sheet = (
        record(0x809, struct.pack("<HHHHII", 0x600, 0x10, 0, 0, 0, 0))
        + record(0x200, struct.pack("<IIHHH", 0, len(rows), 0, width, 0))
        + cells
        + record(0x0A)
    )
    start = record(0x809, struct.pack("<HHHHII", 0x600, 0x05, 0, 0, 0, 0))
    start += record(0x42, struct.pack("<H", 1200))
    bound_length = 4 + 8 + len("Sheet1")
    position = len(start) + bound_length + 4
    bound = record(0x85, struct.pack("<IBBBB", position, 0, 0, 6, 0) + b"Sheet1")
    return compound(start + bound + record(0x0A) + sheet)


def compound(stream):
    """A compound file that holds one stream, Workbook."""
    stream = stream.ljust(max(4096, -(-len(stream) // 512) * 512), b"\0")
    data_sectors = len(stream) // 512
    fat_sectors = 1
    while fat_sectors * 128 < data_sectors + fat_sectors + 1:
        fat_sectors += 1
    end, free, fat_mark = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD
    # Sectors: the FAT, the directory, the data.
    fat = [fat_mark] * fat_sectors + [end]
    first = fat_sectors + 1
    fat += [*range(first + 1, first + data_sectors), end]
    fat += [free] * (fat_sectors * 128 - len(fat))
    header = struct.pack(
        "<8s16sHHHHH6xIIIIIIIII",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"", 0x3E, 3, 0xFFFE, 9, 6,
        0, fat_sectors, fat_sectors, 0, 4096, end, 0, end, 0,
    )  # fmt: skip
    difat = [*range(fat_sectors), *[free] * (109 - fat_sectors)]

    def entry(name, kind, child, start, size):
        encoded = name.encode("utf-16-le")
        length = len(encoded) + 2 if name else 0
        return struct.pack(
            "<64sHBBIII16sIQQIQ",
            encoded, length, kind, 1, free, free, child, b"", 0, 0, 0, start, size,
        )  # fmt: skip

    directory = (
        entry("Root Entry", 5, 1, end, 0)
        + entry("Workbook", 2, free, first, len(stream))
        + entry("", 0, free, 0, 0) * 2
    )
    return (
        header
        + struct.pack("<109I", *difat)
        + struct.pack(f"<{len(fat)}I", *fat)
        + (directory + stream)
    )
