"""Look-ups in the published copy: units by any of their names, cells, the index policy.

Only the copy and the seeds (aliases, policies) are read, so that a copy in another place works too.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Any

import duckdb
from rapidfuzz import process

from orchestration.catalogue.measures import BUSINESS_ID, Mart
from orchestration.common.errors import InputError
from orchestration.common.quarters import Quarter
from orchestration.common.settings import Home, seeds_root
from orchestration.publish.published_tables import readers_parquet, use_copy
from orchestration.warehouse.connection import quoted
from orchestration.warehouse.raw_schema import KEY_COLUMNS

DISTRICT = "全区"
GROUPS = ("A", "other")


@contextmanager
def open_published(home: Home, quarter: str) -> Iterator[duckdb.DuckDBPyConnection]:
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
            connection.execute(f"create temp view {fact} as from read_parquet('{quoted(path)}')")
        use_copy(connection, home)
        yield connection


def find_unit(
    published: duckdb.DuckDBPyConnection, quarter: str, text: str, group: str | None
) -> tuple[str | None, str]:
    """The (code, name) of a unit; the district's code is None."""
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
            found=f"{quarter} 没有单位{asked}{hint(text, [name for name, _ in names])}",
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


def published_value(
    published: duckdb.DuckDBPyConnection, quarter: str, mart: Mart, column: str, unit: str | None
) -> Any:
    """A published value; for the district, the units' sum if only units are published."""
    shown = f"sum({column})" if unit is None and mart.keys else f"max({column})"
    found = published.execute(
        f"select {shown} from marts.{mart.table} where quarter = $quarter"  # noqa: S608 (our own names)
        + (" and unit_code = $unit" if unit else ""),
        {"quarter": quarter} | ({"unit": unit} if unit else {}),
    ).fetchone()
    return found[0] if found else None


def published_cells(
    published: duckdb.DuckDBPyConnection,
    quarter: str,
    table: str,
    measure: str,
    keys: Mapping[str, str],
) -> list[tuple[str, Any]]:
    """A measure's cells in the rows with these keys, as (the row's keys as text, value)."""
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


def index_items(published: duckdb.DuckDBPyConnection, quarter: str) -> list[dict[str, str]]:
    """The items of the policy that the quarter's index was computed with."""
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


def index_counts(items: list[dict[str, str]]) -> dict[str, tuple[str, str]]:
    """The numerator and the denominator of each component, by the names of their counts."""
    return {item["component"]: (item["numerator"], item["denominator"]) for item in items}


def hint(text: str, known: Iterable[str]) -> str:
    """The known texts nearest to an unknown one, as the end of a message."""
    nearest = [match[0] for match in process.extract(text, sorted(set(known)), limit=3)]
    return f"，最接近的：{'、'.join(nearest)}" if nearest else ""
