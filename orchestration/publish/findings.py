"""Messages and a workbook about wrong and odd rows, written so that a clerk can correct them."""

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from rapidfuzz import process

from orchestration.checks.discrepancies import SEED, unused
from orchestration.checks.plausibility import CURRENT, NUMBERS, STAGED_ROWS, uncounted_rows
from orchestration.checks.reconciliation import LAST_VERSION, LAST_VERSION_GROUP
from orchestration.common.settings import Home, contracts_root
from orchestration.common.workbook import Sheet, write_workbook
from orchestration.ingest.guards import WITHHELD
from orchestration.ingest.lake import current_files
from orchestration.publish.publication import UNREASONED, changed_figures, changed_files
from orchestration.reading.contracts import load_contracts
from orchestration.warehouse.connection import is_built, query


@dataclass(frozen=True)
class Reason:
    """The wording for a rejected row: what was found, what was expected, what to do."""

    found: str
    expected: str
    action: str


# The codes come from the staging models and from the code that reads the exports.
REASONS = {
    "missing_value": Reason("空的", "必填的值", "在来源系统补填后重新导出"),
    "bad_timestamp": Reason("不是日期时间", "契约登记的日期时间写法", "改正后重新导出，或登记写法"),
    "ambiguous_time": Reason(
        "本地时钟拨快、拨慢时跳过或重复的时刻",
        "能确定先后的时刻",
        "导出时写上与 UTC 的时差（如 -05:00）",
    ),
    "bad_identity": Reason(
        "公式、错误值或用科学计数法写的编号", "来源系统里的完整编号", "把编号存为文本后重新导出"
    ),
    "ambiguous_identity": Reason(
        "与另一编号只差大小写、前导零或「.0」",
        "同一编号同一种写法",
        "改成来源系统里的写法；或在契约 identity_variants 写明是否同一编号",
    ),
    "bad_number": Reason("不是数字", "数字或百分数", "对照原件改正"),
    "unknown_value": Reason("契约里没有的取值", "契约 values 中的取值", "改正，或在契约登记该取值"),
    "unknown_unit": Reason(
        "别名表里没有的单位", "unit_alias 中的名称", "改正，或在 unit_alias 登记"
    ),
    "ambiguous_unit": Reason("对应几个单位的名称", "只对应一个单位", "补上单位类别，或登记别名"),
    "impossible_order": Reason("早于交办时间", "交办之后的时间", "在来源系统核实后重新导出"),
    "conflicting_duplicate": Reason(
        "编号重复而内容不同", "一个编号一行", "核实以哪行为准后重新导出"
    ),
    "conflicting_files": Reason(
        "编号相同而内容不同的行在不同的文件里",
        "更正后的整份文件替换旧文件，一个编号一种内容",
        "只留以之为准的文件，或在契约 conflict 写明按文件名先后",
    ),
    "malformed_row": Reason("格数不对或引号不配对", "与列名相同的格数", "检查逗号与引号后重新导出"),
    "unlikely_value": Reason(
        "不像这一列的内容（内容没有保留）",
        "契约 pattern 的写法",
        "核对各列是否错位，改正后重新导出",
    ),
    "personal_value": Reason(
        "含有像电话或身份证号的内容（没有保留）",
        "没有个人信息的内容；个人信息列在契约中标明 personal: drop",
        "核对各列是否错位，改正后重新导出，或在契约中标明",
    ),
    "undecodable": Reason("有不能解码的字节", "UTF-8 或 GB18030 的文字", "在来源系统重新导出"),
}
# The codes come from the model `anomaly`, which reports odd rows without rejecting them.
ANOMALIES = {
    "implausible_year": "年份不合常理",
    "deadline_before_dispatched": "办理期限早于交办",
    "finished_before_dispatched": "办结早于交办",
    "finished_too_soon": "办结过快",
    "called_back_before_finished": "回访早于办结",
}
SHOWN = 20
# The dbt test of that name.
UNUSED_DISCREPANCY = "known_discrepancy_is_used"
NEAREST = 3


def row_findings(home: Home, quarter: str) -> list[str]:
    """One line per finding: file, row, column, what was found and expected, what to do.

    Unit names are shown, because they have to be mapped; the lake keeps only values that look like
    a unit name. No other cell value is shown.
    """
    rows, workbook = rejected_rows(home, quarter), rejected_workbook(home, quarter)
    names = unmapped_units(home, quarter)
    lines = [
        f"[unknown_unit] 来源 {name['source']}：单位「{name['written_name']}」"
        f"共 {name['row_count']} 行不在别名表中。"
        f"最接近的名称：{name['nearest']}（仅供参考，不会自动采用）。"
        f"处理：核实后在 unit_alias.csv 加一行：{name['seed_row']}"
        if name["seed_row"]
        else f"[unknown_unit] 来源 {name['source']}：共 {name['row_count']} 行的单位不像单位名称，"
        f"内容没有保留。处理：按文件与行号（见 {workbook}）核对各列是否错位；"
        "确为单位的，先在 unit_alias.csv 登记。"
        for name in names[:SHOWN]
    ]
    if len(names) > SHOWN:
        lines.append(f"……另有 {len(names) - SHOWN} 个单位名称，见 {workbook}")
    for row in rows[:SHOWN]:
        found, expected, action = _texts(row)
        column = f"，列 {row['column_name']}" if row["column_name"] else ""
        lines.append(
            f"[{row['reason_code']}] 文件 {row['file_name']}，第 {row['row_number']} 行{column}："
            f"{found}。应为：{expected}。处理：{action}。"
        )
    if len(rows) > SHOWN:
        lines.append(f"……另有 {len(rows) - SHOWN} 处，见 {workbook}")
    lines += [
        f"[{entry['anomaly_code']}] 来源 {entry['source']}：{entry['label']}，"
        f"{entry['row_count']} 行（{_effect(entry)}）。处理：核实；逐行见 {workbook}"
        for entry in anomaly_counts(home, quarter)
    ]
    return lines


def _effect(entry: Mapping[str, Any]) -> str:
    """Whether rows with an anomaly are counted; some may be rejected, maybe for another reason."""
    if entry["anomaly_code"] == "implausible_year":
        return "年份使它不在本季的没有计入"
    if entry["rejected_count"] == entry["row_count"]:
        return "都因此或另有原因被拒收"
    if entry["rejected_count"]:
        return f"其中 {entry['rejected_count']} 行被拒收，其余照常计数"
    return "只提示，不影响计数"


def rule_findings(home: Home, quarter: str, run_id: str, failed: set[str]) -> list[str]:
    """Messages about changes without a reason, and known discrepancies that explain nothing.

    Args:
        home: the home whose working warehouse is read.
        quarter: such as 2022Q2.
        run_id: the run that stopped.
        failed: the names of the run's blocking checks that failed.
    """
    lines = []
    if failed & {UNREASONED, f"reconciliation.{LAST_VERSION_GROUP}"}:
        lines += _restatement_findings(home, quarter)
    if UNUSED_DISCREPANCY in failed:
        lines += _discrepancy_findings(home, quarter, run_id)
    return lines


def _restatement_findings(home: Home, quarter: str) -> list[str]:
    files, figures = changed_files(home, quarter), changed_figures(home, quarter)
    lines = [
        f"[{UNREASONED}] 控制项 {LAST_VERSION}：与上一版相比有 {len(figures)} 个数字改变"
        f"（改动或新到的来源文件：{'、'.join(files) or '无'}）。应为：有改变就说明原因。"
        f'处理：核实后运行 hotline run {quarter} --reason "为什么更正"。'
    ]
    lines += [
        f"数字改变：{row['table_name']} · {row['unit_code'] or '全区'} · {row['measure']}："
        f"{row['old_value'] or '—'} → {row['new_value'] or '—'}"
        for row in figures[:SHOWN]
    ]
    if len(figures) > SHOWN:
        lines.append(f"……另有 {len(figures) - SHOWN} 个数字")
    return lines


def _discrepancy_findings(home: Home, quarter: str, run_id: str) -> list[str]:
    today = date.today()
    return [
        f"[{UNUSED_DISCREPANCY}] 文件 {SEED}：已知差异 {row['discrepancy_id']}"
        f"（{row['control_id']} · {row['subject']} · {row['measure']}）没有说明任何差异"
        + (f"，已于 {row['expires_on']} 到期" if row["expires_on"] < today else "")
        + f"：记的应为 {_shown(row['expected'])}、差 {_shown(row['difference'])}，"
        + (
            f"本次应为 {_shown(row['found_expected'])}、差 {_shown(row['found_difference'])}"
            if row["status"]
            else "本次没有这一项"
        )
        + "。应为：与本次不符的一项完全相同。处理：核实后改正或删去这一行"
        "（新的一行可由 hotline explain 写出）。"
        for row in unused(home, quarter, run_id)
    ]


def _shown(value: Decimal | None) -> str:
    return "—" if value is None else format(value.normalize(), "f")


def rejected_rows(home: Home, quarter: str) -> list[dict[str, Any]]:
    """The rejections of a quarter's current files, in order of file and row."""
    if not is_built(home, "audit.rejected_row"):
        return []
    return query(
        home,
        f"with name as ({CURRENT}) select source, file_sha256, name.file_name, row_number, "  # noqa: S608 (our own text)
        "item_number, column_name, reason_code, byte_number, severity, "
        "standing.file_name as standing_file_name, standing_row_number "
        "from audit.rejected_row join name using (file_sha256) "
        f"left join ({STAGED_ROWS}) as staged using (file_sha256, row_number) "
        "left join name as standing on standing_file_sha256 = standing.file_sha256 "
        "order by name.file_name, row_number, column_name, reason_code",
        [quarter],
    )


def anomalies(home: Home, quarter: str) -> list[dict[str, Any]]:
    """The odd rows of a quarter's current files, in order of file and row, with Chinese labels."""
    if not is_built(home, "audit.anomaly"):
        return []
    rows = query(
        home,
        f"with name as ({CURRENT}) select source, file_sha256, file_name, row_number, item_number, "  # noqa: S608 (our own text)
        "anomaly_code from audit.anomaly join name using (file_sha256) "
        f"left join ({STAGED_ROWS}) as staged using (source, file_sha256, row_number) "
        "where anomaly.quarter = ? "
        "order by file_name, row_number, anomaly_code",
        [quarter, quarter],
    )
    return [row | {"label": ANOMALIES[row["anomaly_code"]]} for row in rows]


def anomaly_counts(home: Home, quarter: str) -> list[dict[str, Any]]:
    """How many rows of each source have each anomaly, with its Chinese label."""
    if not is_built(home, "audit.anomaly"):
        return []
    counts = query(
        home,
        "select source, anomaly_code, count(*) as row_count, count(*) filter (where exists "
        "(select 1 from audit.rejected_row as rejected where rejected.file_sha256 = "
        "anomaly.file_sha256 and rejected.row_number = anomaly.row_number)) as rejected_count "
        "from audit.anomaly where quarter = ? group by source, anomaly_code "
        "order by source, anomaly_code",
        [quarter],
    )
    return [row | {"label": ANOMALIES[row["anomaly_code"]]} for row in counts]


def unmapped_units(home: Home, quarter: str) -> list[dict[str, Any]]:
    """Unit names without an alias, each with the nearest known names and a row for the seed."""
    if not is_built(home, "audit.unmapped_unit"):
        return []
    names = query(
        home, "select * from audit.unmapped_unit where quarter = ? order by all", [quarter]
    )
    known = sorted({row["alias_name"] for row in query(home, "select * from rules.unit_alias")})
    for name in names:
        if name["written_name"] == WITHHELD:  # there is no name to map
            name |= {"nearest": "", "seed_row": ""}
            continue
        nearest = process.extract(name["written_name"], known, limit=NEAREST)
        name["nearest"] = "、".join(match[0] for match in nearest)
        name["seed_row"] = _csv_row("*", name["written_name"], "", "<unit_code>", "<valid_from>")
    return names


def rejected_workbook(home: Home, quarter: str) -> Path:
    """The path of the office's workbook about a quarter's rejections."""
    return home.root / "rejected" / quarter / "rejected.xlsx"


def write_rejected_workbook(home: Home, quarter: str) -> None:
    """Write the workbook (汇总、按原因、逐行、未知单位); delete it if it would be empty."""
    path = rejected_workbook(home, quarter)
    rows, names = rejected_rows(home, quarter), unmapped_units(home, quarter)
    odd, uncounted = anomalies(home, quarter), uncounted_rows(home, quarter)
    path.unlink(missing_ok=True)
    if not rows and not names and not odd and not uncounted:
        return
    counts = Counter(row["reason_code"] for row in rows)
    headers = _headers(home, quarter)
    sheets = {
        "汇总": Sheet(
            ["来源", "文件", "读入", "接收", "拒收", "重复", "不在本季"],
            [list(balance.values()) for balance in _balances(home, quarter)],
        ),
        "按原因": Sheet(
            ["原因代码", "发现", "应为", "处理", "处数"],
            [[code, *astuple(REASONS[code]), count] for code, count in sorted(counts.items())],
        ),
        "逐行": Sheet(
            [
                *("文件", "行号", _number_header(rows, headers), "列"),
                *("原因代码", "发现", "应为", "处理", "严重程度"),
            ],
            [
                [
                    *(row[key] for key in ("file_name", "row_number", "item_number")),
                    _header(row, row["column_name"], headers),
                    *(row["reason_code"], *_texts(row), row["severity"]),
                ]
                for row in rows
            ],
        ),
        "未知单位": Sheet(
            ["来源", "写法", "行数", "最接近的名称（仅供参考）", "可加入 unit_alias.csv 的一行"],
            [
                [
                    name[key]
                    for key in ("source", "written_name", "row_count", "nearest", "seed_row")
                ]
                for name in names
            ],
        ),
    }
    if odd:
        header = ["来源", "文件", "行号", _number_header(odd, headers), "异常代码", "异常"]
        keys = ("source", "file_name", "row_number", "item_number", "anomaly_code", "label")
        sheets["异常"] = Sheet(header, [[row[key] for key in keys] for row in odd])
    if uncounted:
        number = _number_header(uncounted, headers)
        header = ["来源", "文件", "行号", number, "交办", "为什么没有计入"]
        keys = ("source", "file_name", "row_number", "item_number", "dispatched_on", "row_status")
        sheets["未计入"] = Sheet(header, [[row[key] for key in keys] for row in uncounted])
    write_workbook(path, sheets)


def _balances(home: Home, quarter: str) -> list[dict[str, Any]]:
    return query(
        home,
        "select source, file_name, read_count, accepted_count, rejected_count, "
        "duplicate_count, out_of_scope_count from audit.row_balance balance "
        "join raw.source_file file using (quarter, source, file_sha256) "
        "where balance.quarter = ? and superseded_by is null order by all",
        [quarter],
    )


def _headers(home: Home, quarter: str) -> dict[tuple[str, str, str], str]:
    """A column's header in the export, else its contract's label, by source, file and column."""
    contracts = load_contracts(contracts_root())
    return {
        (file.source, file.file_sha256, column.name): file.headers.get(column.name, column.label)
        for file in current_files(home, quarter)
        if file.source in contracts
        for column in contracts[file.source].columns
    }


def _header(
    row: Mapping[str, Any], column: str | None, headers: Mapping[tuple[str, str, str], str]
) -> str | None:
    """The header of a column in the row's export."""
    return headers.get((row["source"], row["file_sha256"], column or ""), column)


def _number_header(
    rows: Sequence[Mapping[str, Any]], headers: Mapping[tuple[str, str, str], str]
) -> str:
    """The header, in these rows' exports, of the work order's, letter's or suggestion's number."""
    sourced = [row for row in rows if row["source"]]
    found = {_header(row, NUMBERS[row["source"]], headers) or "" for row in sourced}
    return "、".join(sorted(found)) or "编号"


def _csv_row(*cells: str) -> str:
    """A line of unit_alias.csv; its last two cells stay empty."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([*cells, "", ""])
    return line.getvalue()


def _texts(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """What was found in a rejected row, what was expected, what to do."""
    found, expected, action = astuple(REASONS[row["reason_code"]])
    if row["byte_number"] is not None:
        found += f"（文件的第 {row['byte_number']} 个字节）"
    if row["standing_row_number"] is not None:
        found += f"，另见 {row['standing_file_name']} 第 {row['standing_row_number']} 行"
        if row["severity"] == "warn":
            action = f"本次以该行为准；有误则{action}"
    return found, expected, action
