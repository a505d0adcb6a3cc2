"""Rows that stopped a run, told so that a clerk can mend them: unknown names, rejected rows."""

from typing import Any

from rapidfuzz import process

from orchestration.settings import Home
from orchestration.warehouse import is_built, query

SHOWN = 20
# What to do about each reason; the codes are those of the staging models.
ACTIONS = {
    "missing_value": ("空的", "必填的值", "在来源系统补填后重新导出"),
    "bad_timestamp": ("不是日期时间", "年在前的日期时间，如 2022-04-01 09:05:00", "改正后重新导出"),
    "unknown_value": ("契约里没有的取值", "契约 values 中的取值", "改正，或在契约中登记该取值"),
    "unknown_unit": ("别名表里没有的单位", "unit_alias 中的名称", "改正，或在 unit_alias 中登记"),
    "ambiguous_unit": ("对应几个单位的名称", "只对应一个单位", "补上单位类别，或登记别名"),
    "impossible_order": ("早于交办时间", "交办之后的时间", "在来源系统核实后重新导出"),
    "conflicting_duplicate": ("编号重复而内容不同", "一个编号一行", "核实哪一行为准后重新导出"),
}


def row_findings(home: Home, quarter: str) -> list[str]:
    """One line a finding: file, row, column, what was found and expected, what to do.

    Unit names are shown, because they have to be mapped; no other cell value is.
    """
    if not is_built(home, "audit.rejected_row") or not is_built(home, "audit.unmapped_unit"):
        return []
    names = query(
        home, "select * from audit.unmapped_unit where quarter = ? order by all", [quarter]
    )
    rejected = query(
        home,
        "select file_name, row_number, column_name, reason_code from audit.rejected_row "
        "join raw.source_file using (file_sha256) where quarter = ? and superseded_by is null "
        "order by file_name, row_number, column_name, reason_code",
        [quarter],
    )
    lines = [_unmapped_line(home, name) for name in names]
    lines += [_rejected_line(row) for row in rejected[:SHOWN]]
    if len(rejected) > SHOWN:
        lines.append(f"……另有 {len(rejected) - SHOWN} 处，见 audit.rejected_row")
    return lines


def _unmapped_line(home: Home, name: dict[str, Any]) -> str:
    known = [row["alias_name"] for row in query(home, "select alias_name from rules.unit_alias")]
    nearest = [match[0] for match in process.extract(name["written_name"], sorted(set(known)))[:3]]
    return (
        f"[unknown_unit] 来源 {name['source']}：单位「{name['written_name']}」"
        f"共 {name['row_count']} 行不在别名表中。最接近的名称："
        f"{'、'.join(nearest)}（仅供参考，不会自动采用）。"
        f"处理：核实后在 seeds/unit_alias.csv 加一行："
        f"*,{name['written_name']},,<unit_code>,<生效日期>,,"
    )


def _rejected_line(row: dict[str, Any]) -> str:
    found, expected, action = ACTIONS[row["reason_code"]]
    return (
        f"[{row['reason_code']}] 文件 {row['file_name']}，第 {row['row_number']} 行，"
        f"列 {row['column_name']}：{found}。应为：{expected}。处理：{action}。"
    )
