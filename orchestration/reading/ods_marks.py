"""The marks (see `marks`) of an OpenDocument sheet, row by row."""

from collections.abc import Collection, Iterator
from typing import IO
from xml.parsers.expat import ParserCreate

from orchestration.reading.marks import CHUNK, Marks, RowMarks, integer_digits
from orchestration.reading.tables import MAX_COLUMNS, NOT_CALCULATED


def ods_marks(file: IO[bytes], sheet: str, identity: Collection[int]) -> Marks:
    """The marks of one table in an ODS's content, whose rows and cells may be repeated."""
    hidden_columns: set[int] = set()
    done: list[RowMarks] = []
    reader = _OdsReader(sheet, identity, hidden_columns, done)

    def rows() -> Iterator[RowMarks]:
        parser = ParserCreate()
        parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
        parser.CharacterDataHandler = reader.text
        while chunk := file.read(CHUNK):
            parser.Parse(chunk)
            yield from done
            done.clear()
        parser.Parse(b"", True)
        yield from done

    return Marks(rows(), hidden_columns)


class _OdsReader:
    """Collects the marks of each row from the elements of an ODS's content."""

    def __init__(
        self, sheet: str, identity: Collection[int], hidden: set[int], done: list[RowMarks]
    ) -> None:
        self._sheet, self._identity, self._hidden, self._done = sheet, identity, hidden, done
        self._is_ours = False
        self._folded = 0
        """Depth of groups that are folded."""
        self._row, self._column, self._width = 1, 0, 0
        self._mark = RowMarks(0, 0)
        self._cell: dict[str, str] = {}
        self._text: list[str] | None = None
        self._is_note = False

    def start(self, tag: str, given: dict[str, str]) -> None:
        """Handle the start of an element."""
        if tag == "table:table":
            self._is_ours = given.get("table:name") == self._sheet
            self._row = 1
            self._width = 0
            return
        if not self._is_ours:
            return
        is_unseen = given.get("table:visibility") in ("collapse", "filter")
        if tag.startswith("table:table-") and tag.endswith("-group"):
            self._folded += bool(self._folded or given.get("table:display") == "false")
        elif tag == "table:table-column":
            repeat = int(given.get("table:number-columns-repeated", 1))
            if is_unseen or self._folded:
                self._hidden.update(range(self._width, min(self._width + repeat, 1 << 14)))
            self._width += repeat
        elif tag == "table:table-row":
            last = self._row + int(given.get("table:number-rows-repeated", 1)) - 1
            self._mark = RowMarks(self._row, last, is_unseen or self._folded > 0)
            self._column = 0
        elif tag in ("table:table-cell", "table:covered-table-cell"):
            self._cell, self._text = given, []
            spans = (given.get(f"table:number-{what}-spanned", "1") for what in ("rows", "columns"))
            if tag.endswith("covered-table-cell") or any(span != "1" for span in spans):
                self._mark.covered.update(self._columns)
        elif tag == "office:annotation":
            self._is_note = True

    @property
    def _columns(self) -> range:
        """The columns of the current cell, which may be repeated."""
        repeat = int(self._cell.get("table:number-columns-repeated", 1))
        return range(self._column, self._column + min(repeat, MAX_COLUMNS))

    def text(self, data: str) -> None:
        """Handle the text of a cell."""
        if self._text is not None and not self._is_note:
            self._text.append(data)

    def end(self, tag: str) -> None:
        """Handle the end of an element."""
        if not self._is_ours:
            return
        if tag in ("table:table-cell", "table:covered-table-cell"):
            self._end_cell("".join(self._text or ()).strip())
            self._text = None
        elif tag == "table:table-row":
            if self._mark:
                self._done.append(self._mark)
            self._row = self._mark.last + 1
        elif tag == "office:annotation":
            self._is_note = False
        elif self._folded and tag.startswith("table:table-") and tag.endswith("-group"):
            self._folded -= 1

    def _end_cell(self, text: str) -> None:
        given, columns = self._cell, self._columns
        kind = given.get("office:value-type", "")
        self._mark.is_filled |= bool(text or kind)
        if given.get("calcext:value-type") == "error":
            self._mark.shown.update(dict.fromkeys(columns, text or "#N/A"))
        elif "table:formula" in given and not kind and not text:
            self._mark.shown.update(dict.fromkeys(columns, NOT_CALCULATED))
        elif kind not in ("", "string") and (found := set(columns).intersection(self._identity)):
            number = integer_digits(given.get("office:value", "")) if kind == "float" else None
            is_certain = number is not None and text in ("", number.zfill(len(text)))
            self._mark.identity.update(
                dict.fromkeys(found, (text or number) if is_certain else None)
            )
        self._column += int(given.get("table:number-columns-repeated", 1))
