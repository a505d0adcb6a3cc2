"""Messages and lists on the plausibility controls, which the models compute.

They report rows and cells that were left out, and the items due compared with other quarters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from orchestration.common.settings import Home
from orchestration.warehouse.connection import is_built, query
from orchestration.warehouse.raw_schema import DUE_ITEMS

# A workbook may hold several sources; `distinct` keeps one name per hash.
CURRENT = (
    "select distinct file_sha256, file_name from raw.source_file "
    "where quarter = ? and superseded_by is null"
)
# The most rows or months that a message lists.
SHOWN = 3
# The most rows of one sheet: spreadsheets have about a million.
LISTED = 100_000
# The control group of this module.
GROUP = "plausibility"
# Why rows are in no figure, by `row_status`.
NOT_COUNTED = {"duplicate": "与另一行完全相同", "out_of_scope": "本季没有动静"}
STAGED = {"ticket": "stg_ticket", "mailbox": "stg_letter", "suggestion": "stg_suggestion"}
NUMBERS = {"ticket": "work_order_id", "mailbox": "letter_id", "suggestion": "suggestion_id"}
# Every row of the run's quarter, with its item's number if that can be read.
STAGED_ROWS = " union all ".join(
    f"select '{source}' as source, file_sha256, row_number, {NUMBERS[source]} as item_number, "  # noqa: S608 (our own names)
    f"dispatched_at, row_status, row_defect from staging.{model}"
    for source, model in STAGED.items()
)


@dataclass(frozen=True)
class Share:
    """The wording for a control on the share of rows or cells left out, and what to do."""

    found: str
    tolerance: str
    action: str


SHARES = {
    "share_conflicting": Share(
        "行与另一行编号相同而内容不同，没有计入",
        "conflicting_tolerance",
        "核实是否混入了另一批编号或旧的导出，逐行见工作簿的「逐行」",
    ),
    "share_duplicate": Share(
        "行与另一行完全相同，没有计入",
        "duplicate_tolerance",
        "核实同一份导出是否放了两次，逐行见工作簿的「未计入」",
    ),
    "share_out_of_scope": Share(
        "行在本季没有动静，没有计入",
        "out_of_scope_tolerance",
        "核实年份、月份，以及是不是本季的导出，逐行见工作簿的「未计入」",
    ),
    "share_empty": Share(
        "个接收的行这一列是空的", "该列的 empty_tolerance", "核实导出时是否漏选了这一列"
    ),
}


def balances(home: Home, quarter: str, controls: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The row counts, by outcome, of each source with rows that were not accepted.

    Args:
        home: the home whose working warehouse is read.
        quarter: such as 2022Q2.
        controls: those of the quarter's last run; they count the rows that conflict with another.
    """
    if not is_built(home, "audit.row_balance"):
        return []
    rows = query(
        home,
        "select source, sum(read_count)::bigint as read_count, "
        "sum(accepted_count)::bigint as accepted_count, "
        "sum(rejected_count)::bigint as rejected_count, "
        "sum(duplicate_count)::bigint as duplicate_count, "
        "sum(out_of_scope_count)::bigint as out_of_scope_count from audit.row_balance "
        "where quarter = ? group by source having sum(read_count) <> sum(accepted_count) "
        "order by source",
        [quarter],
    )
    overruled = {
        row["subject"]: int(row["actual"])
        for row in controls
        if row["control_id"] == "share_conflicting"
    }
    for row in rows:
        row["conflicting_count"] = overruled.get(row["source"], 0)
        row["rejected_count"] -= row["conflicting_count"]
    return rows


def plausibility_findings(
    home: Home, quarter: str, broken: Sequence[dict[str, Any]], workbook: Path
) -> list[str]:
    """One line per control of this group that stopped a run: what is odd, and what to do.

    Args:
        home: the home whose working warehouse is read, as that run left it.
        quarter: such as 2022Q2.
        broken: the controls that don't hold.
        workbook: where the rows are listed.
    """
    return [
        _share_finding(home, quarter, row, workbook)
        if row["control_id"] in SHARES
        else _period_finding(home, quarter, row)
        for row in broken
    ]


def _share_finding(home: Home, quarter: str, row: Mapping[str, Any], workbook: Path) -> str:
    share, source, count = SHARES[row["control_id"]], row["subject"], int(row["actual"])
    is_empty = row["control_id"] == "share_empty"
    ((whole, bound),) = (
        tuple(found.values())
        for found in query(
            home,
            f"select sum({'accepted' if is_empty else 'read'}_count)::bigint, "  # noqa: S608 (our own names)
            "(select tolerance from raw.contract_bound where source = $source and measure = "
            "$measure) from audit.row_balance where quarter = $quarter and source = $source",
            {"quarter": quarter, "source": source, "measure": row["measure"]},
        )
    )
    months = _months_out_of_scope(home, source) if row["control_id"] == "share_out_of_scope" else ""
    place = f"，列 {row['measure']}" if is_empty else ""
    return (
        f"[{row['control_id']}] 来源 {source}{place}：{whole} 行中 {count} {share.found}"
        f"（{_percent(Decimal(count) / whole)}{months}）。应为：不超过 {_percent(bound)}"
        f"（契约的 {share.tolerance}）。处理：{share.action}（{workbook}）；"
        "确属正常的，在契约里写明容许的比例"
    )


def _percent(share: Decimal) -> str:
    return f"{_plain(round(100 * share, 1))}%"


def _months_out_of_scope(home: Home, source: str) -> str:
    """The most frequent months of dispatch among the rows without activity in the quarter."""
    months = query(
        home,
        "select strftime(dispatched_at, '%Y-%m') as month, count(*) as row_count "  # noqa: S608 (our own names)
        f"from staging.{STAGED[source]} where row_status = 'out_of_scope' and row_defect is null "
        f"group by month order by row_count desc, month limit {SHOWN}",
    )
    shown = "、".join(f"{found['month']} 的 {found['row_count']} 行" for found in months)
    return f"；交办于 {shown}" if shown else ""


def _period_finding(home: Home, quarter: str, row: Mapping[str, Any]) -> str:
    """The finding on items due, compared with other published quarters.

    The operator may justify it with `--reason`.
    """
    source, count = row["subject"], int(row["actual"])
    reason = f'属实的运行 hotline run {quarter} --reason "为什么"'
    if row["control_id"] == "nothing_due":
        return (
            f"[nothing_due] 来源 {source}：本季没有一件应办理。应为：至少一件。"
            f"处理：核实 {quarter} 的文件夹里是不是别的季度的导出；{reason}"
        )
    if row["control_id"] == "source_size":
        return (
            f"[source_size] 来源 {source}：本季应办理 {count} 件，最近发布的季度 "
            f"{int(row['expected'])} 件。应为：相差不超过 {_plain(round(row['tolerance'], 1))} 件"
            f"（契约的 change_tolerance）。处理：核实导出是否完整、是否属于本季；{reason}"
        )
    other = row["measure"].partition(".")[0]
    places = "、".join(
        f"{place['file_name']} 第 {place['row_number']} 行"
        for place in _due_again(home, quarter, source, other)
    )
    return (
        f"[due_twice] 来源 {source}：{count} 件在 {other} 也应办理（{places}"
        f"{'……' if count > SHOWN else ''}）。应为：一件只在一个季度应办理。"
        f"处理：核实编号和交办时间，以及是不是 {other} 的导出；{reason}"
    )


def _due_again(home: Home, quarter: str, source: str, other: str) -> list[dict[str, Any]]:
    """The first rows of items that are also due in another published quarter."""
    fact, item_id = next((fact, key) for fact, (name, key) in DUE_ITEMS.items() if name == source)
    return query(
        home,
        f"with name as ({CURRENT}), item as (select *, {item_id} as item_id from facts.{fact} "  # noqa: S608 (our own names)
        "where quarter = ? and is_due) select file_name, row_number from item join name using "
        "(file_sha256) where item_id in (select item_id from raw.published_due where source = ? "
        f"and quarter = ?) order by file_name, row_number limit {SHOWN}",
        [quarter, quarter, source, other],
    )


def uncounted_rows(home: Home, quarter: str) -> list[dict[str, Any]]:
    """The rows of the run's quarter that duplicate another row or have no activity in it."""
    if not is_built(home, "staging.stg_ticket"):
        return []
    rows = query(
        home,
        f"with name as ({CURRENT}) select source, file_sha256, file_name, row_number, item_number, "  # noqa: S608 (our own names)
        "strftime(dispatched_at, '%Y-%m-%d') as dispatched_on, row_status "
        f"from ({STAGED_ROWS}) join name using (file_sha256) where row_status in ('duplicate', "
        "'out_of_scope') and row_defect is null "
        f"order by source, file_name, row_number limit {LISTED}",
        [quarter],
    )
    return [row | {"row_status": NOT_COUNTED[row["row_status"]]} for row in rows]


def _plain(value: Decimal) -> str:
    return format(value.normalize(), "f")
