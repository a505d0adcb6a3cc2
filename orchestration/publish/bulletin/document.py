"""The bulletin as a Word document, made from a template that the office may edit, and as PDF.

The template holds the sentences, their order and the styles; `{{name}}` is replaced by a figure or
phrase. A paragraph that consists only of `{{appendix_1}}` becomes that table. One that consists
only of `{{problems}}` becomes all paragraphs of that passage. Tables are built here and not in the
template, so that no edit there can put a figure under another column's heading.
"""

import io
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator, Mapping
from copy import deepcopy
from itertools import accumulate, groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import BadZipFile

import docx
from docx.document import Document
from docx.opc.exceptions import PackageNotFoundError
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Length, Mm, Pt
from docx.styles.style import BaseStyle, ParagraphStyle
from docx.table import Table, _Cell, _Row
from docx.text.paragraph import Paragraph

from orchestration.common.errors import InputError
from orchestration.publish.bulletin.model import Appendix, Bulletin, Row, printed

TEMPLATES = Path(__file__).with_name("templates")
PLACEHOLDER = re.compile(r"\{\{\s*(.*?)\s*\}\}")
# The template's styles that the tables use.
TABLE_STYLE = "通报表格"
HEADING, BAND, NAME, FIGURE = "表头", "表中分组", "表中名称", "表中数字"
# Typefaces as wide as Times New Roman, which the template asks for; `fonts.conf` names them too.
TIMES = (
    *("Times New Roman", "Liberation Serif", "Tinos", "Nimbus Roman", "Nimbus Roman No9 L"),
    *("TeX Gyre Termes", "FreeSerif"),
)
# The width in ems of a printed character, in the widest typeface that `fonts.conf` uses for Times.
EMS = dict.fromkeys("0123456789", 0.56) | {"%": 0.93, ".": 0.29}
# In millimetres: the least width for names, the margins of a cell, and (`WIDEST_FIGURE`) the
# greatest width of a column of figures. The remaining width goes to the names.
NAME_WIDTH = 47.2
MARGINS = 1.45
HALF_POINT = Pt(0.5)
WIDEST_FIGURE = 26.0
PDF_SECONDS = 180


def to_docx(bulletin: Bulletin, template: Path) -> bytes:
    """The bulletin as a Word file; the same bulletin and template give the same bytes.

    Raises:
        InputError: the template can't be read, lacks a style or names something unknown.
    """
    try:
        document = docx.Document(str(template))
    except (PackageNotFoundError, BadZipFile, KeyError, ValueError) as error:
        raise _template_error(template, "无法作为 Word 文档读取", "一个 .docx 文件") from error
    _check(document, bulletin, template)
    for paragraph in list(_paragraphs(document)):
        _fill(document, paragraph, bulletin)
    properties = document.core_properties
    properties.title = bulletin.title
    properties.comments = bulletin.notice
    properties.revision = bulletin.version
    properties.identifier = bulletin.output_sha256
    properties.created = properties.modified = bulletin.published_at
    return _saved(document)


def to_pdf(source: Path, target: Path) -> None:
    """Convert a Word file to PDF with LibreOffice; `target` appears complete or not at all.

    Raises:
        InputError: LibreOffice or a Chinese font is missing, or LibreOffice made no PDF.
    """
    program = shutil.which("soffice") or shutil.which("libreoffice")
    if program is None:
        raise InputError(
            code="no_libreoffice",
            found="本机没有安装 LibreOffice，没有生成 PDF",
            expected="命令 soffice 可用",
            action=f"安装 LibreOffice 后重试，或用 Word 打开 {source.name} 另存为 PDF",
        )
    _require_chinese_font()
    with TemporaryDirectory(prefix=".pdf-", dir=target.parent) as folder:
        # A separate profile: LibreOffice refuses to start twice with one profile, and the user's
        # may have any settings.
        command = [
            program,
            f"-env:UserInstallation={(Path(folder) / 'profile').as_uri()}",
            *("--headless", "--norestore", "--convert-to", "pdf", "--outdir", folder),
            str(source),
        ]
        made = Path(folder) / f"{source.stem}.pdf"
        try:
            # No shell; the only variable arguments are our own paths.
            ended = subprocess.run(  # noqa: S603
                command,
                env=os.environ | {"FONTCONFIG_FILE": str(TEMPLATES / "fonts.conf")},
                capture_output=True,
                timeout=PDF_SECONDS,
                check=False,
            )
            said = ended.stderr.decode(errors="replace").strip()[-300:]
        except subprocess.TimeoutExpired:
            said = f"{PDF_SECONDS} 秒没有完成"
        if not made.exists():
            raise InputError(
                code="no_pdf",
                file=source.name,
                found=f"LibreOffice 没有生成 PDF：{said or '没有说明原因'}",
                expected="可以打印的 Word 文件，和足够的磁盘空间",
                action="看上面的原因；也可以用 Word 打开后另存为 PDF",
            )
        made.replace(target)


def _require_chinese_font() -> None:
    """Refuse to print without a Chinese font: every character would be an empty box."""
    lister = shutil.which("fc-list")
    if lister is None:  # the system doesn't use fontconfig
        return
    # No shell, and the arguments are fixed.
    fonts = subprocess.run([lister, ":lang=zh-cn", "family"], capture_output=True, check=False)  # noqa: S603
    if not fonts.stdout.strip():
        raise InputError(
            code="no_chinese_font",
            found="本机没有中文字体，没有生成 PDF",
            expected="方正小标宋、仿宋、楷体、黑体，或 Noto CJK 等代用字体",
            action="安装字体（如软件包 fonts-noto-cjk）后重试",
        )


def _template_error(template: Path, found: str, expected: str) -> InputError:
    return InputError(
        code="bad_template",
        file=f"{template.parent.name}/{template.name}",
        found=found,
        expected=expected,
        action="在 Word 中改正通报模板后重新运行",
    )


def _check(document: Document, bulletin: Bulletin, template: Path) -> None:
    """Refuse a template that would leave a brace in the bulletin or lacks a style of the tables."""
    lacking = {TABLE_STYLE, HEADING, BAND, NAME, FIGURE} - {
        str(style.name) for style in document.styles
    }
    if lacking:
        raise _template_error(
            template, f"缺少样式 {'、'.join(sorted(lacking))}", "项目自带模板中的表格样式"
        )
    phrases = bulletin.texts.keys()
    passages = _passages(bulletin).keys() | _tables(bulletin).keys()
    usable = f"句中可用 {'、'.join(sorted(phrases))}；单独成段可用 {'、'.join(sorted(passages))}"
    for paragraph in _paragraphs(document):
        text = _text(paragraph)
        alone = PLACEHOLDER.fullmatch(text.strip()) is not None
        for name in PLACEHOLDER.findall(text):
            if name not in phrases and not (alone and name in passages):
                raise _template_error(template, f"占位符无法识别：{{{{{name}}}}}", usable)
        rest = PLACEHOLDER.sub("", text)
        if "{{" in rest or "}}" in rest:
            raise _template_error(template, f"占位符不完整：{rest[:40]}", usable)


def _tables(bulletin: Bulletin) -> dict[str, Appendix]:
    return {f"appendix_{appendix.number}": appendix for appendix in bulletin.appendices}


def _passages(bulletin: Bulletin) -> dict[str, tuple[str, ...]]:
    return {
        **bulletin.paragraphs,
        "title": bulletin.title_lines,
        "notice": (bulletin.notice,),
    }


def _paragraphs(document: Document) -> Iterator[Paragraph]:
    """Every paragraph of the body and its tables, and of headers and footers."""
    for element in document.element.body.iter(qn("w:p")):
        yield Paragraph(element, document._body)
    for section in document.sections:
        for edge in (
            *(section.header, section.even_page_header, section.first_page_header),
            *(section.footer, section.even_page_footer, section.first_page_footer),
        ):
            if not edge.is_linked_to_previous:
                for element in edge._element.iter(qn("w:p")):
                    yield Paragraph(element, edge)


def _text(paragraph: Paragraph) -> str:
    return "".join(node.text or "" for node in paragraph._p.iter(qn("w:t")))


def _fill(document: Document, paragraph: Paragraph, bulletin: Bulletin) -> None:
    alone = PLACEHOLDER.fullmatch(_text(paragraph).strip())
    name = alone[1] if alone else ""
    if name in _tables(bulletin):
        table = _build(document, _tables(bulletin)[name])
        paragraph._p.addprevious(table._tbl)
        if bulletin.footnote:
            paragraph.style = NAME
            _replace(paragraph, {name: bulletin.footnote})
        else:
            _remove(paragraph)
    elif name in _passages(bulletin):
        for text in _passages(bulletin)[name]:
            copy = Paragraph(deepcopy(paragraph._p), paragraph._parent)
            paragraph._p.addprevious(copy._p)
            _replace(copy, {name: text})
        _remove(paragraph)
    else:
        _replace(paragraph, bulletin.texts)


def _remove(paragraph: Paragraph) -> None:
    parent = paragraph._p.getparent()
    if parent is not None:
        parent.remove(paragraph._p)


def _replace(paragraph: Paragraph, texts: Mapping[str, str]) -> None:
    """Replace placeholders with texts; Word may have split one into runs with other formats."""
    nodes = list(paragraph._p.iter(qn("w:t")))
    written = [node.text or "" for node in nodes]
    ends = list(accumulate(len(text) for text in written))
    # From the end, so that the positions of earlier placeholders stay valid.
    for match in reversed(list(PLACEHOLDER.finditer("".join(written)))):
        text = texts[match[1]]
        for node, end, original in zip(nodes, ends, written, strict=True):
            start = end - len(original)
            first, last = (min(max(place, start), end) - start for place in match.span())
            if first < last:
                node.text = (node.text or "")[:first] + text + (node.text or "")[last:]
                text = ""


def _build(document: Document, appendix: Appendix) -> Table:
    """An appendix as a table: heading rows that repeat on each page, bands, rows, total."""
    columns = appendix.columns
    heading_rows = 2 if any(column.heading for column in columns) else 1
    row_count = sum(len(band.rows) + bool(band.label) for band in appendix.bands) + 1
    table: Table = document.add_table(heading_rows + row_count, len(columns) + 1, TABLE_STYLE)
    table.autofit = False
    rows = iter(table.rows)
    widths, size = _widths(document, appendix)
    for column, width in zip(table.columns, widths, strict=True):
        column.width = width
    _write_heading([next(rows).cells for _ in range(heading_rows)], appendix)
    for band in appendix.bands:
        if band.label:
            cells = next(rows).cells
            _write(cells[0].merge(cells[-1]), band.label, BAND)
        for row in band.rows:
            _write_row(next(rows).cells, appendix, row, NAME, size)
    _write_row(next(rows).cells, appendix, appendix.total, HEADING, size)
    for number, row in enumerate(table.rows):
        _lay_out(row, widths, repeats=number < heading_rows)
    # Keep the total on the same page as the row before it.
    for cell in table.rows[-2].cells:
        cell.paragraphs[0].paragraph_format.keep_with_next = True
    return table


def _widths(document: Document, appendix: Appendix) -> tuple[list[Mm], Length]:
    """The widths of the columns, and the size at which every figure fits its column."""
    section = document.sections[0]
    width = (
        (section.page_width or 0) - (section.left_margin or 0) - (section.right_margin or 0)
    ) / Mm(1)
    rows = [*(row for band in appendix.bands for row in band.rows), appendix.total]
    ems = [
        max(_ems(printed(row.figures[place], column.kind)) for row in rows)
        for place, column in enumerate(appendix.columns)
    ]
    # A heading wraps to lines of two characters.
    narrowest = 2.1 * _size(document.styles[HEADING]) / Mm(1)
    room = width - NAME_WIDTH - MARGINS * len(ems)
    size = _size(document.styles[FIGURE])
    while size > HALF_POINT and sum(_needed(ems, size, narrowest)) > room:
        size = Length(size - HALF_POINT)
    needed = _needed(ems, size, narrowest)
    spare = MARGINS + (room - sum(needed)) / len(needed)
    figures = [min(millimetres + spare, WIDEST_FIGURE) for millimetres in needed]
    return [Mm(width - sum(figures)), *map(Mm, figures)], size


def _needed(ems: list[float], size: Length, narrowest: float) -> list[float]:
    """The widths in millimetres that columns need for figures of a type size."""
    return [max(em * size / Mm(1), narrowest) for em in ems]


def _ems(text: str) -> float:
    return sum(EMS.get(character, 1.0) for character in text)


def _size(style: BaseStyle | None) -> Length:
    """The type size of a style, its own or inherited."""
    while isinstance(style, ParagraphStyle):
        if size := style.font.size:
            return Length(size)
        style = style.base_style
    return Pt(10.5)


def _write_heading(rows: list[tuple[_Cell, ...]], appendix: Appendix) -> None:
    labels = [("", appendix.name_label), *((c.heading, c.label) for c in appendix.columns)]
    top, bottom = rows[0], rows[-1]
    for heading, group in groupby(enumerate(labels), key=lambda item: item[1][0]):
        places = [place for place, _ in group]
        if heading:
            _write(top[places[0]].merge(top[places[-1]]), heading, HEADING)
        for place in places:
            cell = bottom[place] if heading or len(rows) == 1 else top[place].merge(bottom[place])
            _write(cell, labels[place][1], HEADING)


def _write_row(
    cells: tuple[_Cell, ...], appendix: Appendix, row: Row, name_style: str, size: Length
) -> None:
    _write(cells[0], row.name, name_style)
    for cell, column, figure in zip(cells[1:], appendix.columns, row.figures, strict=True):
        _write(cell, printed(figure, column.kind), FIGURE, size)


def _write(cell: _Cell, text: str, style: str, size: Length | None = None) -> None:
    paragraph = cell.paragraphs[0]
    paragraph.style = style
    paragraph.add_run(text).font.size = size
    for surplus in cell.paragraphs[1:]:  # left over from merging cells
        _remove(surplus)


def _lay_out(row: _Row, widths: list[Mm], *, repeats: bool) -> None:
    """Set the widths of a row's cells, and don't let it split over pages.

    Word reads the widths from the cells, other programs from the grid.
    """
    place = 0
    for cell in row._tr.tc_lst:
        cell.width = Length(sum(widths[place : place + cell.grid_span]))
        place += cell.grid_span
    properties = row._tr.get_or_add_trPr()
    properties.append(OxmlElement("w:cantSplit"))
    if repeats:
        properties.append(OxmlElement("w:tblHeader"))


def _saved(document: Document) -> bytes:
    """The document's bytes, without the timestamps that zip files hold."""
    written, again = io.BytesIO(), io.BytesIO()
    document.save(written)
    with zipfile.ZipFile(written) as source, zipfile.ZipFile(again, "w") as target:
        for name in source.namelist():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(entry, source.read(name))
    return again.getvalue()
