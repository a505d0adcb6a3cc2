"""What a reader sees of a worksheet: no hidden row, no struck-out figure, no footnote mark.

What the visible cells mean doesn't belong here.
"""

import re
import zipfile
from pathlib import Path
from typing import Any

from lxml import etree

from orchestration.reading.tables import unreadable

# The forms of a footnote mark: 1, 1,2, [1], ①, *, 注1.
MARK = re.compile(
    r"\s*[\[［〔(（]?(?:注?\d{1,2}(?:[,，、-]\d{1,2})*|[①-⑳⑴-⒇*＊※†‡§a-z]{1,3})[\]］〕)）]?\s*"
)
OFF = ("0", "false", "off", "none")
# Any namespace: the transitional and the strict one are both in use.
_SHEET = "{*}"


def mark_text(path: Path, text: str, before: str) -> str:
    """What to keep of raised text: nothing of a footnote mark, all of any other text.

    Raises:
        InputError: the text has digits and isn't certainly a footnote mark.
    """
    if not any(letter.isdigit() for letter in text):
        return "" if MARK.fullmatch(text) else text
    if MARK.fullmatch(text) and before.strip() and not before.rstrip().endswith((".", "．", ",")):
        return ""
    raise unreadable(
        path, "raised_figure", "有上标或下标的数字，看不出是脚注号还是数字",
        "数字排成正文大小，脚注号紧跟在它所注的字后面",
    )  # fmt: skip


class SheetView:
    """How the visible content of an XLSX sheet differs from its stored cells."""

    def __init__(self) -> None:
        self.rows: set[int] = set()
        """Hidden rows, from 0."""
        self.columns: set[int] = set()
        self.texts: dict[tuple[int, int], str] = {}
        """Cells of which less is seen than is written: what is."""


def sheet_view(path: Path, archive: zipfile.ZipFile, member: str) -> SheetView:
    """Read what is hidden, struck out or raised in a sheet of an XLSX.

    Raises:
        InputError: a raised figure may not be a footnote mark.
    """
    view = SheetView()
    struck = _struck_formats(archive)
    texts = _seen_texts(path, archive)
    row = -1
    hides_all = False
    with archive.open(member) as file:
        for _, element in etree.iterparse(file, resolve_entities=False, no_network=True):
            tag = etree.QName(element).localname
            if tag == "sheetFormatPr":
                hides_all = element.get("zeroHeight") in ("1", "true")
            elif tag == "col" and (_is_on(element, "hidden") or _is_nothing(element.get("width"))):
                view.columns |= set(range(int(element.get("min")) - 1, int(element.get("max"))))
            elif tag == "row":
                row = int(element.get("r") or row + 2) - 1
                is_hidden = _is_on(element, "hidden") or _is_nothing(element.get("ht"))
                if is_hidden or (hides_all and not _is_off(element, "hidden")):
                    view.rows.add(row)
                _read_cells(path, view, element, row, struck, texts)
                element.clear()
    return view


def _read_cells(
    path: Path, view: SheetView, row: Any, at: int, struck: set[int], texts: dict[int, str]
) -> None:
    column = -1
    for cell in row.iter(f"{_SHEET}c"):
        letters = re.match(r"[A-Z]+", cell.get("r") or "")
        column = _column(letters[0]) if letters else column + 1
        value = cell.findtext(f"{_SHEET}v") or ""
        inline = cell.find(f"{_SHEET}is")
        if int(cell.get("s") or 0) in struck:
            view.texts[at, column] = ""
        elif cell.get("t") == "s" and value.isdigit() and int(value) in texts:
            view.texts[at, column] = texts[int(value)]
        elif inline is not None and (seen := _rich_text(path, inline)) is not None:
            view.texts[at, column] = seen


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def _is_on(element: Any, name: str) -> bool:
    return element.get(name) in ("1", "true")


def _is_nothing(size: str | None) -> bool:
    return size is not None and float(size) == 0


def _is_off(element: Any, name: str) -> bool:
    return element.get(name) in ("0", "false")


def _struck_formats(archive: zipfile.ZipFile) -> set[int]:
    """The cell formats whose font is struck out."""
    if "xl/styles.xml" not in archive.namelist():
        return set()
    root = _xml(archive, "xl/styles.xml")
    fonts = [_is_set(font, "strike") for font in root.iterfind(f"{_SHEET}fonts/{_SHEET}font")]
    formats = root.iterfind(f"{_SHEET}cellXfs/{_SHEET}xf")
    return {
        number
        for number, entry in enumerate(formats)
        if int(entry.get("fontId") or 0) < len(fonts) and fonts[int(entry.get("fontId") or 0)]
    }


def _seen_texts(path: Path, archive: zipfile.ZipFile) -> dict[int, str]:
    """The visible part of the shared texts that aren't shown in full."""
    name = "xl/sharedStrings.xml"
    if name not in archive.namelist():
        return {}
    items = enumerate(_xml(archive, name).iterfind(f"{_SHEET}si"))
    return {at: seen for at, item in items if (seen := _rich_text(path, item)) is not None}


def _rich_text(path: Path, item: Any) -> str | None:
    """The visible text of a cell with formatted runs; None if all of it is visible."""
    runs = item.findall(f"{_SHEET}r")
    shown = ""
    is_changed = False
    for run in runs:
        text = run.findtext(f"{_SHEET}t") or ""
        properties = run.find(f"{_SHEET}rPr")
        raised = None if properties is None else properties.find(f"{_SHEET}vertAlign")
        if properties is not None and _is_set(properties, "strike"):
            is_changed = True
        elif raised is not None and raised.get("val") != "baseline":
            is_changed = True
            shown += mark_text(path, text, shown)
        else:
            shown += text
    return shown if is_changed else None


def _is_set(element: Any, name: str) -> bool:
    child = element.find(f"{_SHEET}{name}")
    return child is not None and child.get("val", "1") not in OFF


def _xml(archive: zipfile.ZipFile, name: str) -> Any:
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    with archive.open(name) as file:
        return etree.parse(file, parser).getroot()
