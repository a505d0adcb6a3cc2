"""The commands on a quarter and its bulletin: arguments, screens and exit statuses.

The work is done in other packages. Commands on a home are in `home_commands`.
"""

import os
import time
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.app import (
    PUBLISHED,
    STOPPED,
    UNUSABLE,
    ExportsOption,
    HomeOption,
    QuarterArgument,
    app,
    home_of,
)
from orchestration.common.console import err, out, plain
from orchestration.common.errors import InputError
from orchestration.common.progress import STAGES
from orchestration.common.quarters import Quarter
from orchestration.common.safe_text import one_line
from orchestration.common.settings import (
    Home,
    exports_root,
    memory_limit,
)

if TYPE_CHECKING:
    from orchestration.cli.runner import RunOutcome


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
    place = home_of(exports, home)
    if memory:
        os.environ["HOTLINE_MEMORY_LIMIT"] = memory
    memory_limit()
    _run_quarter(place, str(Quarter.parse(quarter)), reason.strip(), force=force)
    if not and_later:
        return
    from orchestration.publish.publication_log import read_log, stale

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
        typer.Exit: the run was stopped or failed, so nothing or not everything was published.
    """
    began = time.perf_counter()
    from orchestration.checks import reconciliation
    from orchestration.cli import run_output
    from orchestration.operations import last_run

    run_output.show_unread(quarter)
    basis = last_run.basis(place)
    run_id = None if force else last_run.unchanged_since(place, quarter, basis, date.today())
    if run_id:
        run_output.show_published(place, quarter, run_id, is_new_run=False)
        return
    with run_output.run_progress() as progress:
        from orchestration.checks import validator

        validator.started()
        from orchestration.cli.runner import run_quarter
        from orchestration.common.lock import holder
        from orchestration.operations.rebuild import why_rebuild

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
    run_output.show_stages([("启动", startup), *outcome.stages], total)
    if not outcome.succeeded:
        last_run.stop(place, outcome.run_id, quarter)
        controls = reconciliation.controls(place, outcome.run_id)
        run_output.show_headline(place, quarter)
        run_output.show_reconciliation(controls)
        run_output.show_balance(place, quarter, controls)
        run_output.show_stop(place, quarter, outcome.run_id, controls, outcome.failure)
        _alert(place, quarter, outcome)
        raise typer.Exit(STOPPED)
    last_run.finish(place, outcome.run_id, quarter, basis)
    run_output.show_published(place, quarter, outcome.run_id, is_new_run=True)


@app.command()
def reconcile(
    quarter: QuarterArgument, exports: ExportsOption = None, home: HomeOption = None
) -> None:
    """逐项列出最近一次运行的对账结果：应为、实为、差额、状态。"""
    from orchestration.checks import reconciliation
    from orchestration.cli import output, run_output
    from orchestration.publish.versions import manifests

    place = home_of(exports, home)
    manifests(place)  # refuses lost versions: a comparison with one proves nothing
    run_id = reconciliation.required_run(place, quarter)
    controls = reconciliation.controls(place, run_id)
    output.show_controls(quarter, controls)
    run_output.show_reconciliation(controls)
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
    from orchestration.checks import discrepancies
    from orchestration.publish.audit import explanation

    place = home_of(None, home)
    absent = ("", "") if write else explanation.TO_WRITE
    row = explanation.explain(
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
    from orchestration.cli import output
    from orchestration.publish.audit import trace as tracing

    place = home_of(exports, home)
    if bool(row) == bool(unit and measure) or (row and as_csv):
        raise InputError(
            code="usage",
            found="没有说清要追溯什么",
            expected="--unit 加 --measure（可加 --csv），或只用 --row",
            action=f"例如 hotline trace {quarter} --unit 区人社局 --measure rework_count",
        )
    if row:
        traced = tracing.trace_row(place, quarter, row)
        output.show_row_trace(traced)
        states = tracing.file_states(place, exports_root(), quarter, [traced.row])
        output.show_file_states(states)
        return
    figure = tracing.trace_figure(place, quarter, unit, measure, group)
    if as_csv:
        output.write_figure_csv(figure)
    else:
        output.show_figure(quarter, figure)
        rows = sorted({row for part in figure.parts for row in part.rows})
        output.show_file_states(tracing.file_states(place, exports_root(), quarter, rows))
    for mismatch in figure.mismatches:
        err.print(f"[bold red]✗[/] 与已发布的数字不符：{plain(mismatch)}", soft_wrap=True)
    raise typer.Exit(STOPPED if figure.mismatches else PUBLISHED)


@app.command()
def verify(
    quarter: QuarterArgument, exports: ExportsOption = None, home: HomeOption = None
) -> None:
    """用登记的原始文件重建已发布的版本，逐个比对输出的哈希。"""
    from orchestration.cli import output

    place = home_of(exports, home)
    with err.status("由登记的原始文件重建……"):
        from orchestration.operations.verify import verify as verify_version
        from orchestration.publish.versions import NOT_AS_LOGGED

        try:
            outcome = verify_version(place, exports_root(), quarter)
        except InputError as error:
            if error.code not in NOT_AS_LOGGED:
                raise
            err.print(f"[bold red]✗[/] {plain(str(error))}", soft_wrap=True)
            raise typer.Exit(STOPPED) from error
    output.show_verification(quarter, outcome)
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
    from orchestration.cli import output
    from orchestration.lint.command import lint_file

    home_of(exports, None)
    report = lint_file(file, quarter)
    if as_csv:
        output.write_contradictions_csv(report)
    else:
        output.show_contradictions(file.name, report)
    raise typer.Exit(STOPPED if report.contradictions else PUBLISHED)


@app.command()
def pdf(quarter: QuarterArgument, exports: ExportsOption = None, home: HomeOption = None) -> None:
    """用 LibreOffice 把已发布的通报印成 PDF；通报没有变化则不重印。"""
    place = home_of(exports, home)
    Quarter.parse(quarter)
    from orchestration.common.lock import writer
    from orchestration.publish.audit.report import write_report
    from orchestration.publish.bulletin.publish import print_bulletin
    from orchestration.publish.pages.publish import write_site

    with err.status("正在由 LibreOffice 生成 PDF……"):
        path, is_new = print_bulletin(place, quarter)
        if is_new and place.warehouse.is_file():  # refresh the pages that link to it
            with writer(place, "pdf"):
                write_report(place, quarter, exports_root())
                with suppress(LookupError):  # the warehouse holds another quarter
                    write_site(place, exports_root(), quarter)
    out.print(
        f"{plain(str(path))}（{'已生成' if is_new else '通报没有变化，沿用已有的'}）",
        soft_wrap=True,
    )


def _alert(home: Home, quarter: str, outcome: "RunOutcome") -> None:
    """Send the alerts that are configured, and print a message for each that failed."""
    from orchestration.operations.alerts import not_published, send

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
