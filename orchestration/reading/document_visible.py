"""Removes what a reader of a document doesn't see: deleted, hidden and struck-out text.

Footnote marks are removed too, so that 307¹ is 307. A document is refused if the file doesn't show
what a reader sees. What the rest means doesn't belong here.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from docx.oxml.ns import qn

from orchestration.reading.sheet_view import OFF, mark_text
from orchestration.reading.tables import unreadable

_DELETED = tuple(map(qn, ("w:del", "w:moveFrom")))
_TOGGLES = ("w:vanish", "w:specVanish", "w:strike", "w:dstrike")
_RAISED = "raised"

_HIDES = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|mso-hide\s*:\s*all|"
    r"opacity\s*:\s*0*\.?0*\s*(?:;|!|$)|font-size\s*:\s*0[a-z]*\s*(?:;|!|$)|"
    r"text-decoration(?:-line)?\s*:[^;]*line-through",
    re.IGNORECASE,
)
_RAISES = re.compile(r"vertical-align\s*:\s*(?:super|sub)\b", re.IGNORECASE)
_UNSEEN_TAGS = {"script", "style", "template", "noscript", "datalist", "del", "s", "strike"}
_PRINT = re.compile(r"@media\s+print\s*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}")
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_SIMPLE = re.compile(r"([a-z][a-z0-9]*)?((?:[.#][\w-]+)*)", re.IGNORECASE)


class WordStyles:
    """Whether a run's text is hidden, struck out or raised, directly or through its styles."""

    def __init__(self, styles: Any) -> None:
        self._styles = {style.get(qn("w:styleId")): style for style in styles.iter(qn("w:style"))}
        self._default = {
            style.get(qn("w:type")): style.get(qn("w:styleId"))
            for style in self._styles.values()
            if style.get(qn("w:default")) in ("1", "true", "on")
        }
        self._basis = styles.find(f"{qn('w:docDefaults')}/{qn('w:rPrDefault')}/{qn('w:rPr')}")

    def is_unseen(self, properties: Any, paragraph: Any, table: Any) -> bool:
        """Whether text with these properties is hidden or struck out."""
        return any(self._toggled(name, properties, paragraph, table) for name in _TOGGLES)

    def is_raised(self, properties: Any, paragraph: Any) -> bool:
        """Whether a run is above or below the line."""
        places = [properties, *self._chain(_child_value(properties, "w:rStyle"))]
        places += self._chain(self._paragraph_style(paragraph))
        for name in ("w:vertAlign", "w:position"):
            found = next((value for place in places if (value := _child_value(place, name))), "")
            if found not in ("", "baseline", "0"):
                return True
        return False

    def _toggled(self, name: str, properties: Any, paragraph: Any, table: Any) -> bool:
        """A toggle property's value: direct formatting wins; two kinds of styles cancel out."""
        own = _switch(properties, name)
        if own is not None:
            return own
        if _switch(self._basis, name):
            return True
        table_style = (
            None if table is None else _child_value(table.find(qn("w:tblPr")), "w:tblStyle")
        )
        kinds = (
            _child_value(properties, "w:rStyle") or self._default.get("character"),
            self._paragraph_style(paragraph),
            table_style,
        )
        set_by = (
            next(
                (on for place in self._chain(kind) if (on := _switch(place, name)) is not None),
                False,
            )
            for kind in kinds
        )
        return sum(set_by) % 2 == 1

    def _paragraph_style(self, paragraph: Any) -> str | None:
        own = None if paragraph is None else _child_value(paragraph.find(qn("w:pPr")), "w:pStyle")
        return own or self._default.get("paragraph")

    def _chain(self, style: str | None) -> Iterator[Any]:
        """The run properties of a style and of the styles that it is based on."""
        seen = set()
        while style in self._styles and style not in seen:
            seen.add(style)
            yield self._styles[style].find(qn("w:rPr"))
            style = _child_value(self._styles[style], "w:basedOn")


def _child_value(element: Any, name: str) -> str | None:
    child = None if element is None else element.find(qn(name))
    return None if child is None else child.get(qn("w:val"))


def _switch(properties: Any, name: str) -> bool | None:
    """Whether a property is on; None if it isn't given."""
    child = None if properties is None else properties.find(qn(name))
    return None if child is None else child.get(qn("w:val"), "1").lower() not in OFF


def prune_word(path: Path, body: Any, styles: WordStyles) -> None:
    """Remove what a reader doesn't see from a document's body.

    Raises:
        InputError: cells were merged as a tracked change, or a raised figure may not be a footnote
            mark.
    """
    if next(body.iter(qn("w:cellMerge")), None) is not None:
        raise unreadable(
            path, "tracked_cell_merge", "有修订中的合并单元格", "接受或拒绝全部修订后的文档"
        )
    for row in list(body.iter(qn("w:tr"))):
        marks = row.find(qn("w:trPr"))
        if marks is not None and (
            any(marks.find(tag) is not None for tag in _DELETED) or _switch(marks, "w:hidden")
        ):
            _remove(row)
    for cell in list(body.iter(qn("w:tc"))):
        marks = cell.find(qn("w:tcPr"))
        if marks is not None and marks.find(qn("w:cellDel")) is not None:
            _remove(cell)
    for tag in _DELETED:
        for element in list(body.iter(tag)):
            # Within `w:rPr` it means that the paragraph's end is deleted, which is needed below.
            if element.getparent() is not None and element.getparent().tag != qn("w:rPr"):
                _remove(element)
    for run in list(body.iter(qn("w:r"))):
        _prune_run(path, run, styles)
    for table in list(body.iter(qn("w:tbl"))):
        if next(table.iter(qn("w:tr")), None) is None:
            _remove(table)
    for paragraph in list(body.iter(qn("w:p"))):
        ends = paragraph.find(f"{qn('w:pPr')}/{qn('w:rPr')}")
        if ends is None:
            continue
        is_deleted = any(ends.find(tag) is not None for tag in _DELETED)
        if is_deleted or _switch(ends, "w:vanish") or _switch(ends, "w:specVanish"):
            _join_with_next(paragraph)


def _prune_run(path: Path, run: Any, styles: WordStyles) -> None:
    properties = run.find(qn("w:rPr"))
    paragraph = _ancestor(run, "w:p")
    if styles.is_unseen(properties, paragraph, _ancestor(run, "w:tbl")):
        _remove(run)
        return
    mark = next(run.iter(qn("w:footnoteReference"), qn("w:endnoteReference")), None)
    is_own_mark = mark is not None and mark.get(qn("w:customMarkFollows"), "0") not in OFF
    if not is_own_mark and not styles.is_raised(properties, paragraph):
        return
    texts = list(run.iter(qn("w:t")))
    text = "".join(part.text or "" for part in texts)
    if not text:
        return
    kept = "" if is_own_mark else mark_text(path, text, _text_before(run, paragraph))
    for part in texts:
        part.text = ""
    texts[0].text = kept


def _text_before(run: Any, paragraph: Any) -> str:
    """The text that precedes a run in its paragraph."""
    texts = []
    for element in () if paragraph is None else paragraph.iter(qn("w:t"), qn("w:r")):
        if element is run:
            break
        if element.tag == qn("w:t"):
            texts.append(element.text or "")
    return "".join(texts)


def _ancestor(element: Any, name: str) -> Any:
    return next(element.iterancestors(qn(name)), None)


def _remove(element: Any) -> None:
    parent = element.getparent()
    if parent is not None:
        parent.remove(element)


def _join_with_next(paragraph: Any) -> None:
    """Join a paragraph whose end is deleted or hidden with the next one."""
    following = paragraph.getnext()
    if following is None or following.tag != qn("w:p"):
        return
    at = 1 if following.find(qn("w:pPr")) is not None else 0
    for child in [child for child in paragraph if child.tag != qn("w:pPr")]:
        following.insert(at, child)
        at += 1
    _remove(paragraph)


def prune_html(path: Path, page: Any) -> None:
    """Remove what a reader doesn't see from an HTML page.

    Raises:
        InputError: a style sheet may hide figures by a complex selector, a column is hidden, or a
            raised figure may not be a footnote mark.
    """
    hides, raises = _style_rules(path, page)
    for element in list(page.iter()):
        if not isinstance(element.tag, str):
            continue
        style = element.get("style") or ""
        is_closed = element.tag == "dialog" and element.get("open") is None
        if (
            element.tag in _UNSEEN_TAGS
            or element.get("hidden") is not None
            or is_closed
            or _HIDES.search(style)
            or hides(element)
        ):
            if element.tag in ("col", "colgroup"):
                raise unreadable(path, "hidden_column", "网页表格里有隐藏的列", "没有隐藏列的表格")
            _drop(element)
        elif element.tag in ("sup", "sub") or _RAISES.search(style) or raises(element):
            text = element.text_content()
            kept = mark_text(path, text, _html_before(element)) if text.strip() else text
            for child in list(element):
                element.remove(child)
            element.text = kept


def _html_before(element: Any) -> str:
    """The text that precedes an element in its cell or paragraph."""
    tags = ("td", "th", "p", "li", "div", "body")
    block = next((one for one in element.iterancestors() if one.tag in tags), None)
    texts: list[str] = []
    for part in () if block is None else block.iter():
        if part is element:
            break
        if isinstance(part.tag, str):
            texts.append(part.text or "")
        if part is not block and element not in part.iterdescendants():
            texts.append(part.tail or "")
    return "".join(texts)


def _drop(element: Any) -> None:
    """Remove an element and keep the text that follows it."""
    parent = element.getparent()
    if parent is None:
        return
    tail, before = element.tail or "", element.getprevious()
    if before is not None:
        before.tail = (before.tail or "") + tail
    else:
        parent.text = (parent.text or "") + tail
    parent.remove(element)


_Test = Callable[[Any], bool]


def _style_rules(path: Path, page: Any) -> tuple[_Test, _Test]:
    """Two tests: whether the page's own style sheets hide an element, and whether they raise it.

    Raises:
        InputError: a rule that hides has a complex selector and may concern figures.
    """
    hiding: list[tuple[str, set[str]]] = []
    raising: list[tuple[str, set[str]]] = []
    for sheet in page.iter("style"):
        text = re.sub(r"/\*.*?\*/|<!--|-->", "", sheet.text or "", flags=re.DOTALL)
        for selectors, body in _RULE.findall(_PRINT.sub("", text)):
            found = hiding if _HIDES.search(body) else raising if _RAISES.search(body) else None
            if found is None:
                continue
            for selector in selectors.split(","):
                words = selector.split() or [""]
                simple = _SIMPLE.fullmatch(words[0]) if len(words) == 1 else None
                if simple and words[0]:
                    names = set(re.findall(r"[.#][\w-]+", simple[2]))
                    found.append(((simple[1] or "").lower(), names))
                elif found is hiding and _may_concern_figures(page, words[-1]):
                    raise unreadable(
                        path, "hiding_style", "样式表按复杂的选择器隐藏内容，看不出读者看得见什么",
                        "不隐藏内容的网页，或由浏览器另存的 .docx、.xlsx",
                    )  # fmt: skip

    def matching(rules: list[tuple[str, set[str]]]) -> _Test:
        def test(element: Any) -> bool:
            names = {f".{name}" for name in (element.get("class") or "").split()}
            names.add(f"#{element.get('id')}")
            return any(tag in ("", element.tag) and wanted <= names for tag, wanted in rules)

        return test

    return matching(hiding), matching(raising)


def _may_concern_figures(page: Any, word: str) -> bool:
    """Whether the last word of a selector may match an element with digits."""
    bare = re.sub(r"::?[\w-]+(\([^)]*\))?|\[[^\]]*\]", "", word)
    names = set(re.findall(r"[.#]([\w-]+)", bare))
    tag = re.match(r"[a-z][a-z0-9]*", bare, re.IGNORECASE)
    for element in page.iter() if not re.search(r"::(before|after)", word) else ():
        if not isinstance(element.tag, str) or element.tag in (*_UNSEEN_TAGS, "html", "body"):
            continue
        held = {*(element.get("class") or "").split(), element.get("id")}
        if (tag is None or tag[0].lower() == element.tag) and names <= held:
            attributes = re.findall(r"\[([\w-]+)", word)
            if all(element.get(name) is not None for name in attributes) and re.search(
                r"\d", element.text_content()
            ):
                return True
    return False
