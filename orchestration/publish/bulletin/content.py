"""The content of a quarter's bulletin, independent of its format (Word, workbook, page).

Every figure comes from the public marts and is formatted by `printed`. The sentences around the
figures are in the Word template; labels of groups, the distribution list and the office's own words
are in the site's `bulletin.yml`. Files, fonts and cells don't belong here.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from orchestration.catalogue.tables import kind_of
from orchestration.common.data_notice import data_notice
from orchestration.common.errors import InputError
from orchestration.common.quarters import Quarter
from orchestration.common.settings import Home
from orchestration.publish.bulletin.model import (
    APPENDIX_1,
    APPENDIX_2,
    APPENDIX_3,
    NUMERALS,
    TOTAL,
    Appendix,
    Band,
    Bulletin,
    Column,
    Figure,
    Office,
    Row,
    Words,
    printed,
)
from orchestration.publish.disclosure import HIDDEN, Hidden, largest_first
from orchestration.publish.public_marts import PublicMarts, unit_places
from orchestration.publish.versions import published_manifest
from orchestration.warehouse.connection import query

# The row for tickets without a category. It isn't a category, so it is never ranked among them.
OTHER_CATEGORY = "other"


def describe(home: Home, exports: Path, quarter: str, office: Office) -> Bulletin:
    """Describe the bulletin of a published quarter, in the run that published it.

    Args:
        home: its published Parquet holds the figures, its working warehouse the dated rules of the
            run's quarter.
        exports: a `notice.md` in the quarter's folder is printed on every page.
        quarter: such as 2022Q2.
        office: the site's settings for its bulletin.

    Raises:
        InputError: the quarter isn't published, its notice can't be read, or a unit's group has no
            printed label.
        LookupError: the working warehouse holds another quarter.
    """
    manifest = published_manifest(home, quarter)
    when = Quarter.parse(quarter)
    rules = _rates_when_empty(home, quarter)
    marts = PublicMarts(home, quarter)
    places = unit_places(home, quarter)
    units = [
        _as_the_method_prints(row, rules)
        for row in _in_order(marts.rows("hotline_unit_quarter"), places)
    ]
    (district,) = marts.rows("hotline_district_quarter")
    district = _as_the_method_prints(district, rules)
    channels = {row["channel"]: row for row in marts.rows("channel_quarter")}
    appendices = (
        _hotline_appendix(when, units, district, office),
        _channel_appendix(marts, places, when, 2, "市长信箱、区长信箱", "mailbox", APPENDIX_2),
        _channel_appendix(marts, places, when, 3, "政协委员微建议", "suggestion", APPENDIX_3),
    )
    words = office.words.get(quarter, Words())
    return Bulletin(
        quarter=quarter,
        version=manifest["version"],
        published_at=datetime.fromisoformat(manifest["published_at"]).astimezone(UTC),
        output_sha256=manifest["output_sha256"],
        title_lines=(
            f"{_long_name(when)}12345政务服务热线、",
            "市长信箱、区长信箱和政协委员微建议",
            "办理情况通报",
        ),
        notice=data_notice(exports, quarter),
        footnote=withheld(marts.threshold) if marts.threshold else "",
        texts=_texts(when, district, channels, appendices)
        | {"hotline.units": _leading_units(units, office)}
        | {"hotline.rated_unit_count": str(sum(unit["is_rated"] for unit in units))}
        | {"hotline.request_types": _request_types(home, marts, quarter)}
        | {"hotline.categories": _categories(home, marts, quarter, office.listed)},
        paragraphs={
            "problems": words.problems,
            "requirements": words.requirements,
            "distribution": office.distribution,
        },
        appendices=appendices,
    )


def withheld(threshold: int) -> str:
    """The note on hidden figures, worded so that no reader takes it for a figure."""
    return (
        f"{HIDDEN}：不足 {threshold} 的件数，以及可据以推算出它们的数字，不予公布；"
        "公布的合计仍含这些件数。"
    )


def _rates_when_empty(home: Home, quarter: str) -> dict[str, Decimal]:
    """The values that the quarter's policy gives to rates whose denominator is 0."""
    items = query(
        home,
        "select component, rate_when_empty from dimensions.dim_index_item where quarter = ?",
        [quarter],
    )
    if not items:
        raise LookupError(f"the working warehouse doesn't stand at {quarter}")
    return {f"{item['component']}_rate": item["rate_when_empty"] for item in items}


def _as_the_method_prints(row: dict[str, Any], rules: Mapping[str, Decimal]) -> dict[str, Any]:
    """A row with the values that the index used for rates without a denominator.

    The marts leave these rates empty, but the bulletin prints them. A rate that the policy doesn't
    score stays empty.
    """
    return row | {rate: value for rate, value in rules.items() if row.get(rate, 0) is None}


def _in_order(rows: list[dict[str, Any]], places: Mapping[str, int]) -> list[dict[str, Any]]:
    """Rows of units in the order of the office's list of units."""
    return sorted(rows, key=lambda row: places[row["unit_code"]])


def _figures(row: Mapping[str, Any], columns: tuple[Column, ...]) -> tuple[Figure, ...]:
    return tuple(row[column.measure] for column in columns)


def _hotline_appendix(
    when: Quarter, units: list[dict[str, Any]], district: dict[str, Any], office: Office
) -> Appendix:
    bands: dict[str, list[Row]] = {group: [] for group in office.groups}
    for unit in units:
        if unit["evaluation_group"] not in bands:
            raise InputError(
                code="unknown_group",
                file="bulletin/bulletin.yml",
                found=f"单位类别 {unit['evaluation_group']} 没有印出的名称",
                expected="groups 中列出本季度每一个单位类别",
                action="补上该类别后重新运行",
            )
        bands[unit["evaluation_group"]].append(Row(unit["unit_name"], _figures(unit, APPENDIX_1)))
    return Appendix(
        1,
        f"{_short_name(when)}12345政务服务热线办理情况",
        "部门名称",
        APPENDIX_1,
        tuple(Band(office.groups[group], tuple(rows)) for group, rows in bands.items() if rows),
        Row(f"{TOTAL}（{district['unit_count']}）", _figures(district, APPENDIX_1)),
    )


def _channel_appendix(
    marts: PublicMarts,
    places: Mapping[str, int],
    when: Quarter,
    number: int,
    label: str,
    channel: str,
    columns: tuple[Column, ...],
) -> Appendix:
    """An appendix by unit: most items due first, ties in the office's order of units."""
    mart = f"{channel}_unit_quarter"
    rows = _in_order(marts.rows(mart), places)
    rows.sort(key=lambda row: largest_first(row["due_count"]))
    return Appendix(
        number,
        f"{_short_name(when)}{label}办理情况",
        "单位名称",
        columns,
        (Band("", tuple(Row(row["unit_name"], _figures(row, columns)) for row in rows)),),
        Row(TOTAL, _figures(marts.total(mart), columns)),
    )


def _texts(
    when: Quarter,
    district: dict[str, Any],
    channels: Mapping[str, dict[str, Any]],
    appendices: tuple[Appendix, ...],
) -> dict[str, str]:
    """Each figure of the overview as `<channel>.<measure>`; the names of the quarter and tables."""
    last_day = when.end - timedelta(days=1)
    texts = {
        "quarter": _long_name(when),
        "quarter.last_day": f"{last_day.month}月{last_day.day}日",
    }
    for channel, row in {**channels, "hotline": district}.items():
        texts |= {
            f"{channel}.{name}": printed(value, kind_of(name))
            for name, value in row.items()
            if name not in ("quarter", "channel")
        }
    for appendix in appendices:
        texts[f"appendix_{appendix.number}.title"] = appendix.title
    for channel, appendix in zip(("mailbox", "suggestion"), appendices[1:], strict=True):
        measures = (column.measure for column in appendix.columns)
        total = dict(zip(measures, appendix.total.figures, strict=True))
        due, handled = (channels[channel][name] for name in ("assignment_count", "handled_count"))
        rate: Decimal | Hidden | None = HIDDEN
        if due is not HIDDEN:  # then no total of the channel is hidden
            # 28 digits before the rounding: enough to tell an exact tie from its neighbours.
            rate = Decimal(handled) / due if due else None
        texts[f"{channel}.overdue_count"] = printed(total["overdue_count"], "count")
        texts[f"{channel}.completion_rate"] = printed(rate, "rate")
    return texts


def _request_types(home: Home, marts: PublicMarts, quarter: str) -> str:
    """Every type with tickets, including those without a type, so that they add up to the total."""
    rows = _labelled(home, marts, quarter, "request_type")
    return _listing(
        [row for row in rows if row["ticket_count"] != 0],
        lambda row: f"{row['bulletin_label']}{_count(row, 'ticket_count')}件",
    )


def _categories(home: Home, marts: PublicMarts, quarter: str, listed: int) -> str:
    """The categories with most tickets, each with its change from the previous quarter if known."""
    rows = [
        row
        for row in _labelled(home, marts, quarter, "category")
        if row["category"] != OTHER_CATEGORY and row["ticket_count"] not in (0, HIDDEN)
    ]
    rows.sort(key=lambda row: largest_first(row["ticket_count"]))
    return _listing(
        rows[:listed],
        lambda row: (
            f"{row['bulletin_label']}{_count(row, 'ticket_count')}件"
            f"{_change(row['quarter_on_quarter_change'])}"
        ),
    )


def _labelled(home: Home, marts: PublicMarts, quarter: str, key: str) -> list[dict[str, Any]]:
    """The rows of a mart by request type or category, with their labels and in their order."""
    known = query(
        home,
        f"select {key}, bulletin_label from dimensions.dim_{key} where quarter = ? "  # noqa: S608 (our own names)
        f"order by display_order, {key}",
        [quarter],
    )
    found = {row[key]: row for row in marts.rows(f"hotline_{key}_quarter")}
    return [found[row[key]] | row for row in known if row[key] in found]


def _change(change: Decimal | Hidden | None) -> str:
    if change is None or isinstance(change, Hidden):
        return ""
    if change == 0:
        return "（与上季度持平）"
    return f"（环比{'增长' if change > 0 else '下降'}{printed(abs(change), 'rate')}）"


def _leading_units(units: list[dict[str, Any]], office: Office) -> str:
    """The units with most tickets, ties in the office's order; a shared name gets its group."""
    names = Counter(unit["unit_name"] for unit in units)
    busy = sorted(
        (unit for unit in units if unit["due_count"] not in (0, HIDDEN)),
        key=lambda unit: largest_first(unit["due_count"]),
    )

    def write(unit: dict[str, Any]) -> str:
        twice = names[unit["unit_name"]] > 1
        group = f"，{office.groups[unit['evaluation_group']]}" if twice else ""
        return f"{unit['unit_name']}（{_count(unit, 'due_count')}件{group}）"

    return _listing(busy[: office.listed], write)


def _count(row: Mapping[str, Any], measure: str) -> str:
    return printed(row[measure], "count")


def _listing(rows: list[dict[str, Any]], write: Callable[[dict[str, Any]], str]) -> str:
    return "、".join(write(row) for row in rows) or "无"


def _long_name(when: Quarter) -> str:
    return f"{when.year}年第{NUMERALS[when.number - 1]}季度"


def _short_name(when: Quarter) -> str:
    return f"{when.year}年{NUMERALS[when.number - 1]}季度"
