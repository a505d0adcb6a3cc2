"""Random edits of a quarter's files: what people, spreadsheets and networks do to an export.

An edit writes or changes the files of one source. What it means is fixed when it is made: the
figures are still those of the intended quarter (as `Edit.intended` says), whatever the files look
like now. `UNKNOWABLE` lists the edits after which the files say something else that could as well
be true: no system can know.
"""

import gzip
import io
import random
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import xlsxwriter
from intended import GROUPS, Intended, Item, aliases
from rewrite import ods, text, xls, xlsx

Rows = list[list[str]]
Files = dict[str, bytes]

# What no system can know from the files of one quarter alone; the first words of an edit's name.
UNKNOWABLE = {
    "row deleted": "a row that isn't there, in a source without a running number",
    "file cut at a row's end": "as many rows deleted",
    "ticket moved": "another unit that exists, in the place of the right one",
    "time changed": "another time that fits the others",
    "finished emptied": "an item that isn't finished looks so",
    "callback emptied": "an item that wasn't called back looks so",
    "optional code emptied": "an untyped ticket looks so",
    "code changed": "another code of the list",
    "digit of a number changed": "another number that nobody else has",
    "few rows a year off": "rows outside the quarter, below the bound: the run names their count",
    "times exchanged": "two columns of times that fit either way",
}

HEADERS = {
    "ticket": "工单编号 受理时间 交办时间 承办单位 单位类别 诉求类型 诉求类别 办理期限 办结时间"
    " 是否返工 回访时间 回访结果 来电人 联系电话 诉求地址 诉求内容",
    "mailbox": "信件编号 信箱类别 交办时间 承办单位 办理期限 办结时间 群众评价 写信人"
    " 联系电话 信件内容",
    "suggestion": "建议编号 交办时间 承办单位 办理期限 办结时间 委员姓名 委员电话 建议内容",
}
TIMES = ("受理时间", "交办时间", "办理期限", "办结时间", "回访时间")
FORMATS = (
    "%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y-%m-%d %H:%M", "%Y年%m月%d日 %H:%M",
    "%Y.%m.%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S",
)  # fmt: skip
MARKS = ("\u200b", "\u200e", "\u202a", "\u2066", "\u00ad", "\ufeff", "\u00a0", "\u3000", " ", "\t")
DAMAGE = "�"


@dataclass
class Edit:
    """Files of a quarter and what they are meant to say; `names` says what was done, in order."""

    intended: Intended
    source: str
    rows: Rows
    chance: random.Random
    files: Files = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    is_text_only: bool = False

    @property
    def unknowable(self) -> list[str]:
        return [name for name in self.names if any(name.startswith(known) for known in UNKNOWABLE)]


def table(source: str, items: list[Item], form: str = FORMATS[0]) -> Rows:
    """Header and rows of a source as the system would write them."""

    def moment(value: datetime | None) -> str:
        return value.strftime(form) if value else ""

    rows = [HEADERS[source].split()]
    for at, item in enumerate(items, start=1):
        person, phone = f"虚构人{at:04d}", f"000-0000-{at:04d}"
        told = f"虚构内容，第{at}件"
        when = [moment(item.dispatched), item.name]
        ends = [moment(item.deadline), moment(item.finished)]
        if source == "ticket":
            received = moment(item.dispatched - timedelta(minutes=20))
            called = [moment(item.called_back), item.result]
            codes = [GROUPS[item.group], item.kind, item.category]
            codes += [*ends, "是" if item.is_reworked else "否", *called]
            address = f"虚构路{at}号"
            rows.append([item.number, received, *when, *codes, person, phone, address, told])
        elif source == "mailbox":
            rows.append([item.number, item.kind, *when, *ends, item.result, person, phone, told])
        else:
            rows.append([item.number, *when, *ends, person, phone, told])
    return rows


def read(written: str) -> datetime | None:
    """A time as the system writes it; none where an earlier edit wrote it otherwise."""
    try:
        return datetime.strptime(written, FORMATS[0])
    except ValueError:
        return None


def plain(
    rows: Rows, encoding: str = "utf-8-sig", delimiter: str = ",", end: str = "\r\n"
) -> bytes:
    return text(rows, delimiter=delimiter, lineterminator=end).encode(encoding)


def draw(intended: Intended, chance: random.Random) -> Edit:
    """One edit or two, of one source; the other sources are written plainly."""
    source = chance.choices(("ticket", "mailbox", "suggestion"), (8, 2, 1))[0]
    edit = Edit(dict(intended), source, table(source, intended[source]), chance)
    for other in intended.keys() - {source}:
        edit.files[f"{other}.csv"] = plain(table(other, intended[other]))
    of_rows = [chance.choice(ROW_EDITS)] if chance.random() < 0.65 else []
    if of_rows and chance.random() < 0.2:
        of_rows.append(chance.choice(ROW_EDITS))
    for change in of_rows:
        change(edit)
    if edit.is_text_only:
        as_csv(edit)
    else:
        forms = FILE_EDITS if not of_rows or chance.random() < 0.35 else [as_csv]
        chance.choice(forms)(edit)
    return edit


# --- Edits of rows, in place ---------------------------------------------------------------------


def _some(rows: Rows, chance: random.Random, most: float = 1.0) -> list[list[str]]:
    """At least one row, at most a share of them."""
    share = chance.choice((0.0, 0.05, 0.3, 1.0))
    count = max(1, round((len(rows) - 1) * min(share, most)))
    return chance.sample(rows[1:], min(count, len(rows) - 1))


def _column(rows: Rows, *labels: str) -> int | None:
    return next((rows[0].index(label) for label in labels if label in rows[0]), None)


def _number_marks(edit: Edit) -> None:
    """The number written otherwise, sometimes in a copy of the row beside the row itself."""
    rows, chance = edit.rows, edit.chance
    ways: dict[str, Callable[[str], str]] = {
        "equals quote": lambda number: f'="{number}"',
        "apostrophe": lambda number: "'" + number,
        "full width": lambda number: number.translate({i: i + 0xFEE0 for i in range(0x21, 0x7F)}),
        "full-width digits": lambda number: number.translate(
            {i: i + 0xFEE0 for i in range(0x30, 0x3A)}
        ),
        "lower case": str.lower,
        "mark inside": lambda number: number[:4] + chance.choice(MARKS) + number[4:],
        "mark before": lambda number: chance.choice(MARKS) + number,
        "mark behind": lambda number: number + chance.choice(MARKS),
        "point zero": lambda number: number + ".0",
    }
    name = chance.choice(sorted(ways))
    again = chance.random() < 0.5
    edit.names.append(f"number: {name}{', repeated' if again else ''}")
    for row in _some(rows, chance):
        if again:
            rows.append([ways[name](row[0]), *row[1:]])
        else:
            row[0] = ways[name](row[0])


def _number_lost(edit: Edit) -> None:
    """The numbers as a spreadsheet leaves them: scientific, cut short, without their zeros."""
    rows, chance = edit.rows, edit.chance
    way = chance.choice(("scientific", "rounded", "zeros lost", "same"))
    edit.names.append(f"number: {way}")
    for at, row in enumerate(rows[1:]):
        digits = f"2022{at // 40:02d}01{at:09d}"
        row[0] = {
            "scientific": f"{float(digits):.6E}",
            "rounded": f"{float(digits):.0f}"[:15] + "00",
            "zeros lost": str(at // 2),
            "same": rows[1][0],
        }[way]


def _duplicates(edit: Edit) -> None:
    rows, chance = edit.rows, edit.chance
    edit.names.append("rows repeated")
    again = [list(row) for row in _some(rows, chance)]
    for row in again:
        rows.insert(chance.randint(1, len(rows)), row)


def _correction_below(edit: Edit) -> None:
    """The same item again further down, finished in the meantime: the later row stands."""
    source, rows, chance = edit.source, edit.rows, edit.chance
    items = edit.intended[source]
    open_at = [at for at, item in enumerate(items) if item.finished is None]
    if not open_at:
        return _duplicates(edit)
    edit.names.append("corrected below")
    at = chance.choice(open_at)
    done = replace(items[at], finished=items[at].dispatched + timedelta(hours=20))
    edit.intended[source] = [*items[:at], done, *items[at + 1 :]]
    corrected = list(rows[at + 1])
    corrected[rows[0].index("办结时间")] = done.finished.strftime(FORMATS[0])
    rows.append(corrected)
    return None


def _headers_exchanged(edit: Edit) -> None:
    rows, chance = edit.rows, edit.chance
    people = {"来电人", "写信人", "委员姓名", "联系电话", "委员电话"} & set(rows[0])
    pairs = [
        (rows[0][0], chance.choice(sorted(people))),
        ("承办单位", chance.choice(sorted(people))),
    ]
    pairs += [("交办时间", "办理期限"), ("交办时间", "办结时间"), ("承办单位", rows[0][0])]
    pairs += [("办理期限", "办结时间")]
    first, second = chance.choice(pairs)
    is_open = {first, second} <= set(TIMES)
    edit.names.append(f"{'times' if is_open else 'headers'} exchanged: {first}, {second}")
    one, other = rows[0].index(first), rows[0].index(second)
    rows[0][one], rows[0][other] = second, first


def _year_off(edit: Edit) -> None:
    rows, chance = edit.rows, edit.chance
    share = chance.choice((0.02, 0.3, 0.6))
    count = max(1, round((len(rows) - 1) * share))
    edit.names.append("rows a year off" if share > 0.1 else "few rows a year off")
    for row in chance.sample(rows[1:], count):
        for at, label in enumerate(rows[0]):
            if label in TIMES:
                row[at] = row[at].replace("2022", "2021", 1)


def _time_unreadable(edit: Edit) -> None:
    rows, chance = edit.rows, edit.chance
    at = rows[0].index(chance.choice([label for label in rows[0] if label in TIMES]))
    filled = [row for row in rows[1:] if read(row[at])]
    if not filled:
        return _duplicates(edit)
    row = chance.choice(filled)
    moment = read(row[at])
    ways = {
        "day first": f"{moment.month}/{moment.day}/{moment.year} {moment:%H:%M}",
        "two-digit year": f"{moment:%y-%m-%d %H:%M}",
        "no year": f"{moment:%m-%d %H:%M}",
        "error": chance.choice(("#REF!", "#VALUE!", "#N/A", "#NAME?", "########")),
        "thirteenth month": f"{moment.year}-13-{moment.day:02d} 09:00",
        "words": "已办结",
        "question marks": "????-??-?? ??:??",
    }
    name = chance.choice(sorted(ways))
    edit.names.append(f"time: {name}")
    row[at] = ways[name]
    return None


def _time_forms(edit: Edit) -> None:
    """The same instants in another form; in the sample's zone an offset changes nothing."""
    rows, chance = edit.rows, edit.chance
    clock = {0: "上午", 1: "下午"}

    def twelve(moment: datetime) -> str:
        hour = moment.hour % 12 or 12
        return f"{moment:%Y/%m/%d} {clock[moment.hour // 12]}{hour}:{moment:%M:%S}"

    ways: dict[str, Callable[[datetime], str]] = {
        form: lambda moment, form=form: moment.strftime(form) for form in FORMATS
    }
    ways |= {
        "12 hours": twelve,
        "12 hours in English": lambda moment: f"{moment:%Y-%m-%d %I:%M:%S %p}",
        "offset": lambda moment: f"{moment:%Y-%m-%d %H:%M:%S}+08:00",
        "zulu": lambda moment: f"{moment - timedelta(hours=8):%Y-%m-%dT%H:%M:%S}Z",
        "offset without minutes": lambda moment: f"{moment:%Y-%m-%d %H:%M:%S}+08",
        "full width": lambda moment: f"{moment:%Y-%m-%d %H:%M:%S}".translate(
            {ord(c): ord(c) + 0xFEE0 for c in "0123456789:"}
        ),
    }
    name = chance.choice(sorted(ways))
    edit.names.append(f"times as {name}")
    for row in _some(rows, chance):
        for at, label in enumerate(rows[0]):
            if label in TIMES and (moment := read(row[at])):
                row[at] = ways[name](moment)


def _cell_emptied(edit: Edit) -> None:
    """One cell, or a whole column, that somebody emptied."""
    source, rows, chance = edit.source, edit.rows, edit.chance
    label = chance.choice(rows[0][: 12 if source == "ticket" else 7])
    whole = chance.random() < 0.4
    at = rows[0].index(label)
    name = {
        "办结时间": "finished emptied",
        "诉求类型": "optional code emptied",
        "诉求类别": "optional code emptied",
        "群众评价": "optional code emptied",
        "单位类别": "optional code emptied",
    }.get(label, f"emptied: {label}")
    edit.names.append(f"column emptied: {label}" if whole else name)
    for row in rows[1:] if whole else [chance.choice(rows[1:])]:
        row[at] = ""


def _callback_emptied(edit: Edit) -> None:
    source, rows, chance = edit.source, edit.rows, edit.chance
    if source != "ticket":
        return _cell_emptied(edit)
    whole = chance.random() < 0.4
    edit.names.append("column emptied: callbacks" if whole else "callback emptied")
    for row in rows[1:] if whole else _some(rows, chance, 0.05):
        row[10] = row[11] = ""
    return None


def _cell_shifted(edit: Edit) -> None:
    """A row whose cells moved by one: a cell more, or one less."""
    rows, chance = edit.rows, edit.chance
    row = chance.choice(rows[1:])
    at = chance.randrange(len(row))
    edit.is_text_only = True
    if chance.random() < 0.5:
        edit.names.append("a cell more")
        row.insert(at, chance.choice(("", "x")))
    else:
        edit.names.append("a cell less")
        del row[at]


def _unit(edit: Edit) -> None:
    rows, chance = edit.rows, edit.chance
    at = rows[0].index("承办单位")
    names = sorted({name for known in aliases().values() for name in known})
    way = chance.choice(("misspelled", "marked", "moved", "person", "blank inside", "two units"))
    edit.names.append("ticket moved" if way == "moved" else f"unit: {way}")
    for row in _some(rows, chance, 0.3):
        name = row[at]
        row[at] = {
            "misspelled": name[:-1] + "居",
            "marked": chance.choice(MARKS) + name + chance.choice(MARKS),
            "moved": chance.choice(names),
            "person": "张三",
            "blank inside": name[:2] + "　" + name[2:],
            "two units": name + "、" + chance.choice(names),
        }[way]


def _code(edit: Edit) -> None:
    rows, chance = edit.rows, edit.chance
    labels = [
        label
        for label in ("诉求类型", "诉求类别", "信箱类别", "回访结果", "是否返工")
        if label in rows[0]
    ]
    if not labels:
        return _unit(edit)
    at = rows[0].index(chance.choice(labels))
    filled = [row for row in rows[1:] if row[at]]
    row = chance.choice(filled)
    way = chance.choice(("unknown", "changed", "marked", "error"))
    edit.names.append("code changed" if way == "changed" else f"code: {way}")
    row[at] = {
        "unknown": row[at] + "?",
        "changed": chance.choice(filled)[at],
        "marked": chance.choice(MARKS) + row[at],
        "error": "#N/A",
    }[way]
    return None


def _deleted(edit: Edit) -> None:
    rows, chance = edit.rows, edit.chance
    edit.names.append("row deleted")
    rows.remove(chance.choice(rows[1:]))


def _time_changed(edit: Edit) -> None:
    rows, chance = edit.rows, edit.chance
    at = rows[0].index(chance.choice([label for label in TIMES if label in rows[0]]))
    row = chance.choice([row for row in rows[1:] if row[at]] or rows[1:])
    if moment := read(row[at]):
        edit.names.append("time changed")
        moved = moment + timedelta(days=chance.randint(-9, 9))
        row[at] = moved.strftime(FORMATS[0])


def _digit_changed(edit: Edit) -> None:
    rows, chance = edit.rows, edit.chance
    edit.names.append("digit of a number changed")
    row = chance.choice(rows[1:])
    row[0] = row[0][:-2] + f"{chance.randrange(100):02d}"


def _total_row(edit: Edit) -> None:
    rows = edit.rows
    edit.names.append("total and footnote")
    rows.append(["合计", str(len(rows) - 1)] + [""] * (len(rows[0]) - 2))
    rows.append(["注：数据截至6月30日"] + [""] * (len(rows[0]) - 1))


def _titled(edit: Edit) -> None:
    rows, chance = edit.rows, edit.chance
    edit.names.append("title lines")
    blank = [""] * (len(rows[0]) - 1)
    rows[:0] = [["2022年第二季度工单明细", *blank], ["", *blank]][: chance.randint(1, 2)]


def _blank_rows(edit: Edit) -> None:
    rows, chance = edit.rows, edit.chance
    edit.names.append("blank rows")
    for _ in range(chance.randint(1, 4)):
        rows.insert(chance.randint(1, len(rows)), [""] * len(rows[0]))


def _shuffled(edit: Edit) -> None:
    rows, chance = edit.rows, edit.chance
    edit.names.append("rows in another order")
    body = rows[1:]
    chance.shuffle(body)
    rows[1:] = body


def _columns_shuffled(edit: Edit) -> None:
    rows, chance = edit.rows, edit.chance
    edit.names.append("columns in another order")
    order = list(range(len(rows[0])))
    chance.shuffle(order)
    rows[:] = [[row[at] for at in order] for row in rows]


def _column_lost(edit: Edit) -> None:
    rows, chance = edit.rows, edit.chance
    at = chance.randrange(len(rows[0]))
    edit.names.append(f"column lost: {rows[0][at]}")
    for row in rows:
        del row[at]


def _column_more(edit: Edit) -> None:
    rows, chance = edit.rows, edit.chance
    label = chance.choice(("备注", "序号", "承办单位", ""))
    edit.names.append(f"column more: {label}")
    for number, row in enumerate(rows):
        row.append(str(number) if number else label)


def _line_break(edit: Edit) -> None:
    rows, chance = edit.rows, edit.chance
    edit.names.append("line break in a cell")
    for row in _some(rows, chance):
        row[-1] = "第一行\n第二行"


ROW_EDITS: list[Callable[[Edit], None]] = [
    *(_number_marks,) * 3, *(_number_lost,) * 2, _duplicates, _correction_below,
    *(_headers_exchanged,) * 2, *(_year_off,) * 2, *(_time_unreadable,) * 2, *(_time_forms,) * 2,
    *(_cell_emptied,) * 2, _callback_emptied, _cell_shifted, *(_unit,) * 2, _code, _deleted,
    _time_changed, _digit_changed, _total_row, _blank_rows, _shuffled, _line_break,
]  # fmt: skip


# --- Edits of files ------------------------------------------------------------------------------


def as_csv(edit: Edit) -> None:
    source, rows = edit.source, edit.rows
    edit.files[f"{source}.csv"] = plain(rows)


def _as_text(edit: Edit) -> None:
    source, rows, chance = edit.source, edit.rows, edit.chance
    encoding = chance.choice(("utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le", "utf-16-be"))
    delimiter, suffix = chance.choice(
        ((",", ".csv"), ("\t", ".tsv"), (";", ".csv"), ("\t", ".csv"))
    )
    end = chance.choice(("\r\n", "\n", "\r"))
    edit.names.append(f"text: {encoding}, {delimiter!r}, {end!r}")
    if chance.random() < 0.3:
        _titled(edit)
    elif chance.random() < 0.5:
        chance.choice((_columns_shuffled, _column_lost, _column_more))(edit)
    edit.files[source + suffix] = plain(rows, encoding, delimiter, end)


def _damaged_text(edit: Edit) -> None:
    source, rows, chance = edit.source, edit.rows, edit.chance
    content = plain(rows, "utf-8-sig")
    lines = content.split(b"\r\n")
    middle = len(lines) // 2
    way = chance.choice(
        ("cut", "cut at a row's end", "bad byte", "nul", "half gb18030", "quote opened and closed",
         "quote opened", "quote inside", "lines joined", "null block", "appended twice")
    )  # fmt: skip
    if way == "cut":
        content = content[: chance.randint(len(content) // 3, len(content) - 12)]
        if content.endswith((b"\r", b"\n")):
            way = "cut at a row's end"
    if way == "cut at a row's end":
        edit.names.append("file cut at a row's end")
        content = b"\r\n".join(lines[:middle]) + b"\r\n"
    else:
        edit.names.append(f"text damaged: {way}")
    match way:
        case "bad byte" | "nul":
            at = chance.randrange(len(content) // 2, len(content) - 2)
            content = content[:at] + (b"\xff" if way == "bad byte" else b"\0") + content[at + 1 :]
        case "half gb18030":
            again = b"\r\n".join(lines[middle:]).decode().encode("gb18030")
            content = b"\r\n".join(lines[:middle]) + b"\r\n" + again
        case "quote opened and closed" | "quote opened":
            first = chance.randrange(1, middle)
            lines[first] = lines[first].replace("虚构内容".encode(), '"虚构内容'.encode())
            if way == "quote opened and closed":
                lines[chance.randrange(first + 1, len(lines) - 1)] += b'"'
            content = b"\r\n".join(lines)
        case "quote inside":
            lines[middle] = lines[middle].replace("内容".encode(), '内"容'.encode())
            content = b"\r\n".join(lines)
        case "lines joined":
            content = b"\r\n".join([*lines[:middle], lines[middle] + lines[middle + 1]])
            content += b"\r\n" + b"\r\n".join(lines[middle + 2 :])
        case "null block":
            content += b"\0" * 512
        case "appended twice":
            content += b"\r\n".join(lines)
    edit.files[f"{source}.csv"] = content


def _gzipped(edit: Edit) -> None:
    source, rows, chance = edit.source, edit.rows, edit.chance
    content = gzip.compress(plain(rows), mtime=0)
    way = chance.choice(("whole", "cut", "flipped"))
    edit.names.append(f"gzip: {way}")
    if way == "cut":
        content = content[: chance.randint(20, len(content) - 1)]
    elif way == "flipped":
        at = chance.randrange(12, len(content) - 9)
        content = content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :]
    edit.files[f"{source}.csv.gz"] = content


def _in_parts(edit: Edit) -> None:
    """Two or three files, some with rows in common."""
    source, rows, chance = edit.source, edit.rows, edit.chance
    overlap = chance.choice((0, 0, 3, 20))
    middle = len(rows) // 2
    edit.names.append(f"in parts, {overlap} rows in both")
    edit.files[f"{source}-1.csv"] = plain(rows[:middle])
    edit.files[f"{source}-2.csv"] = plain([rows[0], *rows[max(1, middle - overlap) :]], "gb18030")
    if chance.random() < 0.2:
        edit.names.append("the whole file once more")
        edit.files[f"{source}-3.csv"] = plain(rows, "utf-8")


def _sheets(edit: Edit) -> None:
    """Workbooks of every kind that hold the rows as they are."""
    source, rows, chance = edit.source, edit.rows, edit.chance
    way = chance.choice(("xlsx", "xlsx dates", "ods", "xls", "two sheets", "html", "zip"))
    edit.names.append(f"workbook: {way}")
    if way == "two sheets":
        middle = len(rows) // 2
        sheets = {"一": rows[:middle], "二": [rows[0], *rows[middle:]]}
        edit.files[f"{source}.xlsx"] = xlsx(sheets)
    elif way == "html":
        cells = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
        edit.files[f"{source}.xls"] = f"<html><table>{cells}</table></html>".encode()
    elif way == "zip":
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(f"{source}.csv", plain(rows))
        edit.files[f"{source}.{chance.choice(('csv', 'xlsx', 'zip'))}"] = packed.getvalue()
    elif way == "xls":
        edit.files[f"{source}.xls"] = xls(rows)
    elif way == "ods":
        edit.files[f"{source}.ods"] = ods({"表": rows})
    else:
        edit.files[f"{source}.xlsx"] = xlsx({"表": rows}, dates=way == "xlsx dates")


def _odd_workbook(edit: Edit) -> None:
    """What only a spreadsheet can do to rows."""
    source, rows, chance = edit.source, edit.rows, edit.chance
    way = chance.choice(
        ("hidden sheet", "hidden rows", "hidden column", "merged", "no value", "errors", "numbers",
         "padded numbers", "filtered", "damaged", "hidden header column")
    )  # fmt: skip
    edit.names.append(f"workbook: {way}")
    file = io.BytesIO()
    finished = rows[0].index("办结时间") if "办结时间" in rows[0] else 0
    unit = rows[0].index("承办单位") if "承办单位" in rows[0] else 0
    chosen = set(chance.sample(range(1, len(rows)), max(1, len(rows) // 12)))
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        sheet = book.add_worksheet("工单")
        padded = book.add_format({"num_format": "0" * 17})
        for at, row in enumerate(rows):
            for place, cell in enumerate(row):
                if at and place == 0 and way in ("numbers", "padded numbers"):
                    # 17 digits: more than a spreadsheet's number holds
                    number = 20220401000000000 + at if way == "numbers" else at
                    sheet.write_number(at, 0, number, padded if way == "padded numbers" else None)
                elif at in chosen and place == finished and way == "no value":
                    sheet.write_formula(at, place, "=B2+1", None, "")
                elif at in chosen and place == finished and way == "errors":
                    sheet.write_formula(at, place, "=#REF!", None, "#REF!")
                elif cell:
                    sheet.write_string(at, place, cell)
        if way == "merged":
            first = next(
                (at for at in range(1, len(rows) - 1) if rows[at][unit] == rows[at + 1][unit]), None
            )
            at = first or 1
            sheet.merge_range(at, unit, at + 1, unit, rows[at][unit])
        if way in ("hidden rows", "filtered"):
            if way == "filtered":
                sheet.autofilter(0, 0, len(rows) - 1, len(rows[0]) - 1)
            for at in chosen:
                sheet.set_row(at, None, None, {"hidden": True})
        if way == "hidden column":
            sheet.set_column(finished, finished, None, None, {"hidden": True})
        if way == "hidden header column":
            sheet.set_column(len(rows[0]) - 1, len(rows[0]) - 1, None, None, {"hidden": True})
        if way == "hidden sheet":
            older = book.add_worksheet("备份")
            older.hide()
            for at, row in enumerate([rows[0], *(rows[at] for at in sorted(chosen))]):
                for place, cell in enumerate(row):
                    if cell and not (at and place >= finished):
                        older.write_string(at, place, cell)
    content = file.getvalue()
    if way == "damaged":
        at = chance.randrange(60, len(content) - 60)
        content = content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :]
    edit.files[f"{source}.xlsx"] = content


def _folder(edit: Edit) -> None:
    """Other things in the folder, or things missing from it."""
    source, rows, chance = edit.source, edit.rows, edit.chance
    way = chance.choice(
        ("copy", "older copy", "notes", "backup", "missing", "empty file", "header only", "again")
    )
    edit.names.append(f"folder: {way}")
    edit.files[f"{source}.csv"] = plain(rows)
    match way:
        case "copy":
            edit.files[f"{source} - 副本.csv"] = plain(rows)
        case "older copy":
            finished = rows[0].index("办结时间") if "办结时间" in rows[0] else 0
            older = [list(row) for row in rows[: len(rows) // 2]]
            for row in older[1:]:
                row[finished:] = [""] * len(row[finished:])
            edit.files[f"{source}.1.csv"] = plain(older)
        case "notes":
            edit.files["说明.txt"] = "第二季度".encode()
        case "backup":
            edit.files[f"{source}.csv.bak"] = plain(rows)
        case "missing":
            del edit.files[f"{source}.csv"]
        case "empty file":
            edit.files[f"{source}.csv"] = b""
        case "header only":
            edit.files[f"{source}.csv"] = plain(rows[:1])
        case "again":
            edit.files[f"{source}.xlsx"] = xlsx({"表": rows})


FILE_EDITS: list[Callable[[Edit], None]] = [
    as_csv, *(_as_text,) * 3, *(_damaged_text,) * 3, _gzipped, *(_in_parts,) * 2, *(_sheets,) * 2,
    *(_odd_workbook,) * 4, *(_folder,) * 2,
]  # fmt: skip
