"""The `hotline` command: what people type, and what they see. The work is done elsewhere."""

import atexit
import gc
import logging
import os
import sys
import time
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.console import err, folding, out, plain
from orchestration.errors import InputError, for_people
from orchestration.outside import one_line
from orchestration.progress import STAGES
from orchestration.quarters import Quarter
from orchestration.settings import (
    DBT_PROJECT,
    PROJECT_ROOT,
    Home,
    contracts_root,
    exports_root,
    memory_limit,
)

if TYPE_CHECKING:
    from orchestration.runner import RunOutcome

PUBLISHED, STOPPED, UNUSABLE = 0, 1, 2
app = typer.Typer(
    help="12345 热线数据仓库：从原始导出到无可争议的季度数字。",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

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
    # A tenth of a small quarter's time went into looking for garbage among what was just imported.
    gc.set_threshold(100_000, 50, 100)
    os.umask(0o077)  # what it writes, backups and Dagster's storage too, is for its owner alone
    status = 1  # of a bug, whose traceback Python prints
    atexit.register(lambda: _leave(status))
    try:
        app()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        raise
    except Exception as error:
        told = for_people(error)
        if told is None:
            raise
        err.print(f"[bold red]✗[/] {plain(str(told))}", soft_wrap=True)
        status = UNUSABLE
    sys.exit(status)


def _leave(status: int) -> None:
    """The last act at the end, instead of Python's own: it looks through all that was imported."""
    logging.shutdown()
    with suppress(BrokenPipeError):  # whoever read what was printed has seen enough
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


@app.command()
def run(
    quarter: QuarterArgument,
    reason: Annotated[str, typer.Option(help="与上一版不同时必给：为什么更正，记入重述记录")] = "",
    force: Annotated[bool, typer.Option("--force", help="没有任何变化也完整重跑")] = False,
    and_later: Annotated[
        bool, typer.Option("--and-later", help="再重跑环比因此过时的以后各季度")
    ] = False,
    exports: ExportsOption = None,
    home: HomeOption = None,
    memory: Annotated[
        str,
        typer.Option(
            "--memory-limit", metavar="SIZE", help="内存上限，默认 4GiB；放不下的写到磁盘，会慢些"
        ),
    ] = "",
) -> None:
    """运行一个季度：接收、校验、建模、对账、关口、发布；没有变化则不重跑。"""
    place = _settle(exports, home)
    if memory:
        os.environ["HOTLINE_MEMORY_LIMIT"] = memory
    memory_limit()
    _run_quarter(place, str(Quarter.parse(quarter)), reason.strip(), force=force)
    if not and_later:
        return
    from orchestration.publication_log import read_log, stale

    done = {quarter}
    while later := [
        one for one in stale(read_log(place)) if one.quarter > quarter and one.quarter not in done
    ]:
        done.add(later[0].quarter)
        why = reason.strip() or f"{later[0].previous} 已更正，重算与它的比较"
        _run_quarter(place, later[0].quarter, why, force=False)


def _run_quarter(place: Home, quarter: str, reason: str, *, force: bool) -> None:
    """Run one quarter and show how it ended.

    Raises:
        typer.Exit: nothing was published.
    """
    began = time.perf_counter()
    from orchestration import last_run, screens
    from orchestration.audit import reconciliation

    screens.show_unread(quarter)
    basis = last_run.basis(place)
    run_id = None if force else last_run.unchanged_since(place, quarter, basis, date.today())
    if run_id:
        screens.show_published(place, quarter, run_id, is_new_run=False)
        return
    with screens.run_progress() as progress:
        from orchestration.audit import validator

        validator.started()
        from orchestration.lock import holder
        from orchestration.rebuild import why_rebuild
        from orchestration.runner import run_quarter

        if who := holder(place):
            err.print(f"数据目录正被占用（{plain(who)}），等待中……")
        elif why := why_rebuild(place):
            err.print(f"{why}：先由原始层重建各季度的工作库，已发布的版本不变……", soft_wrap=True)
        outcome = run_quarter(place, quarter, progress.stage, reason)
    for line in outcome.changes:
        out.print(plain(line), soft_wrap=True)
    if outcome.input_error:
        err.print(f"[bold red]✗[/] {plain(outcome.input_error)}", soft_wrap=True)
        if outcome.files_published:
            err.print("读者的文件已发布；此后的发布没有完成，那里仍是上一次发布的内容。")
        else:
            err.print("没有发布任何内容，上一次发布的版本保持不变。")
        _alert(place, quarter, outcome)
        raise typer.Exit(UNUSABLE)
    total = time.perf_counter() - began
    startup = (progress.first_stage or time.perf_counter()) - began
    screens.show_stages([("启动", startup), *outcome.stages], total)
    if not outcome.succeeded:
        last_run.stop(place, outcome.run_id, quarter)
        controls = reconciliation.controls(place, outcome.run_id)
        screens.show_headline(place, quarter)
        screens.show_reconciliation(controls)
        screens.show_balance(place, quarter, controls)
        screens.show_stop(place, quarter, outcome.run_id, controls, outcome.failure)
        _alert(place, quarter, outcome)
        raise typer.Exit(STOPPED)
    last_run.finish(place, outcome.run_id, quarter, basis)
    screens.show_published(place, quarter, outcome.run_id, is_new_run=True)


@app.command()
def reconcile(
    quarter: QuarterArgument, exports: ExportsOption = None, home: HomeOption = None
) -> None:
    """逐项列出最近一次运行的对账结果：应为、实为、差额、状态。"""
    from orchestration import screens
    from orchestration.audit import reconciliation
    from orchestration.versions import manifests

    place = _settle(exports, home)
    manifests(place)  # a figure that was held against a version that is lost proves nothing
    run_id = reconciliation.required_run(place, quarter)
    controls = reconciliation.controls(place, run_id)
    screens.show_controls(quarter, controls)
    screens.show_reconciliation(controls)
    all_hold = all(row["status"] in reconciliation.HOLDING for row in controls)
    raise typer.Exit(PUBLISHED if all_hold else STOPPED)


@app.command()
def explain(
    quarter: QuarterArgument,
    control: Annotated[str, typer.Argument(metavar="CONTROL", help="控制项代码")],
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="对象：单位代码或名称等")],
    measure: Annotated[str, typer.Argument(metavar="MEASURE", help="指标：代码或印出的名称")],
    reason: Annotated[str | None, typer.Option(help="为什么不符；写入时必给")] = None,
    evidence: Annotated[str | None, typer.Option(help="依据：哪份文件、哪一处；写入时必给")] = None,
    expires: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="最后有效的一天；默认一年")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="写入已知差异的种子表")] = False,
    home: HomeOption = None,
) -> None:
    """把最近一次运行的一处不符写成一行已知差异（应为和差完全照录，变了就不再算说明）。"""
    from orchestration.audit import discrepancies

    place = _settle(None, home)
    absent = ("", "") if write else discrepancies.TO_WRITE
    row = discrepancies.explain(
        place,
        quarter,
        (control, subject, measure),
        absent[0] if reason is None else reason,
        absent[1] if evidence is None else evidence,
        expires.date() if expires else None,
    )
    print(one_line(discrepancies.as_csv(row)))
    old = discrepancies.superseded(row)
    replacing = f"，取代其中的 {old}" if old else ""
    if write:
        path = discrepancies.write(row)
        err.print(f"已写入 {plain(str(path))}{replacing}。重新运行 hotline run {quarter} 后生效。")
    else:
        err.print(f"核对后加入 {discrepancies.SEED}{replacing}；或加 --write 写入。")


@app.command()
def trace(
    quarter: QuarterArgument,
    unit: Annotated[str, typer.Option(help="单位：任何登记过的名称、单位代码，或全区")] = "",
    measure: Annotated[
        str, typer.Option(help="指标：代码或印出的名称，如 rework_count、返工数、mailbox.due_count")
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
    from orchestration import screens
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
        traced = tracing.trace_row(place, quarter, row)
        screens.show_row_trace(traced)
        states = tracing.file_states(place, exports_root(), quarter, [traced.row])
        screens.show_file_states(states)
        return
    figure = tracing.trace_figure(place, quarter, unit, measure, group)
    if as_csv:
        screens.write_figure_csv(figure)
    else:
        screens.show_figure(quarter, figure)
        rows = sorted({row for part in figure.parts for row in part.rows})
        screens.show_file_states(tracing.file_states(place, exports_root(), quarter, rows))
    for mismatch in figure.mismatches:
        err.print(f"[bold red]✗[/] 与已发布的数字不符：{plain(mismatch)}", soft_wrap=True)
    raise typer.Exit(STOPPED if figure.mismatches else PUBLISHED)


@app.command()
def verify(
    quarter: QuarterArgument, exports: ExportsOption = None, home: HomeOption = None
) -> None:
    """用登记的原始文件重建已发布的版本，逐个比对输出的哈希。"""
    from orchestration import screens

    place = _settle(exports, home)
    with err.status("由登记的原始文件重建……"):
        from orchestration.audit.verify import verify as verify_version
        from orchestration.versions import NOT_AS_LOGGED

        try:
            outcome = verify_version(place, exports_root(), quarter)
        except InputError as error:
            if error.code not in NOT_AS_LOGGED:
                raise
            err.print(f"[bold red]✗[/] {plain(str(error))}", soft_wrap=True)
            raise typer.Exit(STOPPED) from error
    screens.show_verification(quarter, outcome)
    if not outcome.is_same:
        raise typer.Exit(STOPPED)


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
    from orchestration import screens
    from orchestration.bulletin.command import lint_file

    _settle(exports, None)
    report = lint_file(file, quarter)
    if as_csv:
        screens.write_contradictions_csv(report)
    else:
        screens.show_contradictions(file.name, report)
    raise typer.Exit(STOPPED if report.contradictions else PUBLISHED)


@app.command()
def pdf(quarter: QuarterArgument, exports: ExportsOption = None, home: HomeOption = None) -> None:
    """用 LibreOffice 把已发布的通报印成 PDF；通报没有变化则不重印。"""
    place = _settle(exports, home)
    Quarter.parse(quarter)
    from orchestration.audit.report import write_report
    from orchestration.bulletin.publish import print_bulletin
    from orchestration.lock import writer
    from orchestration.site.publish import write_site

    with err.status("正在由 LibreOffice 生成 PDF……"):
        path, is_new = print_bulletin(place, quarter)
        if is_new and place.warehouse.is_file():  # the pages that link to it
            with writer(place, "pdf"):
                write_report(place, quarter, exports_root())
                with suppress(LookupError):  # the warehouse is at another quarter
                    write_site(place, exports_root(), quarter)
    out.print(
        f"{plain(str(path))}（{'已生成' if is_new else '通报没有变化，沿用已有的'}）",
        soft_wrap=True,
    )


@app.command()
def docs(quarter: QuarterArgument, exports: ExportsOption = None, home: HomeOption = None) -> None:
    """生成 Great Expectations 与 dbt 的文档（不需联网），并从审计报告链接过去。"""
    place = _settle(exports, home)
    with err.status("生成文档……"):
        from orchestration.audit.documents import write_documents
        from orchestration.audit.report import write_report
        from orchestration.lock import writer
        from orchestration.versions import published_manifest

        published_manifest(place, quarter)
        with writer(place, "docs"):
            pages = write_documents(place, quarter)
            report = write_report(place, quarter, exports_root())
    for page in filter(None, [*pages, report]):
        out.print(plain(str(page)), soft_wrap=True)


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
    from orchestration.sample import check_target, reconstruct, synthesise

    check_target(out_dir)
    seeds = DBT_PROJECT / "seeds"
    if tickets is None:
        bulletin = PROJECT_ROOT / "exports" / "2022Q2" / "bulletin.csv"
        reconstruct(bulletin, seeds, contracts_root(), out_dir)
    else:
        synthesise(tickets, str(Quarter.parse(quarter)), seeds, contracts_root(), out_dir, seed)
    out.print(f"样例已写入 {plain(str(out_dir))}（虚构数据，仅供试用）")


@app.command()
def doctor(exports: ExportsOption = None, home: HomeOption = None) -> None:
    """检查这台机器：版本、磁盘、权限、字体、外部程序；只看不改。"""
    from orchestration.doctor import examine

    findings = examine(_settle(exports, home), exports_root())
    table = folding("项目", "状态", "现状", "处理")
    marks = {"ok": "[green]✓[/]", "warn": "[yellow]![/]", "fail": "[bold red]✗[/]"}
    for row in findings:
        table.add_row(row.item, marks[row.state], plain(row.found), plain(row.action))
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
    out.print(f"[bold green]✓[/] {count} 个文件已备份到 {plain(str(archive))}", soft_wrap=True)


@app.command()
def restore(
    archive: Annotated[Path, typer.Argument(help="hotline backup 写的文件")],
    home: HomeOption = None,
) -> None:
    """把备份恢复到一个空的数据目录，逐个文件核对哈希。"""
    from orchestration.backup import restore as bring_back

    place = _settle(None, home)
    count = bring_back(archive, place)
    where = plain(str(place.root))
    out.print(f"[bold green]✓[/] {count} 个文件已恢复到 {where}，哈希全部相符", soft_wrap=True)
    out.print("再运行 hotline verify <季度> 可由原始层重建核对。")


@app.command()
def forget(
    quarter: QuarterArgument,
    numbers: Annotated[
        list[str] | None, typer.Argument(metavar="NUMBER", help="工单、信件或建议的编号")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="编号的文本文件，一行一个；不在命令历史里留下编号")
    ] = None,
    source: Annotated[str, typer.Option(help="来源：ticket、mailbox、suggestion")] = "ticket",
    reason: Annotated[str, typer.Option(help="必给：为什么遗忘，记入日志")] = "",
    operator: Annotated[str, typer.Option(help="必给：谁来办，记入日志")] = "",
    home: HomeOption = None,
) -> None:
    """按请求遗忘：编号换成密钥哈希，个人信息与文字清空；已发布的数字一个不变。"""
    place = _settle(None, home)
    with err.status("遗忘，并由原始层重建工作库……"):
        from orchestration.forget import forget as forget_numbers
        from orchestration.forget import read_numbers
        from orchestration.ingest.contracts import load_contracts

        listed = [*(numbers or []), *(read_numbers(file) if file else [])]
        contracts = load_contracts(contracts_root())
        done = forget_numbers(place, contracts, quarter, source, listed, reason, operator)
    if done.new:
        out.print(
            f"[bold green]✓[/] 已遗忘 {done.new} 个编号，原始层 {done.row_count} 行"
            f"（{'、'.join(done.quarters)}）；已发布的数字不变",
            soft_wrap=True,
        )
        out.print(f"  日志 {place.erasures}（只有密钥哈希）", soft_wrap=True)
        out.print("  原始导出文件和以前的备份不在本程序管辖之内，处理办法见运行手册。")
    if done.earlier:
        out.print(f"{done.earlier} 个编号此前已经遗忘")


@app.command()
def ui(
    exports: ExportsOption = None,
    home: HomeOption = None,
    port: Annotated[int, typer.Option(help="本机端口")] = 3000,
) -> None:
    """在本机打开 Dagster 界面，季度、作业、传感器与检查都已装好。"""
    from orchestration.runner import register_quarters
    from orchestration.ui import serve

    place = _settle(exports, home)
    register_quarters(place, exports_root())
    with err.status("正在启动……") as status:

        def announce(address: str) -> None:
            status.stop()
            out.print(f"Dagster 界面：{address}", soft_wrap=True)
            out.print("地址里的令牌只在这次有效，等于密码，不要给别人；按 Ctrl-C 结束。")

        serve(place, port, announce)


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
