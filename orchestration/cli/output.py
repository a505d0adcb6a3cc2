"""The screens and CSV output for results, one function each. Nothing is computed here."""

import csv
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table

from orchestration.cli.run_output import subject
from orchestration.common.console import err, folding, out, plain
from orchestration.common.safe_text import csv_cell
from orchestration.publish.headline import figure as figure_text
from orchestration.publish.headline import number

if TYPE_CHECKING:
    from orchestration.lint.command import Report
    from orchestration.operations.verify import Verification
    from orchestration.publish.audit.trace import Figure, RowTrace


def show_controls(quarter: str, controls: Sequence[dict[str, Any]]) -> None:
    """Show every control of a run."""
    titles = ("控制项", "对象", "指标", "应为", "实为", "差额", "状态", "说明")
    table = folding(*titles, title=quarter)  # all text stays readable in a narrow window
    table.columns[6].no_wrap = True
    for row in controls:
        table.add_row(
            row["control_id"],
            subject(row),
            row["measure"],
            *(number(row[side]) for side in ("expected", "actual", "difference")),
            _status(row["status"]),
            plain(row["explanation"] or ""),
        )
    out.print(table)


def show_figure(quarter: str, figure: "Figure") -> None:
    """Show a figure and its rows; for an index, its components and how to trace each."""
    title = f"{quarter} {plain(figure.unit_name)} {figure.measure}"
    out.print(f"[bold]{title}：{figure_text(figure.measure, figure.value)}[/]")
    if figure.components:
        counts = {part.count: len(part.rows) for part in figure.parts}
        table = folding("评分项", "分子", "分母", "权重", "得分")
        for item in figure.components:
            table.add_row(
                plain(item.name),
                *(f"{name} {counts[name]}" for name in (item.numerator, item.denominator)),
                number(item.weight),
                number(item.published[-1] if item.published else None),
            )
        out.print(table)
        command = f"hotline trace {quarter} --unit {plain(figure.unit_code)} --measure"
        out.print(f"逐行追溯：{command} <表中的分子或分母>", soft_wrap=True)
        return
    roles = ("分子 ", "分母 ") if len(figure.parts) > 1 else ("",)
    for role, part in zip(roles, figure.parts, strict=True):
        table = folding("文件", "SHA-256", "行号", "编号", title=f"{role}{part.count}")
        table.columns[2].justify = "right"
        for row in part.rows:
            name, sha256, row_number, business_id = row
            table.add_row(plain(name), f"{sha256[:12]}…", str(row_number), plain(business_id))
        table.caption = f"共 {len(part.rows)} 行"
        if part.published is not None:
            table.caption += f"，已发布 {part.published}"
        out.print(table)


def write_figure_csv(figure: "Figure") -> None:
    """Write a figure's rows as CSV; if it has several counts, the last column names the count."""
    is_single = len(figure.parts) == 1
    writer = csv.writer(sys.stdout, lineterminator="\n")
    header = ("file_name", "file_sha256", "row_number", "business_id")
    writer.writerow(header if is_single else (*header, "count"))
    for part in figure.parts:
        for row in part.rows:
            cells = [csv_cell(str(cell)) for cell in row]
            writer.writerow(cells if is_single else (*cells, part.count))


def show_file_states(states: Sequence[tuple[str, str, str, int]]) -> None:
    """Show whether the source files are still those that a figure was made from."""
    table = folding("文件", "发布时的 SHA-256", "原始文件现在", "行数", title="源文件")
    for name, sha256, state, count in states:
        colour = "green" if state == "相符" else "bold red"
        table.add_row(plain(name), sha256, f"[{colour}]{state}[/]", str(count))
    if states:
        out.print(table)


def show_row_trace(traced: "RowTrace") -> None:
    """Show every figure that a source row is in, or why it is in none."""
    row = traced.row
    out.print(f"[bold]{plain(row.file_name)} 第 {row.row_number} 行 {plain(row.business_id)}[/]")
    if traced.cells:
        table = folding("季度", "集市表", "对象", "指标", "数值", "经由的计数")
        for cell in traced.cells:
            value = figure_text(cell.measure, cell.value)
            table.add_row(*map(plain, cell[:4]), value, plain("、".join(cell.counts)))
        out.print(table)
    elif traced.reasons:
        out.print(f"这一行被拒，没有进入任何数字：{'；'.join(traced.reasons)}", soft_wrap=True)
    else:
        out.print(
            "这一行没有进入任何数字：重复、本季度没有动静、只用于核对（通报），或不是数据行。",
            soft_wrap=True,
        )


def show_verification(quarter: str, outcome: "Verification") -> None:
    """Show which tables of a rebuilt version match, and which don't."""
    title = f"{quarter} 第 {outcome.version} 版"
    table = Table("表", "记录的哈希", "重建的哈希", "相符", title=title)
    for row in outcome.comparisons:
        mark = "[green]✓[/]" if row.is_same else "[bold red]✗[/]"
        table.add_row(row.table, *(h[:16] or "—" for h in (row.recorded, row.rebuilt)), mark)
    out.print(table)
    for row in outcome.comparisons:
        if row.rebuilt != row.recorded:
            err.print(f"[bold red]✗[/] {row.table}：重建的与记录的不同", soft_wrap=True)
            err.print(f"  记录 {row.recorded or '—'}\n  重建 {row.rebuilt or '—'}", soft_wrap=True)
        if row.readers_copy != row.recorded:
            err.print(f"[bold red]✗[/] {row.table}：发布的 Parquet 与记录的不同", soft_wrap=True)
            err.print(f"  发布 {row.readers_copy or '找不到'}", soft_wrap=True)
        if row.readers_table not in (None, row.recorded):
            err.print(f"[bold red]✗[/] {row.table}：marts.duckdb 中的与记录的不同", soft_wrap=True)
    for erasure in outcome.erasures:
        out.print(
            f"{erasure['erased_at']} 按遗忘名单改写过明细 {'、'.join(erasure['tables'])}，"
            "改写前后的哈希见版本清单；集市表不变",
            soft_wrap=True,
        )
    for upgrade in outcome.upgrades:
        err.print(f"这一版由结构不同的版本发布，列有变化。{upgrade}", soft_wrap=True)
    if outcome.rules_changed:
        err.print("业务规则（seeds 或契约）在这一版发布之后改过，重建用的是现在的规则。")
    for name in outcome.broken:
        err.print(f"重建时 dbt 未通过：{plain(name)}", soft_wrap=True)
    if outcome.is_same:
        out.print(f"[bold green]✓[/] {title}：{len(outcome.comparisons)} 个表逐字节相同")


def show_contradictions(name: str, report: "Report") -> None:
    """Show where a bulletin contradicts itself."""
    titles = ("检查", "对象", "指标", "应为", "实为", "差额", "位置")
    table = folding(*titles, title=f"{report.quarter} {plain(name)}")
    for row in report.contradictions:
        about = row.name if row.name == row.subject else f"{row.name} {row.subject}"
        table.add_row(
            f"{report.compares[row.control_id]} {row.control_id}",
            plain(about),
            plain(row.measure),
            *(figure_text(row.measure, value) for value in row.figures),
            plain(row.place),
        )
    if report.contradictions:
        out.print(table)
    if report.callbacks is not None:
        out.print(f"由印出的不满意率反推：全区回访 {report.callbacks} 件", soft_wrap=True)
    mark = "[bold red]✗[/]" if report.contradictions else "[bold green]✓[/]"
    out.print(
        f"{mark} 读到 {report.figure_count} 个数字，比对 {report.comparison_count} 处，"
        f"矛盾 {len(report.contradictions)} 处",
        soft_wrap=True,
    )


def write_contradictions_csv(report: "Report") -> None:
    """Write as CSV where a bulletin contradicts itself."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(
        ("control_id", "subject", "measure", "expected", "actual", "difference", "place")
    )
    for row in report.contradictions:
        cells = (row.control_id, row.subject, row.measure, *row.figures, row.place)
        writer.writerow([csv_cell(str(cell)) for cell in cells])


def _status(status: str) -> str:
    colour = {"match": "green", "explained": "yellow"}.get(status, "bold red")
    return f"[{colour}]{status}[/]"
