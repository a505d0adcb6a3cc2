"""Commands on a home and this machine: documents, samples, doctor, backup, forgetting, the UI."""

from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.app import STOPPED, ExportsOption, HomeOption, QuarterArgument, app, home_of
from orchestration.common.console import err, folding, out, plain
from orchestration.common.quarters import Quarter
from orchestration.common.settings import (
    DBT_PROJECT,
    PROJECT_ROOT,
    contracts_root,
    exports_root,
)


@app.command()
def docs(quarter: QuarterArgument, exports: ExportsOption = None, home: HomeOption = None) -> None:
    """生成 Great Expectations 与 dbt 的文档（不需联网），并从审计报告链接过去。"""
    place = home_of(exports, home)
    with err.status("生成文档……"):
        from orchestration.common.lock import writer
        from orchestration.publish.audit.documents import write_documents
        from orchestration.publish.audit.report import write_report
        from orchestration.publish.versions import published_manifest

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
    from orchestration.operations.doctor import examine

    findings = examine(home_of(exports, home), exports_root())
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
    from orchestration.operations.backup import backup as back_up

    count = back_up(home_of(None, home), archive)
    out.print(f"[bold green]✓[/] {count} 个文件已备份到 {plain(str(archive))}", soft_wrap=True)


@app.command()
def restore(
    archive: Annotated[Path, typer.Argument(help="hotline backup 写的文件")],
    home: HomeOption = None,
) -> None:
    """把备份恢复到一个空的数据目录，逐个文件核对哈希。"""
    from orchestration.operations.backup import restore as bring_back

    place = home_of(None, home)
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
    place = home_of(None, home)
    with err.status("遗忘，并由原始层重建工作库……"):
        from orchestration.operations.forget import forget as forget_numbers
        from orchestration.operations.forget import read_numbers
        from orchestration.reading.contracts import load_contracts

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
    from orchestration.cli.runner import register_quarters
    from orchestration.cli.ui import serve

    place = home_of(exports, home)
    register_quarters(place, exports_root())
    with err.status("正在启动……") as status:

        def announce(address: str) -> None:
            status.stop()
            out.print(f"Dagster 界面：{address}", soft_wrap=True)
            out.print("地址里的令牌只在这次有效，等于密码，不要给别人；按 Ctrl-C 结束。")

        serve(place, port, announce)
