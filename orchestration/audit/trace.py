"""From a published figure to its source rows, and back; read from the published copy alone.

What a figure counts is data: `COUNTS` says which facts a count takes, `MARTS` which counts a mart's
cells are made of. A new measure is a new line there. The names of units and the parts of the index
come from the seeds.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
from rapidfuzz import process

from orchestration.errors import InputError
from orchestration.ingest.lake import sha256_of
from orchestration.publication import KEY_COLUMNS, manifests, published_manifest, readers_parquet
from orchestration.quarters import Quarter
from orchestration.settings import Home, seeds_root

DISTRICT = "全区"
INDEX = "composite_index"
GROUPS = ("A", "other")
BUSINESS_ID = {
    "fct_ticket": "work_order_id",
    "fct_callback": "work_order_id",
    "fct_letter": "letter_id",
    "fct_suggestion_assignment": "suggestion_id",
}


class Count(NamedTuple):
    """A count: which facts it takes, `flag` being a condition on one."""

    fact: str
    flag: str


COUNTS = {
    "due_count": Count("fct_ticket", "is_due"),
    "handled_count": Count("fct_ticket", "is_handled"),
    "on_time_count": Count("fct_ticket", "is_on_time"),
    "rework_count": Count("fct_ticket", "is_rework"),
    "callback_count": Count("fct_callback", "true"),
    "dissatisfied_count": Count("fct_callback", "is_dissatisfied"),
    "satisfied_count": Count("fct_callback", "not is_dissatisfied"),
    "mailbox.due_count": Count("fct_letter", "is_due"),
    "mailbox.handled_count": Count("fct_letter", "is_handled"),
    "mailbox.on_time_count": Count("fct_letter", "is_on_time"),
    "mailbox.overdue_count": Count("fct_letter", "is_overdue"),
    "mailbox.rated_count": Count("fct_letter", "is_due and satisfaction is not null"),
    "mailbox.satisfied_count": Count(
        "fct_letter", "is_due and satisfaction in ('satisfied', 'fairly_satisfied')"
    ),
    "suggestion.due_count": Count("fct_suggestion_assignment", "is_due"),
    "suggestion.handled_count": Count("fct_suggestion_assignment", "is_handled"),
    "suggestion.on_time_count": Count("fct_suggestion_assignment", "is_on_time"),
    "suggestion.overdue_count": Count("fct_suggestion_assignment", "is_overdue"),
}


@dataclass(frozen=True)
class Mart:
    """A mart's cells: a row's key columns as SQL over a fact, and the counts in each measure.

    A measure is one count, or a numerator and a denominator, or all counts that decide it.
    """

    table: str
    keys: Mapping[str, str]
    measures: Mapping[str, tuple[str, ...]]
    of_next_quarter: bool = False


UNIT = {"unit_code": "unit_code"}
HOTLINE = {
    "due_count": ("due_count",),
    "handled_count": ("handled_count",),
    "completion_rate": ("handled_count", "due_count"),
    "on_time_count": ("on_time_count",),
    "on_time_rate": ("on_time_count", "due_count"),
    "rework_count": ("rework_count",),
    "rework_rate": ("rework_count", "due_count"),
    "callback_count": ("callback_count",),
    "dissatisfied_count": ("dissatisfied_count",),
    "dissatisfaction_rate": ("dissatisfied_count", "callback_count"),
}
SATISFACTION = {"satisfaction_rate": ("satisfied_count", "callback_count")}
MAILBOX = {
    name: (f"mailbox.{name}",)
    for name in ("due_count", "handled_count", "on_time_count", "overdue_count")
}
SUGGESTION = {
    name: (f"suggestion.{name}",) for name in ("due_count", "on_time_count", "overdue_count")
}
CATEGORY = {"category": "coalesce(category, 'other')"}


def _channel(channel: str, prefix: str, rating: tuple[str, ...]) -> Mart:
    counts = {
        "distinct_item_count": (f"{prefix}due_count",),
        "assignment_count": (f"{prefix}due_count",),
        "handled_count": (f"{prefix}handled_count",),
        "on_time_count": (f"{prefix}on_time_count",),
    }
    rates = {"satisfaction_rate": rating} if rating else {}
    return Mart("channel_quarter", {"channel": f"'{channel}'"}, counts | rates)


def marts(index_counts: Mapping[str, tuple[str, str]]) -> list[Mart]:
    """Every cell that rows are counted in.

    Args:
        index_counts: numerator and denominator of each component of the index.
    """
    index = tuple(dict.fromkeys(count for pair in index_counts.values() for count in pair))
    return [
        Mart("hotline_unit_quarter", UNIT, HOTLINE | {INDEX: index}),
        Mart("hotline_district_quarter", {}, HOTLINE | SATISFACTION | {INDEX: index}),
        *(
            Mart(
                "index_component_unit_quarter",
                UNIT | {"component": f"'{component}'"},
                {"numerator": pair[:1], "denominator": pair[1:], "rate": pair, "points": pair},
            )
            for component, pair in index_counts.items()
        ),
        Mart("mailbox_unit_quarter", UNIT, MAILBOX),
        Mart("mailbox_unit_mailbox_quarter", UNIT | {"mailbox": "mailbox"}, MAILBOX),
        Mart("suggestion_unit_quarter", UNIT, SUGGESTION),
        _channel("hotline", "", SATISFACTION["satisfaction_rate"]),
        _channel("mailbox", "mailbox.", ("mailbox.satisfied_count", "mailbox.rated_count")),
        _channel("suggestion", "suggestion.", ()),
        Mart(
            "hotline_request_type_quarter",
            {"request_type": "coalesce(request_type, 'untyped')"},
            {"ticket_count": ("due_count",)},
        ),
        # Any ticket is in the denominator of every share.
        Mart("hotline_request_type_quarter", {}, {"share": ("due_count",)}),
        Mart("hotline_category_quarter", {}, {"share": ("due_count",)}),
        Mart(
            "hotline_category_quarter",
            CATEGORY,
            {"ticket_count": ("due_count",), "quarter_on_quarter_change": ("due_count",)},
        ),
        Mart(
            "hotline_category_quarter",
            CATEGORY,
            {"previous_count": ("due_count",), "quarter_on_quarter_change": ("due_count",)},
            of_next_quarter=True,
        ),
        Mart(
            "unit_quarter",
            UNIT,
            {
                "hotline_due_count": ("due_count",),
                "hotline_composite_index": index,
                "mailbox_due_count": ("mailbox.due_count",),
                "mailbox_on_time_count": ("mailbox.on_time_count",),
                "suggestion_due_count": ("suggestion.due_count",),
                "suggestion_on_time_count": ("suggestion.on_time_count",),
                "total_due_count": ("due_count", "mailbox.due_count", "suggestion.due_count"),
            },
        ),
    ]


class SourceRow(NamedTuple):
    """One row of a source file; row 1 is the header."""

    file_name: str
    file_sha256: str
    row_number: int
    business_id: str


@dataclass(frozen=True)
class Part:
    """The rows of one count. `published` is null where no cell shows this count by itself."""

    count: str
    published: int | None
    rows: list[SourceRow]


class Component(NamedTuple):
    """A component of the index, by the names of its counts.

    `published` is its numerator, denominator and points; null for the district, which has none.
    """

    name: str
    numerator: str
    denominator: str
    weight: Decimal
    published: tuple[int, int, Decimal] | None


@dataclass(frozen=True)
class Figure:
    """A published figure and what it is made of; `mismatches` says what doesn't add up."""

    unit_code: str
    unit_name: str
    measure: str
    value: int | Decimal | None
    parts: list[Part]
    components: list[Component]
    mismatches: list[str]


class Cell(NamedTuple):
    """A mart cell that a row is in, and the counts through which it is."""

    quarter: str
    table: str
    subject: str
    measure: str
    value: Any
    counts: tuple[str, ...]


@dataclass(frozen=True)
class RowTrace:
    """A source row, and every cell that it is in; `reasons` says why it was turned away, if so."""

    row: SourceRow
    cells: list[Cell] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


def trace_figure(home: Home, quarter: str, unit: str, measure: str, group: str | None) -> Figure:
    """The source rows behind a figure of the latest published version.

    Args:
        home: whose published copy is read.
        quarter: such as 2022Q2.
        unit: a unit's code, any alias, or 全区.
        measure: a measure of `hotline_unit_quarter`, or `mailbox.` or `suggestion.` and one of
            theirs.
        group: `A` or `other`, where a name means two units.

    Raises:
        InputError: unknown quarter, unit or measure; a name of two units.
    """
    manifest = published_manifest(home, quarter)
    with _open(home, quarter) as published:
        unit_code, unit_name = _find_unit(published, quarter, unit, group)
        items = _index_items(published, quarter)
        mart = _find_mart(items, measure, is_district=unit_code is None)
        column = measure.rpartition(".")[2]
        parts = []
        for count in mart.measures[column]:
            shown = [name for name, counts in mart.measures.items() if counts == (count,)]
            number = (_value(published, quarter, mart, shown[0], unit_code) or 0) if shown else None
            parts.append(Part(count, number, _rows(published, manifest, count, unit_code)))
        value = _value(published, quarter, mart, column, unit_code)
        components = _components(published, quarter, items, unit_code) if column == INDEX else []
    found = {part.count: len(part.rows) for part in parts}
    mismatches = [
        f"{part.count}：已发布 {part.published}，追溯到 {found[part.count]} 行"
        for part in parts
        if part.published not in (None, found[part.count])
    ]
    if components:
        scale = int(items[0]["index_scale"])
        mismatches += _index_mismatches(value, scale, components, found)
    elif len(parts) == 2 and value != _rate(*found.values()):
        mismatches.append(f"{column}：已发布 {value}，由行数算得 {_rate(*found.values())}")
    return Figure(unit_code or DISTRICT, unit_name, measure, value, parts, components, mismatches)


def trace_row(home: Home, quarter: str, place: str) -> RowTrace:
    """Every published cell that a source row is in.

    Args:
        home: whose published copy is read.
        quarter: such as 2022Q2.
        place: the file's name and the row's number as a person sees it, such as `ticket.csv:123`.

    Raises:
        InputError: unknown quarter or file, or no row number above the header's.
    """
    manifest = published_manifest(home, quarter)
    names = {entry["file_name"]: entry["file_sha256"] for entry in manifest["inputs"]}
    name, _, number = place.rpartition(":")
    if name not in names or not number.isdecimal() or int(number) < 2:
        raise InputError(
            code="unknown_row",
            found=f"「{place}」不是 {quarter} 发布时的文件名加行号{_hint(name, names)}",
            expected=f"文件名:行号（列名是第 1 行），文件为 {'、'.join(sorted(names))}",
            action="改正 --row 后重新运行",
        )
    sha256, row_number = names[name], int(number)
    following = str(Quarter.containing(Quarter.parse(quarter).end))
    later = [m for m in manifests(home) if m["quarter"] == following][-1:]
    is_compared = sha256 in {
        entry["file_sha256"] for m in later for entry in m.get("previous_inputs", [])
    }
    with _open(home, quarter) as published:
        at = {"sha256": sha256, "row_number": row_number}

        def facts(fact: str, columns: str, condition: str = "true") -> list[tuple[Any, ...]]:
            return published.execute(
                f"select {columns} from {fact} "  # noqa: S608 (our own names)
                f"where file_sha256 = $sha256 and row_number = $row_number and ({condition})",
                at,
            ).fetchall()

        ids = [found[0] for fact, column in BUSINESS_ID.items() for found in facts(fact, column)]
        row = SourceRow(name, sha256, row_number, ids[0] if ids else "")
        held = [name for name, count in COUNTS.items() if facts(count.fact, "1", count.flag)]
        cells = []
        for mart in marts(_index_counts(_index_items(published, quarter))):
            if mart.of_next_quarter and not is_compared:
                continue
            for measure, counts in mart.measures.items():
                if via := tuple(count for count in counts if count in held):
                    expressions = ", ".join(mart.keys.values()) or "1"
                    (values,) = facts(COUNTS[via[0]].fact, expressions)
                    keys = dict(zip(mart.keys, values, strict=False))
                    of = following if mart.of_next_quarter else quarter
                    for subject, value in _cells(published, of, mart.table, measure, keys):
                        cells.append(Cell(of, mart.table, subject, measure, value, via))
        reasons = published.execute(
            "select distinct column_name || ' ' || reason_code from audit.rejected_row "
            "where file_sha256 = $sha256 and row_number = $row_number order by all",
            at,
        ).fetchall()
    return RowTrace(row, cells, [reason for (reason,) in reasons])


def file_states(
    home: Home, exports: Path, quarter: str, rows: Sequence[SourceRow]
) -> list[tuple[str, str, str, int]]:
    """(name, recorded SHA-256, state of the export, rows here) of each file that rows come from."""
    hashes = {row.file_sha256 for row in rows}
    inputs = published_manifest(home, quarter)["inputs"]
    states = []
    # A workbook that holds several sources is an input of each.
    for name, sha256 in dict.fromkeys(
        (entry["file_name"], entry["file_sha256"]) for entry in inputs
    ):
        if sha256 in hashes:
            path = exports / quarter / name
            state = "找不到"
            if path.is_file():
                state = "相符" if sha256_of(path) == sha256 else "已改动"
            count = sum(row.file_sha256 == sha256 for row in rows)
            states.append((name, sha256, state, count))
    return states


@contextmanager
def _open(home: Home, quarter: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published copy, read-only, and the quarter's published facts as temporary views."""
    with duckdb.connect() as connection:
        for fact in BUSINESS_ID:
            path = readers_parquet(home, quarter, fact)
            if not path.exists():
                raise InputError(
                    code="no_facts",
                    file=f"published/parquet/{fact}/quarter={quarter}/",
                    found="发布的副本里没有明细，无从追溯",
                    expected="发布时写下的 Parquet 文件",
                    action=f"运行 hotline run {quarter} 重新发布",
                )
            connection.execute(f"create temp view {fact} as from read_parquet('{_quoted(path)}')")
        database = _quoted(home.published / "marts.duckdb")
        connection.execute(f"attach '{database}' as published (read_only)")
        connection.execute("use published")
        yield connection


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _find_unit(
    published: duckdb.DuckDBPyConnection, quarter: str, text: str, group: str | None
) -> tuple[str | None, str]:
    """(code, name) of the unit; no code for the district."""
    if (text := text.strip()) == DISTRICT:
        return None, DISTRICT
    units = {
        code: (name, unit_group)
        for code, name, unit_group in published.execute(
            "select unit_code, unit_name, evaluation_group from marts.unit_quarter "
            "where quarter = ?",
            [quarter],
        ).fetchall()
    }
    span = Quarter.parse(quarter)
    aliases = [
        (alias["alias_name"], alias["unit_code"])
        for alias in _seed("unit_alias")
        if date.fromisoformat(alias["valid_from"]) < span.end
        and (not alias["valid_to"] or date.fromisoformat(alias["valid_to"]) >= span.start)
    ]
    names = [*aliases, *((name, code) for code, (name, _) in units.items())]
    meant = {code for name, code in names if name == text} | {text}
    fitting = sorted(code for code in meant & units.keys() if group in (None, units[code][1]))
    if not fitting:
        asked = f"「{text}」" + (f"（单位类别 {group}）" if group else "")
        raise InputError(
            code="unknown_unit",
            found=f"{quarter} 没有单位{asked}{_hint(text, [name for name, _ in names])}",
            expected="unit_alias 中的名称、单位代码，或全区",
            action="改正 --unit" + ("或 --group" if group else "") + " 后重新运行",
        )
    if len(fitting) > 1:
        choices = "、".join(f"{code}（单位类别 {units[code][1] or '无'}）" for code in fitting)
        raise InputError(
            code="ambiguous_unit",
            found=f"「{text}」对应 {len(fitting)} 个单位：{choices}",
            expected="只对应一个单位",
            action=f"加上 --group {' 或 --group '.join(GROUPS)}，或用单位代码",
        )
    return fitting[0], units[fitting[0]][0]


def _find_mart(items: list[dict[str, str]], measure: str, *, is_district: bool) -> Mart:
    """The mart that shows a measure of a unit, or of the district."""
    by_table = {mart.table: mart for mart in marts(_index_counts(items))}
    hotline = by_table["hotline_district_quarter" if is_district else "hotline_unit_quarter"]
    known = dict.fromkeys(hotline.measures, hotline)
    for channel in ("mailbox", "suggestion"):
        mart = by_table[f"{channel}_unit_quarter"]
        known |= {f"{channel}.{name}": mart for name in mart.measures}
    if measure not in known:
        raise InputError(
            code="unknown_measure",
            found=f"没有指标「{measure}」{_hint(measure, known)}",
            expected="、".join(known),
            action="改正 --measure 后重新运行",
        )
    return known[measure]


def _value(
    published: duckdb.DuckDBPyConnection, quarter: str, mart: Mart, column: str, unit: str | None
) -> Any:
    """A published value; of the district it is the units' sum where only units are published."""
    shown = f"sum({column})" if unit is None and mart.keys else f"max({column})"
    found = published.execute(
        f"select {shown} from marts.{mart.table} where quarter = $quarter"  # noqa: S608 (our own names)
        + (" and unit_code = $unit" if unit else ""),
        {"quarter": quarter} | ({"unit": unit} if unit else {}),
    ).fetchone()
    return found[0] if found else None


def _rows(
    published: duckdb.DuckDBPyConnection,
    manifest: Mapping[str, Any],
    count: str,
    unit_code: str | None,
) -> list[SourceRow]:
    fact, flag = COUNTS[count]
    found = published.execute(
        f"select file_sha256, row_number, {BUSINESS_ID[fact]} from {fact} where {flag}"  # noqa: S608 (our own names)
        + (" and unit_code = $unit" if unit_code else ""),
        {"unit": unit_code} if unit_code else {},
    ).fetchall()
    names = {entry["file_sha256"]: entry["file_name"] for entry in manifest["inputs"]}
    return sorted(SourceRow(names[sha256], sha256, *rest) for sha256, *rest in found)


def _cells(
    published: duckdb.DuckDBPyConnection,
    quarter: str,
    table: str,
    measure: str,
    keys: Mapping[str, str],
) -> list[tuple[str, Any]]:
    """(the row's keys as text, value) of the cells of a measure in the rows with these keys."""
    cursor = published.execute(
        f"select * from marts.{table} where "  # noqa: S608 (our own names)
        + " and ".join(f"{column} = ?" for column in ("quarter", *keys))
        + " order by all",
        [quarter, *keys.values()],
    )
    columns = [column[0] for column in cursor.description or []]
    rows = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    return [
        (" ".join(row[column] for column in KEY_COLUMNS if column in row) or DISTRICT, row[measure])
        for row in rows
    ]


def _seed(name: str) -> list[dict[str, str]]:
    with (seeds_root() / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _index_items(published: duckdb.DuckDBPyConnection, quarter: str) -> list[dict[str, str]]:
    """The items of the policy by which the quarter's index was made."""
    versions = published.execute(
        "select distinct policy_version from marts.hotline_unit_quarter where quarter = ?",
        [quarter],
    ).fetchall()
    scales = {policy["policy_version"]: policy["index_scale"] for policy in _seed("index_policy")}
    return [
        item | {"index_scale": scales[item["policy_version"]]}
        for item in _seed("index_policy_item")
        if (item["policy_version"],) in versions
    ]


def _index_counts(items: list[dict[str, str]]) -> dict[str, tuple[str, str]]:
    return {item["component"]: (item["numerator"], item["denominator"]) for item in items}


def _components(
    published: duckdb.DuckDBPyConnection,
    quarter: str,
    items: list[dict[str, str]],
    unit_code: str | None,
) -> list[Component]:
    shown = {
        component: tuple(figures)
        for component, *figures in published.execute(
            "select component, numerator, denominator, points "
            "from marts.index_component_unit_quarter where quarter = ? and unit_code = ?",
            [quarter, unit_code],
        ).fetchall()
    }
    return [
        Component(
            item["component"],
            item["numerator"],
            item["denominator"],
            Decimal(item["weight"]),
            shown.get(item["component"]),
        )
        for item in items
    ]


def _index_mismatches(
    value: Decimal | None, scale: int, components: list[Component], found: Mapping[str, int]
) -> Iterator[str]:
    """Where a unit's published components don't fit its rows, or its points not its index."""
    points = Decimal(0)
    for part in components:
        if part.published:
            *counts, own_points = part.published
            points += own_points
            if counts != (traced := [found[part.numerator], found[part.denominator]]):
                yield f"{part.name} 的分子、分母：已发布 {counts}，追溯到 {traced} 行"
    rounded = points.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP)
    if any(part.published for part in components) and value != rounded:
        yield f"{INDEX}：已发布 {value}，各项得分合计 {rounded}"


def _rate(numerator: int, denominator: int) -> Decimal | None:
    """A rate as the marts carry it: four digits, rounded half up; none of nothing."""
    if denominator == 0:
        return None
    return Decimal((20000 * numerator + denominator) // (2 * denominator)).scaleb(-4)


def _hint(text: str, known: Any) -> str:
    nearest = [match[0] for match in process.extract(text, sorted(set(known)), limit=3)]
    return f"，最接近的：{'、'.join(nearest)}" if nearest else ""
