"""Safety checks of workbooks and documents as ZIP archives, and the members of their sheets.

The content of a sheet doesn't belong here.
"""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO
from xml.etree import ElementTree
from xml.parsers.expat import ExpatError, ParserCreate

from orchestration.reading.tables import (
    MAX_RATIO,
    MIN_BOMB,
    unreadable,
    zip_bomb,
)

HEAD = 1 << 16
MAX_UNZIPPED = 1 << 30
MAX_MEMBERS = 2_000


def check_archive(path: Path, archive: zipfile.ZipFile) -> None:
    """Refuse an unsafe office document before any of it is parsed.

    Raises:
        InputError: it has too many members, expands out of proportion, or a part of it declares a
            document type.
    """
    infos = archive.infolist()
    total = sum(info.file_size for info in infos)
    if len(infos) > MAX_MEMBERS or total > MAX_UNZIPPED:
        raise zip_bomb(path)
    if total > max(path.stat().st_size * MAX_RATIO, MIN_BOMB):
        raise zip_bomb(path)
    for info in infos:
        with archive.open(info) as member:  # check every member: a sheet may have any name
            if has_doctype(member):
                found, expected = "文件的 XML 声明了实体", "不含实体声明的文件"
                raise unreadable(path, "xml_entities", found, expected)


class _DocumentType(Exception):  # noqa: N818 (no error: how the parser is left)
    pass


class _Element(Exception):  # noqa: N818 (as above)
    pass


def has_doctype(file: IO[bytes]) -> bool:
    """Whether an XML file has a document type, the only place where entities can be declared.

    The encoding and the length of what precedes it don't matter. A file that isn't well-formed is
    left to its reader.
    """

    def leave(reason: type[Exception]) -> Callable[..., None]:
        def handler(*_: object) -> None:
            raise reason

        return handler

    parser = ParserCreate()
    parser.StartDoctypeDeclHandler = leave(_DocumentType)
    parser.StartElementHandler = leave(_Element)
    try:
        while chunk := file.read(HEAD):
            parser.Parse(chunk)
        # Some versions of expat defer a long token until the end of input (CVE-2023-52425).
        parser.Parse(b"", True)
    except _DocumentType:
        return True
    except (_Element, ExpatError, LookupError):
        pass
    return False


def xlsx_sheets(archive: zipfile.ZipFile) -> dict[str, str]:
    """The archive member of each worksheet, by sheet name."""
    relations = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))  # noqa: S314 (no entities)
    targets = {relation.get("Id"): relation.get("Target", "") for relation in relations}
    book = ElementTree.fromstring(archive.read("xl/workbook.xml"))  # noqa: S314 (no entities)
    sheets = {}
    for sheet in book.iter():
        if sheet.tag.endswith("}sheet"):
            ids = [value for key, value in sheet.attrib.items() if key.endswith("}id")]
            target = targets[ids[0] if ids else None].lstrip("/")
            member = target if target.startswith("xl/") else f"xl/{target}"
            if "worksheets/" in member:
                sheets[sheet.get("name", "")] = member
    return sheets
