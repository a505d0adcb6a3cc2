"""Traces a published figure to its source rows and back, from the published copy alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from orchestration.catalogue.measures import BUSINESS_ID, COUNTS, INDEX, Mart, channel_counts, marts
from orchestration.common.errors import InputError
from orchestration.common.files import sha256_of
from orchestration.common.quarters import Quarter
from orchestration.common.settings import Home
from orchestration.publish.audit.labels import meant
from orchestration.publish.audit.published import (
    DISTRICT,
    find_unit,
    hint,
    index_counts,
    index_items,
    open_published,
    published_cells,
    published_value,
)
from orchestration.publish.versions import compared_inputs, manifests, published_manifest


class SourceRow(NamedTuple):
    """One row of a source file; row 1 is the header."""

    file_name: str
    file_sha256: str
    row_number: int
    business_id: str


@dataclass(frozen=True)
class Part:
    """The rows of one count. `published` is None if no cell shows this count by itself."""

    count: str
    published: int | None
    rows: list[SourceRow]


class Component(NamedTuple):
    """A component of the index, by the names of its counts.

    `published` is its numerator, denominator and points; None for the district, which has none.
    """

    name: str
    numerator: str
    denominator: str
    weight: Decimal
    published: tuple[int, int, Decimal] | None


@dataclass(frozen=True)
class Figure:
    """A published figure and what it is made of; `mismatches` lists what doesn't add up."""

    unit_code: str
    unit_name: str
    measure: str
    value: int | Decimal | None
    parts: list[Part]
    components: list[Component]
    mismatches: list[str]


class Cell(NamedTuple):
    """A mart cell that a row is counted in, and the counts that count it."""

    quarter: str
    table: str
    subject: str
    measure: str
    value: Any
    counts: tuple[str, ...]


@dataclass(frozen=True)
class RowTrace:
    """A source row and every cell that it is counted in; `reasons` says why it was rejected."""

    row: SourceRow
    cells: list[Cell] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


def trace_figure(home: Home, quarter: str, unit: str, measure: str, group: str | None) -> Figure:
    """The source rows behind a figure of the latest published version.

    Args:
        home: the home whose published copy is read.
        quarter: such as 2022Q2.
        unit: a unit's code, any alias, or 全区.
        measure: a measure of `hotline_unit_quarter`, or `mailbox.` or `suggestion.` with one of
            that channel's; or the printed label of one.
        group: `A` or `other`, if two units share the name.

    Raises:
        InputError: the quarter, unit or measure is unknown, or two units share the name.
    """
    manifest = published_manifest(home, quarter)
    with open_published(home, quarter) as published:
        unit_code, unit_name = find_unit(published, quarter, unit, group)
        items = index_items(published, quarter)
        measure, mart = _find_mart(items, measure, is_district=unit_code is None)
        column = measure.rpartition(".")[2]
        parts = []
        for count in mart.measures[column]:
            shown = [name for name, counts in mart.measures.items() if counts == (count,)]
            number = None
            if shown:
                number = published_value(published, quarter, mart, shown[0], unit_code) or 0
            parts.append(Part(count, number, _rows(published, manifest, count, unit_code)))
        value = published_value(published, quarter, mart, column, unit_code)
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
    """Every published cell that a source row is counted in.

    Args:
        home: the home whose published copy is read.
        quarter: such as 2022Q2.
        place: the file's name and the row's number as a person sees it, such as `ticket.csv:123`.

    Raises:
        InputError: the quarter or file is unknown, or the row number isn't above the header's.
    """
    manifest = published_manifest(home, quarter)
    names = {entry["file_name"]: entry["file_sha256"] for entry in manifest["inputs"]}
    name, _, number = place.rpartition(":")
    if name not in names or not number.isdecimal() or int(number) < 2:
        raise InputError(
            code="unknown_row",
            found=f"「{place}」不是 {quarter} 发布时的文件名加行号{hint(name, names)}",
            expected=f"文件名:行号（列名是第 1 行），文件为 {'、'.join(sorted(names))}",
            action="改正 --row 后重新运行",
        )
    sha256, row_number = names[name], int(number)
    following = str(Quarter.containing(Quarter.parse(quarter).end))
    later = manifests(home, following)[-1:]
    is_compared = sha256 in {
        entry["file_sha256"] for one in later for entry in compared_inputs(home, one)
    }
    with open_published(home, quarter) as published:
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
        for mart in marts(index_counts(index_items(published, quarter))):
            if mart.of_next_quarter and not is_compared:
                continue
            for measure, counts in mart.measures.items():
                if via := tuple(count for count in counts if count in held):
                    expressions = ", ".join(mart.keys.values()) or "1"
                    (values,) = facts(COUNTS[via[0]].fact, expressions)
                    keys = dict(zip(mart.keys, values, strict=False))
                    of = following if mart.of_next_quarter else quarter
                    for subject, value in published_cells(published, of, mart.table, measure, keys):
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
    """Each file of the rows, as (name, recorded SHA-256, state of the export, number of rows)."""
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


def _find_mart(items: list[dict[str, str]], measure: str, *, is_district: bool) -> tuple[str, Mart]:
    """The measure that is meant, and the mart that shows it for a unit or for the district."""
    by_table = {mart.table: mart for mart in marts(index_counts(items))}
    hotline = by_table["hotline_district_quarter" if is_district else "hotline_unit_quarter"]
    known = dict.fromkeys(hotline.measures, hotline)
    for prefix, channel in channel_counts().items():
        mart = by_table[channel.mart]
        known |= {f"{prefix}{name}": mart for name in mart.measures if prefix}
    # A measure without a channel is the hotline's, if the hotline has it.
    own = {f"hotline.{name}": name for name in hotline.measures}
    found = [own[name] for name in meant(measure, own)]
    found = found or meant(measure, [name for name in known if name not in hotline.measures])
    if not found:
        raise InputError(
            code="unknown_measure",
            found=f"没有指标「{measure}」{hint(measure, known)}",
            expected="、".join(known),
            action="改正 --measure 后重新运行",
        )
    if len(found) > 1:
        raise InputError(
            code="ambiguous_measure",
            found=f"「{measure}」对应 {len(found)} 个指标",
            expected="、".join(found),
            action="改正 --measure 后重新运行",
        )
    return found[0], known[found[0]]


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
    """Messages if a unit's components don't match its rows, or its points don't match its index."""
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
    """A rate as in the marts: four decimals, rounded half up; None if the denominator is 0."""
    if denominator == 0:
        return None
    return Decimal((20000 * numerator + denominator) // (2 * denominator)).scaleb(-4)
