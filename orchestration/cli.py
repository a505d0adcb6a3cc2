"""The `hotline` command: what people type, and what they see. The work is done elsewhere."""

import csv
import os
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from orchestration.errors import InputError, for_people
from orchestration.progress import Reading, listening
from orchestration.quarters import Quarter
from orchestration.settings import DBT_PROJECT, PROJECT_ROOT, Home, contracts_root, exports_root

if TYPE_CHECKING:
    from orchestration.audit.trace import Figure, RowTrace
    from orchestration.runner import RunOutcome

PUBLISHED, STOPPED, UNUSABLE = 0, 1, 2
LOG_EVERY = 10.0
"""Seconds between lines on a long file where there is no terminal to draw on."""
STAGES = {
    "raw__ticket": "接收 12345 工单",
    "raw__mailbox": "接收信箱信件",
    "raw__suggestion": "接收微建议",
    "raw__bulletin": "接收已发布通报",
    "raw_scope": "登记本季文件",
    "raw_expectations": "校验原始行（Great Expectations）",
    "dbt": "建模与测试（dbt）",
    "mart_expectations": "校验集市表（Great Expectations）",
    "marts__hotline_unit_quarter_recomputed": "独立重算（Python）",
    "reconciliation_gate": "对账关口",
    "published__marts": "发布",
    "published__bulletin": "生成通报",
    "published__postgres": "发布到 PostgreSQL",
    "published__audit_report": "写审计报告",
    "published__site": "写网页",
}

app = typer.Typer(
    help="12345 热线数据仓库：从原始导出到无可争议的季度数字。",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
# A table in a pipe or a file is for grep and reading later: wide, never folded to 80 columns.
out = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
err = Console(stderr=True, highlight=False)

QuarterArgument = Annotated[str, typer.Argument(metavar="QUARTER", help="季度，例如 2022Q2")]
ExportsOption = Annotated[Path | None, typer.Option("--exports", help="导出文件所在的文件夹")]
HomeOption = Annotated[Path | None, typer.Option("--home", help="仓库与发布物所在的文件夹")]


def _settle(exports: Path | None, home: Path | None) -> Home:
    """Let the options win over the environment, for this process and the ones it starts."""
    if exports:
        os.environ["HOTLINE_EXPORTS"] = str(exports.resolve())
    if home:
        os.environ["HOTLINE_HOME"] = str(home.resolve())
    return Home.current()


def main() -> None:
    """The command: unusable input, or a machine that can't, ends with its message and status."""
    try:
        app()
    except Exception as error:
        told = for_people(error)
        if told is None:
            raise
        err.print(f"[bold red]✗[/] {_plain(str(told))}", soft_wrap=True)
        sys.exit(UNUSABLE)


def _plain(text: str) -> str:
    """Text that rich must not read as markup."""
    return text.replace("[", "\\[")


@app.command()
def run(
    quarter: QuarterArgument,
    reason: Annotated[str, typer.Option(help="与上一版不同时必给：为什么更正，记入重述记录")] = "",
    exports: ExportsOption = None,
    home: HomeOption = None,
) -> None:
    """运行一个季度：接收、校验、建模、对账、关口、发布。"""
    began = time.perf_counter()
    place = _settle(exports, home)
    Quarter.parse(quarter)
    with Progress(
        SpinnerColumn(),
        TextColumn("[bold]{task.description}"),
        TimeElapsedColumn(),
        console=err,
        transient=True,
    ) as progress:
        task = progress.add_task("启动")
        from orchestration.audit import findings
        from orchestration.lock import holder
        from orchestration.runner import run_quarter

        if who := holder(place):
            err.print(f"数据目录正被占用（{_plain(who)}），等待中……")
        starts: list[float] = []

        def on_stage(step: str) -> None:
            starts.append(time.perf_counter())
            progress.update(task, description=STAGES.get(step, step))

        last_said = time.monotonic()

        def on_reading(reading: Reading) -> None:
            nonlocal last_said
            if err.is_terminal:
                progress.update(task, description=f"接收 {_plain(str(reading))}")
            elif time.monotonic() - last_said > LOG_EVERY:
                last_said = time.monotonic()
                err.print(f"正在接收 {_plain(str(reading))}", soft_wrap=True)

        with listening(on_reading):
            outcome = run_quarter(place, quarter, on_stage, reason.strip())
    for line in outcome.changes:
        out.print(_plain(line), soft_wrap=True)
    if outcome.input_error:
        err.print(f"[bold red]✗[/] {_plain(outcome.input_error)}", soft_wrap=True)
        if outcome.files_published:
            err.print("读者的文件已发布；此后的发布没有完成，那里仍是上一次发布的内容。")
        else:
            err.print("没有发布任何内容，上一次发布的版本保持不变。")
        _alert(place, quarter, outcome)
        raise typer.Exit(UNUSABLE)
    total = time.perf_counter() - began
    startup = (starts[0] if starts else time.perf_counter()) - began
    _print_stages([("启动", startup), *outcome.stages], total)
    _print_headline(place, quarter)
    rows = _print_reconciliation(place, outcome.run_id)
    if not outcome.succeeded:
        _print_stop(place, quarter, outcome.run_id, rows, outcome.failure)
        _alert(place, quarter, outcome)
        raise typer.Exit(STOPPED)
    for line in findings.row_findings(place, quarter):
        out.print(_plain(line), soft_wrap=True)
    _print_outputs(place, quarter)


@app.command()
def reconcile(
    quarter: QuarterArgument, exports: ExportsOption = None, home: HomeOption = None
) -> None:
    """逐项列出最近一次运行的对账结果：应为、实为、差额、状态。"""
    from orchestration.audit import reconciliation

    place = _settle(exports, home)
    run_id = reconciliation.required_run(place, quarter)
    rows = reconciliation.controls(place, run_id)
    table = Table("控制项", "对象", "指标", "应为", "实为", "差额", "状态", "说明", title=quarter)
    for column in table.columns:
        column.overflow = "fold"  # an auditor reads all of it, however narrow the window
    table.columns[6].no_wrap = True
    for row in rows:
        table.add_row(
            row["control_id"],
            _subject(row),
            row["measure"],
            *(_number(row[side]) for side in ("expected", "actual", "difference")),
            _status(row["status"]),
            _plain(row["explanation"] or ""),
        )
    out.print(table)
    _print_reconciliation(place, run_id)
    raise typer.Exit(
        STOPPED if any(row["status"] not in reconciliation.HOLDING for row in rows) else PUBLISHED
    )


@app.command()
def explain(
    quarter: QuarterArgument,
    control: Annotated[str, typer.Argument(metavar="CONTROL", help="控制项代码")],
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="对象：单位代码或名称等")],
    measure: Annotated[str, typer.Argument(metavar="MEASURE", help="指标")],
    reason: Annotated[str, typer.Option(help="为什么不符")],
    evidence: Annotated[str, typer.Option(help="依据：哪份文件、哪一处")],
    expires: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="最后有效的一天；默认一年")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="写入已知差异的种子表")] = False,
    home: HomeOption = None,
) -> None:
    """把最近一次运行的一处不符写成一行已知差异（应为和差完全照录，变了就不再算说明）。"""
    from orchestration.audit import discrepancies

    place = _settle(None, home)
    row = discrepancies.explain(
        place,
        quarter,
        (control, subject, measure),
        reason,
        evidence,
        expires.date() if expires else None,
    )
    print(discrepancies.as_csv(row))
    old = discrepancies.superseded(row)
    replacing = f"，取代其中的 {old}" if old else ""
    if write:
        path = discrepancies.write(row)
        err.print(f"已写入 {path}{replacing}。重新运行 hotline run {quarter} 后生效。")
    else:
        err.print(f"核对后加入 {discrepancies.SEED}{replacing}；或加 --write 写入。")


@app.command()
def trace(
    quarter: QuarterArgument,
    unit: Annotated[str, typer.Option(help="单位：任何登记过的名称、单位代码，或全区")] = "",
    measure: Annotated[
        str, typer.Option(help="指标，如 rework_count、rework_rate、mailbox.due_count")
    ] = "",
    group: Annotated[
        str | None, typer.Option(help="单位类别，A 或 other：一个名称对应两个单位时用")
    ] = None,
    row: Annotated[
        str,
        typer.Option(metavar="FILE:ROW", help="反查一行源数据进入了哪些数字，如 ticket.csv:123"),
    ] = "",
    as_csv: Annotated[bool, typer.Option("--csv", help="只输出 CSV，供脚本使用")] = False,
    exports: ExportsOption = None,
    home: HomeOption = None,
) -> None:
    """追溯一个已发布数字的源数据行，或一行源数据进入的全部数字。"""
    from orchestration.audit import trace as tracing

    place = _settle(exports, home)
    if bool(row) == bool(unit and measure) or (row and as_csv):
        raise InputError(
            code="usage",
            found="没有说清要追溯什么",
            expected="--unit 加 --measure（可加 --csv），或只用 --row",
            action=f"例如 hotline trace {quarter} --unit 区人社局 --measure rework_count",
        )
    if row:
        _print_row_trace(place, quarter, tracing.trace_row(place, quarter, row))
        return
    figure = tracing.trace_figure(place, quarter, unit, measure, group)
    rows = sorted({row for part in figure.parts for row in part.rows})
    states = tracing.file_states(place, exports_root(), quarter, rows)
    if as_csv:
        _write_csv(figure)
    else:
        _print_figure(quarter, figure)
        _print_file_states(states)
    for mismatch in figure.mismatches:
        err.print(f"[bold red]✗[/] 与已发布的数字不符：{_plain(mismatch)}", soft_wrap=True)
    raise typer.Exit(STOPPED if figure.mismatches else PUBLISHED)


@app.command()
def verify(
    quarter: QuarterArgument, exports: ExportsOption = None, home: HomeOption = None
) -> None:
    """用登记的原始文件重建已发布的版本，逐个比对输出的哈希。"""
    place = _settle(exports, home)
    with err.status("由登记的原始文件重建……"):
        from orchestration.audit.verify import verify as verify_version

        outcome = verify_version(place, exports_root(), quarter)
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
    if outcome.rules_changed:
        err.print("业务规则（seeds 或契约）在这一版发布之后改过，重建用的是现在的规则。")
    for name in outcome.broken:
        err.print(f"重建时 dbt 未通过：{_plain(name)}", soft_wrap=True)
    if not all(row.is_same for row in outcome.comparisons):
        raise typer.Exit(STOPPED)
    out.print(f"[bold green]✓[/] {title}：{len(outcome.comparisons)} 个表逐字节相同")


@app.command("lint-bulletin")
def lint_bulletin(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="通报：原文或长表")],
    quarter: Annotated[
        str, typer.Option(help="季度；不给则以文中写明的为准，长表以 document 列为准")
    ] = "",
    as_csv: Annotated[bool, typer.Option("--csv", help="只输出 CSV，供脚本使用")] = False,
    exports: ExportsOption = None,
) -> None:
    """通报自身是否前后一致：合计、比率、指标值、排名、环比、正文与附件。"""
    from orchestration.bulletin.command import lint_file

    _settle(exports, None)
    report = lint_file(file, quarter)
    if as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(
            ("control_id", "subject", "measure", "expected", "actual", "difference", "place")
        )
        writer.writerows(
            (row.control_id, row.subject, row.measure, *row.figures, row.place)
            for row in report.contradictions
        )
    else:
        title = f"{report.quarter} {_plain(file.name)}"
        table = _folding("检查", "对象", "指标", "应为", "实为", "差额", "位置", title=title)
        for row in report.contradictions:
            about = _plain(row.name if row.name == row.subject else f"{row.name} {row.subject}")
            figures = (_figure(row.measure, value) for value in row.figures)
            table.add_row(
                f"{report.compares[row.control_id]} {row.control_id}",
                about,
                row.measure,
                *figures,
                row.place,
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
    raise typer.Exit(STOPPED if report.contradictions else PUBLISHED)


@app.command()
def pdf(quarter: QuarterArgument, home: HomeOption = None) -> None:
    """用 LibreOffice 把已发布的通报印成 PDF；通报没有变化则不重印。"""
    place = _settle(None, home)
    Quarter.parse(quarter)
    from orchestration.bulletin.publish import print_bulletin

    with err.status("正在由 LibreOffice 生成 PDF……"):
        path, is_new = print_bulletin(place, quarter)
    out.print(f"{path}（{'已生成' if is_new else '通报没有变化，沿用已有的'}）", soft_wrap=True)


@app.command()
def docs(quarter: QuarterArgument, exports: ExportsOption = None, home: HomeOption = None) -> None:
    """生成 Great Expectations 与 dbt 的文档（不需联网），并从审计报告链接过去。"""
    place = _settle(exports, home)
    with err.status("生成文档……"):
        from orchestration.audit.documents import write_documents
        from orchestration.audit.report import write_report
        from orchestration.lock import writer
        from orchestration.publication import published_manifest

        published_manifest(place, quarter)
        with writer(place, "docs"):
            pages = write_documents(place, quarter)
            report = write_report(place, quarter, exports_root())
    for page in filter(None, [*pages, report]):
        out.print(str(page), soft_wrap=True)


@app.command()
def sample(
    out_dir: Annotated[Path, typer.Option("--out", help="写到哪个文件夹")],
    tickets: Annotated[
        int | None, typer.Option(min=0, help="合成多少件工单；不给则由已发布通报重构 2022Q2 样例")
    ] = None,
    quarter: Annotated[str, typer.Option(help="合成数据的季度")] = "2022Q2",
    seed: Annotated[int, typer.Option(help="随机种子")] = 2022,
) -> None:
    """写出样例导出：由已发布数字重构，或按任意规模合成。不含任何真实个人信息。"""
    from orchestration.sample import reconstruct, synthesise

    seeds = DBT_PROJECT / "seeds"
    if tickets is None:
        bulletin = PROJECT_ROOT / "exports" / "2022Q2" / "bulletin.csv"
        reconstruct(bulletin, seeds, contracts_root(), out_dir)
    else:
        synthesise(tickets, str(Quarter.parse(quarter)), seeds, contracts_root(), out_dir, seed)
    out.print(f"样例已写入 {out_dir}（虚构数据，仅供试用）")


@app.command()
def doctor(exports: ExportsOption = None, home: HomeOption = None) -> None:
    """检查这台机器：版本、磁盘、权限、字体、外部程序；只看不改。"""
    from orchestration.doctor import examine

    findings = examine(_settle(exports, home), exports_root())
    table = _folding("项目", "状态", "现状", "处理")
    marks = {"ok": "[green]✓[/]", "warn": "[yellow]![/]", "fail": "[bold red]✗[/]"}
    for row in findings:
        table.add_row(row.item, marks[row.state], _plain(row.found), _plain(row.action))
    out.print(table)
    if any(row.state == "fail" for row in findings):
        raise typer.Exit(STOPPED)


@app.command()
def backup(
    archive: Annotated[Path, typer.Argument(help="写到哪个 .tar.gz 文件")],
    home: HomeOption = None,
) -> None:
    """备份数据目录中的原始层与全部已发布版本（其余都可由它们重建）。"""
    from orchestration.backup import backup as back_up

    count = back_up(_settle(None, home), archive)
    out.print(f"[bold green]✓[/] {count} 个文件已备份到 {_plain(str(archive))}", soft_wrap=True)


@app.command()
def restore(
    archive: Annotated[Path, typer.Argument(help="hotline backup 写的文件")],
    home: HomeOption = None,
) -> None:
    """把备份恢复到一个空的数据目录，逐个文件核对哈希。"""
    from orchestration.backup import restore as bring_back

    place = _settle(None, home)
    count = bring_back(archive, place)
    out.print(f"[bold green]✓[/] {count} 个文件已恢复到 {place.root}，哈希全部相符", soft_wrap=True)
    out.print("再运行 hotline verify <季度> 可由原始层重建核对。")


@app.command()
def ui(
    exports: ExportsOption = None,
    home: HomeOption = None,
    port: Annotated[int, typer.Option(help="本机端口")] = 3000,
) -> None:
    """在本机打开 Dagster 界面，季度、作业、传感器与检查都已装好。"""
    from orchestration.runner import register_quarters

    place = _settle(exports, home)
    register_quarters(place, exports_root())
    dagster = str(Path(sys.executable).with_name("dagster"))
    module = ("-m", "orchestration.definitions")
    # No shell, and no word of it comes from outside but a port that is a number.
    os.execv(dagster, [dagster, "dev", *module, "-h", "127.0.0.1", "-p", str(port)])  # noqa: S606


def _print_stages(stages: list[tuple[str, float]], total: float) -> None:
    table = Table("阶段", "用时（秒）", title="各阶段用时")
    table.columns[1].justify = "right"
    for step, seconds in stages:
        table.add_row(STAGES.get(step, step), f"{seconds:.1f}")
    table.add_section()
    table.add_row("合计", f"{total:.1f}")
    out.print(table)


def _print_headline(home: Home, quarter: str) -> None:
    from orchestration.headline import headline

    table = Table("指标", "数值", title=f"{quarter} 全区 12345 热线")
    table.columns[1].justify = "right"
    for label, value in headline(home, quarter):
        table.add_row(label, value)
    if table.row_count:
        out.print(table)


def _print_reconciliation(home: Home, run_id: str) -> list[dict[str, Any]]:
    from orchestration.audit import reconciliation

    rows = reconciliation.controls(home, run_id)
    if not rows:
        return rows
    table = Table("控制组", "项数", "相符", "已说明", "不符", title="对账汇总")
    for column in table.columns[1:]:
        column.justify = "right"
    for group in reconciliation.summarise(rows):
        counts = (group.total, group.match, group.explained, group.broken)
        table.add_row(group.control_group, *(str(count) for count in counts))
    out.print(table)
    if not any(row["control_group"] == "published" for row in rows):
        out.print("本季度尚无已发布的通报：未与发布数字核对，其余控制项照常。")
    return rows


def _print_stop(
    home: Home, quarter: str, run_id: str, rows: list[dict[str, Any]], failure: str
) -> None:
    """Say what stopped the run: causes first (rows, names, checks), then the controls."""
    from orchestration.audit import check_results, findings, reconciliation

    err.print(f"[bold red]✗ {quarter} 停在关口：没有发布任何内容，上一次发布的版本保持不变。[/]")
    for line in findings.row_findings(home, quarter):
        err.print(_plain(line), soft_wrap=True)
    for check in check_results.failures(home, run_id):
        err.print(f"检查未过：{check['layer']} · {check['check_name']}（{check['failing_count']}）")
    stopped_by = {check["check_name"] for check in check_results.failures(home, run_id)}
    for line in findings.rule_findings(home, quarter, run_id, stopped_by):
        err.print(_plain(line), soft_wrap=True)
    blocking = [  # what changed since the last version is told above, by mart
        row
        for row in reconciliation.blocking(rows)
        if row["control_id"] != reconciliation.LAST_VERSION
    ]
    for row in blocking[:40]:
        err.print(
            f"控制项不符：{row['control_id']} · {_subject(row)} · {row['measure']}："
            f"应为 {_number(row['expected'])}，实为 {_number(row['actual'])}（{row['status']}）",
            soft_wrap=True,
        )
    if len(blocking) > 40:
        err.print(f"……另有 {len(blocking) - 40} 项，见 hotline reconcile {quarter}")
    report = home.audit_report(quarter, is_published=False)
    if rows and report.exists():
        err.print(f"审计报告（为什么停下）：{report}", soft_wrap=True)
    if not rows:
        err.print(_plain(f"对账没有执行到：{failure}"), soft_wrap=True)


def _alert(home: Home, quarter: str, outcome: "RunOutcome") -> None:
    """Tell whoever set an alert up; a word here where that didn't work."""
    from orchestration.alerts import not_published, send

    steps = [STAGES.get(step, step) for step in outcome.failed_steps]
    alert = not_published(
        home,
        quarter,
        outcome.run_id,
        steps,
        outcome.input_error,
        files_published=outcome.files_published,
    )
    for fault in send(alert):
        err.print(fault, soft_wrap=True)


def _print_outputs(home: Home, quarter: str) -> None:
    from orchestration.postgres import READER_ROLE, postgres_url
    from orchestration.publication import manifests

    version = max(m["version"] for m in manifests(home) if m["quarter"] == quarter)
    out.print(f"[bold green]✓[/] 已发布 {quarter} 第 {version} 版，数据来源：{exports_root()}")
    out.print(f"  读者库   {home.published / 'marts.duckdb'}", soft_wrap=True)
    out.print(f"  Parquet  {home.published / 'parquet'}", soft_wrap=True)
    if postgres_url():
        out.print(f"  PostgreSQL  marts、audit，角色 {READER_ROLE} 只读")
    out.print(f"  网页     {home.bulletin(quarter) / 'index.html'}", soft_wrap=True)
    out.print(f"  审计报告 {home.audit_report(quarter)}", soft_wrap=True)
    out.print(f"  版本清单 {home.version_manifest(quarter, version)}", soft_wrap=True)
    if ((bulletin := home.bulletin(quarter)) / "bulletin.docx").is_file():
        out.print(f"  通报     {bulletin}（PDF：hotline pdf {quarter}）", soft_wrap=True)


def _print_figure(quarter: str, figure: "Figure") -> None:
    """The figure and its rows; of an index its components, and how to trace each."""
    title = f"{quarter} {_plain(figure.unit_name)} {figure.measure}"
    out.print(f"[bold]{title}：{_figure(figure.measure, figure.value)}[/]")
    if figure.components:
        counts = {part.count: len(part.rows) for part in figure.parts}
        table = _folding("评分项", "分子", "分母", "权重", "得分")
        for item in figure.components:
            table.add_row(
                item.name,
                *(f"{name} {counts[name]}" for name in (item.numerator, item.denominator)),
                _number(item.weight),
                _number(item.published[-1] if item.published else None),
            )
        out.print(table)
        command = f"hotline trace {quarter} --unit {_plain(figure.unit_code)} --measure"
        out.print(f"逐行追溯：{command} <表中的分子或分母>", soft_wrap=True)
        return
    roles = ("分子 ", "分母 ") if len(figure.parts) > 1 else ("",)
    for role, part in zip(roles, figure.parts, strict=True):
        table = _folding("文件", "SHA-256", "行号", "编号", title=f"{role}{part.count}")
        table.columns[2].justify = "right"
        for row in part.rows:
            name, sha256, number, business_id = row
            table.add_row(_plain(name), f"{sha256[:12]}…", str(number), _plain(business_id))
        table.caption = f"共 {len(part.rows)} 行"
        if part.published is not None:
            table.caption += f"，已发布 {part.published}"
        out.print(table)


def _print_file_states(states: list[tuple[str, str, str, int]]) -> None:
    table = _folding("文件", "发布时的 SHA-256", "原始文件现在", "行数", title="源文件")
    for name, sha256, state, count in states:
        colour = "green" if state == "相符" else "bold red"
        table.add_row(_plain(name), sha256, f"[{colour}]{state}[/]", str(count))
    if states:
        out.print(table)


def _print_row_trace(home: Home, quarter: str, traced: "RowTrace") -> None:
    from orchestration.audit.trace import file_states

    row = traced.row
    out.print(f"[bold]{_plain(row.file_name)} 第 {row.row_number} 行 {_plain(row.business_id)}[/]")
    if traced.cells:
        table = _folding("季度", "集市表", "对象", "指标", "数值", "经由的计数")
        for cell in traced.cells:
            value = _figure(cell.measure, cell.value)
            table.add_row(*cell[:4], value, "、".join(cell.counts))
        out.print(table)
    elif traced.reasons:
        out.print(f"这一行被拒，没有进入任何数字：{'；'.join(traced.reasons)}", soft_wrap=True)
    else:
        out.print(
            "这一行没有进入任何数字：重复、本季度没有动静、只用于核对（通报），或不是数据行。",
            soft_wrap=True,
        )
    _print_file_states(file_states(home, exports_root(), quarter, [row]))


def _write_csv(figure: "Figure") -> None:
    """Plain rows; where a figure has several counts a last column says which."""
    is_single = len(figure.parts) == 1
    writer = csv.writer(sys.stdout, lineterminator="\n")
    header = ("file_name", "file_sha256", "row_number", "business_id")
    writer.writerow(header if is_single else (*header, "count"))
    for part in figure.parts:
        writer.writerows(row if is_single else (*row, part.count) for row in part.rows)


def _folding(*headers: str, title: str | None = None) -> Table:
    """A table that breaks a long cell over lines and cuts nothing off."""
    table = Table(*headers, title=title)
    for column in table.columns:
        column.overflow = "fold"
    return table


def _figure(measure: str, value: Any) -> str:
    from orchestration.headline import figure

    return figure(measure, value)


def _subject(row: dict[str, Any]) -> str:
    """What a control is about: a unit by name and code, anything else by its code."""
    return _plain(f"{row['unit_name']} {row['subject']}" if row["unit_name"] else row["subject"])


def _number(value: Any) -> str:
    from orchestration.headline import number

    return number(value)


def _status(status: str) -> str:
    colour = {"match": "green", "explained": "yellow"}.get(status, "bold red")
    return f"[{colour}]{status}[/]"
