"""Writes bulletins in every form that the reader knows, from figures in long form.

The sentences are our own; only the figures are ever those of a published document.
"""

import csv
import io
from dataclasses import dataclass
from html import escape
from pathlib import Path

import docx
import xlsxwriter
from conftest import EXPORTS

QUARTER = "2022Q2"
COLUMNS = ["document", "table", "row", "printed_group", "printed_name", "measure", "printed_value"]
TITLES = {
    "appendix_1": "2022年第二季度热线办理情况",
    "appendix_2": "信箱办理情况",
    "appendix_3": "微建议办理情况",
}
NAME = {"appendix_1": "部门名称", "appendix_2": "单位名称", "appendix_3": "单位名称"}
HEADERS = {
    "appendix_1": [
        "应办理数", "办理数", "办结率", "按期办理数", "按期办结率", "返工数", "返工率",
        "回访不满意数", "回访不满意率", "综合指标值",
    ],
    "appendix_2": ["应办理数", "已办结数", "按期办结", "超期办结"],
    "appendix_3": ["应办理数", "按期办理数", "超期未办数"],
}  # fmt: skip
# How many figures of the running text each sentence takes.
TEXT_ORDER = (1, 6, 3, 6, 1, 6, 4, 1, 4)


def published():
    """The 690 figures of the published bulletin, as rows of the long form."""
    with (EXPORTS / QUARTER / "bulletin.csv").open(encoding="utf-8-sig", newline="") as file:
        return [tuple(row) for row in csv.reader(file)][1:]


def long_form(figures):
    """The figures as CSV text."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([COLUMNS, *figures])
    return buffer.getvalue()


@dataclass
class Cell:
    """A cell that may be merged over columns and rows."""

    text: str
    across: int = 1
    down: int = 1


@dataclass
class Style:
    """How a bulletin is laid out."""

    header_rows: int = 1
    units_across: int = 1
    wrap: str = ""
    """`lines`: names in two lines of a cell; `rows`: the rest of a name in a row of its own."""


def sentences(figures):
    """Our own sentences around the figures of the running text, in their order."""
    text = [(name, value) for _, table, _, _, name, _, value in figures if table == "text"]
    parts = []
    for count in TEXT_ORDER:
        parts.append(text[:count])
        text = text[count:]
    assert not text
    due, types, rates, categories, change, units, letters, suggestions, year = parts
    listed = "，".join(f"{name}{value}件" for name, value in types)
    largest = "；".join(f"{name}{value}件" for name, value in categories)
    busiest = "、".join(f"{name}（{value}件）" for name, value in units)
    finished, on_time, satisfied = (value for _, value in rates)
    letter, answered, letter_rate, letter_satisfied = (value for _, value in letters)
    handed, done, done_rate, done_satisfied = (value for _, value in year)
    (change_name, change_value), (_, suggestion) = change[0], suggestions[0]
    return [
        f"本期应办理12345热线工单{due[0][1]}件。其中：{listed}。",
        f"至期末，工单办结率{finished}，按期办结率{on_time}，来电人满意率{satisfied}。",
        f"按类别看：{largest}。{change_name}工单环比增长{change_value}。",
        f"按办件量由多到少：{busiest}。",
        f"信箱应办理信件{letter}件，已办理{answered}件，办结率{letter_rate}，"
        f"来信人满意率{letter_satisfied}。",
        f"应办理政协云微建议{suggestion}件。",
        f"去年共交办{handed}条，已有{done}条办完，办结率{done_rate}，满意率{done_satisfied}。",
        "下一步力争满意率达到90%，请拨打12345。",
    ]


def tables(figures):
    """Each table as its name and its rows: a group's title alone, or a name with its cells."""
    found = {}
    for _, table, row, group, name, measure, value in figures:
        if table != "text":
            rows = found.setdefault(table, {})
            rows.setdefault(int(row), (group, name, {}))[2][measure] = value
    for table, rows in found.items():
        lines, last = [], ""
        for group, name, cells in rows.values():
            if group != last and group:
                lines.append([group])
            last = group
            lines.append([name, *(cells.get(text, "") for text in HEADERS[table])])
        yield table, lines


def laid_out(table, lines, style):
    """A table as rows of merged cells, header first."""
    headers, name = HEADERS[table], NAME[table]
    width = 1 + len(headers)
    rows = []
    for depth in range(style.header_rows):
        row = []
        is_last = depth == style.header_rows - 1
        for _ in range(style.units_across):
            if depth == 0:
                row.append(Cell(name, down=style.header_rows))
            if is_last:
                row += map(Cell, headers)
            elif depth == 0:
                row.append(Cell("办理情况", across=width - 1))
            else:
                row += [Cell("数量"), Cell("质量与结果", across=width - 2)]
        rows.append(row)
    pending = []

    def flush():
        while pending:
            units = [pending.pop(0) for _ in range(min(style.units_across, len(pending)))]
            units += [[""] * width] * (style.units_across - len(units))
            names = [wrapped(unit[0], style.wrap) for unit in units]
            rows.append(
                [
                    Cell(text)
                    for (first, _), unit in zip(names, units, strict=True)
                    for text in (first, *unit[1:])
                ]
            )
            if any(rest for _, rest in names):
                blank = [""] * (width - 1)
                rows.append([Cell(text) for _, rest in names for text in (rest, *blank)])

    for line in lines:
        if len(line) == 1:
            flush()
            rows.append([Cell(line[0], across=width * style.units_across)])
        elif line[0].startswith("合计"):
            flush()
            pending.append(line)
        else:
            pending.append(line)
    flush()
    return rows


def wrapped(name, how):
    """A name's part in the row of its figures, and the part in a row below."""
    if len(name) <= 5 or not how or name.startswith("合计"):
        return name, ""
    return (f"{name[:4]}\n{name[4:]}", "") if how == "lines" else (name[:4], name[4:])


def heading(table):
    return f"附件{table[-1]}"


def tab_led_text(figures, _):
    """Each cell a line behind a tab, rows apart by blank lines, as Word saves a table as text."""
    lines = ["2022年第二季度通报", "", *sentences(figures), "", "附件：1.热线办理情况", ""]
    for table, rows in tables(figures):
        lines += [heading(table), TITLES[table]]
        header = [NAME[table], *(f"{text[:2]}\n{text[2:]}" for text in HEADERS[table])]
        first, rows = (rows[:1], rows[1:]) if len(rows[0]) == 1 else ([], rows)
        for row in [*first, header, *rows]:
            name, _ = wrapped(row[0], "lines")
            lines += [f"\t{cell}" for cell in (name, *row[1:])] + [""]
    return "\n".join([*lines, "", "  分送：各单位", ""])


def tab_row_text(figures, _):
    """A row a line, cells apart by tabs."""
    lines = ["2022年第二季度通报", *sentences(figures)]
    for table, rows in tables(figures):
        lines += [heading(table), TITLES[table], "\t".join([NAME[table], *HEADERS[table]])]
        lines += ["\t".join(row) for row in rows]
    return "\r\n".join([*lines, "分送：各单位"])


def bare_text(figures, _):
    """Cells one a line and nothing else; a blank cell leaves no trace."""
    lines = ["2022年第二季度通报", *sentences(figures)]
    for table, rows in tables(figures):
        lines += [heading(table), TITLES[table], NAME[table]]
        lines += [part for text in HEADERS[table] for part in (text[:2], text[2:])]
        lines += [cell for row in rows for cell in row if cell]
    return "\n".join([*lines, "分送：各单位"])


def html(figures, style):
    """A page with merged cells."""
    parts = ["<html><body><h1>2022年第二季度通报</h1>"]
    parts += [f"<p>{escape(text)}</p>" for text in sentences(figures)]
    for table, lines in tables(figures):
        parts.append(f"<p>{heading(table)}</p><p>{TITLES[table]}</p><table>")
        for row in laid_out(table, lines, style):
            cells = (
                f'<td colspan="{cell.across}" rowspan="{cell.down}">'
                + escape(cell.text).replace("\n", "<br>")
                + "</td>"
                for cell in row
            )
            parts.append(f"<tr>{''.join(cells)}</tr>")
        parts.append("</table>")
    return "".join([*parts, "<p>分送：各单位</p></body></html>"])


def word(figures, style):
    """A document with merged cells."""
    document = docx.Document()
    for text in ["2022年第二季度通报", *sentences(figures)]:
        document.add_paragraph(text)
    for table, lines in tables(figures):
        document.add_paragraph(heading(table))
        document.add_paragraph(TITLES[table])
        rows = laid_out(table, lines, style)
        width = sum(cell.across for cell in rows[-1])
        grid = document.add_table(len(rows), width)
        cells = [list(grid._cells[at * width : (at + 1) * width]) for at in range(len(rows))]
        for y, x, cell in placed(rows):
            target = cells[y][x]
            if cell.across > 1 or cell.down > 1:
                target = target.merge(cells[y + cell.down - 1][x + cell.across - 1])
            target.text = cell.text
    document.add_paragraph("分送：各单位")
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def workbook(figures, style, as_numbers=False):
    """A sheet of text and a sheet a table; with numbers instead of printed text on demand."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        sheet = book.add_worksheet("正文")
        for at, text in enumerate(["2022年第二季度通报", *sentences(figures)]):
            sheet.write_string(at, 0, text)
        for table, lines in tables(figures):
            sheet = book.add_worksheet(heading(table))
            rows = laid_out(table, lines, style)
            width = sum(cell.across for cell in rows[-1])
            sheet.merge_range(0, 0, 0, width - 1, TITLES[table])
            for y, x, cell in placed(rows):
                value = number(cell.text) if as_numbers else cell.text
                if cell.across > 1 or cell.down > 1:
                    sheet.merge_range(y + 2, x, y + 1 + cell.down, x + cell.across - 1, value)
                else:
                    sheet.write(y + 2, x, value)
    return buffer.getvalue()


def sheets(figures):
    """Rows by sheet, nothing merged."""
    found = {"正文": [["2022年第二季度通报"], *([text] for text in sentences(figures))]}
    for table, lines in tables(figures):
        rows = [[TITLES[table]], [NAME[table], *HEADERS[table]], *lines]
        found[heading(table)] = rows
    return found


def number(text):
    """A printed figure as a cell's value, with the noise of a binary number."""
    if text.endswith("%"):
        return float(text[:-1]) / 100 * (1 + 1e-9)
    return float(text) if text.replace(".", "").isdigit() else text


def placed(rows):
    """Each cell with its row and column, covered places skipped."""
    taken = set()
    for y, row in enumerate(rows):
        x = 0
        for cell in row:
            while (y, x) in taken:
                x += 1
            yield y, x, cell
            taken |= {
                (y + down, x + across) for down in range(cell.down) for across in range(cell.across)
            }
            x += cell.across


def write(folder: Path, name: str, content: bytes | str, encoding: str = "utf-8") -> Path:
    """Save a bulletin."""
    path = folder / name
    path.write_bytes(content.encode(encoding) if isinstance(content, str) else content)
    return path
