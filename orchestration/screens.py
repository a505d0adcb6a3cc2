"""What the command shows of what was found: one function a screen. Nothing is found out here."""

import csv
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from orchestration.audit import check_results, findings, plausibility, reconciliation
from orchestration.console import err, folding, out, plain
from orchestration.headline import figure as figure_text
from orchestration.headline import headline, number
from orchestration.ingest.arrival import unread_in
from orchestration.outside import csv_cell
from orchestration.postgres import READER_ROLE, postgres_url
from orchestration.progress import STAGES, Reading, listening
from orchestration.publication_log import read_log, stale
from orchestration.settings import Home, exports_root
from orchestration.versions import published_manifest

if TYPE_CHECKING:
    from orchestration.audit.trace import Figure, RowTrace
    from orchestration.audit.verify import Verification
    from orchestration.bulletin.command import Report

LOG_EVERY = 10.0
"""Seconds between lines on a long file where there is no terminal to draw on."""
SHOWN_CONTROLS = 40
"""Of a stopped run; `hotline reconcile` gives all of them."""
SHOWN_NAMES = 5
"""Of the controls that follow from a cause."""


class RunProgress:
    """What is going on while a quarter runs: a line that is drawn anew, or some in a log."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("启动")
        self._last_said = time.monotonic()
        self.first_stage: float | None = None
        """When the first stage began, on the clock of `time.perf_counter`."""

    def stage(self, step: str) -> None:
        """A stage has begun."""
        if self.first_stage is None:
            self.first_stage = time.perf_counter()
        self._progress.update(self._task, description=STAGES.get(step, step))

    def reading(self, reading: Reading) -> None:
        """A long file has been read a little further."""
        if err.is_terminal:
            self._progress.update(self._task, description=f"接收 {plain(str(reading))}")
        elif time.monotonic() - self._last_said > LOG_EVERY:
            self._last_said = time.monotonic()
            err.print(f"正在接收 {plain(str(reading))}", soft_wrap=True)


@contextmanager
def run_progress() -> Iterator[RunProgress]:
    """Show how far a run has come while this is open."""
    columns = (SpinnerColumn(), TextColumn("[bold]{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as drawn:
        shown = RunProgress(drawn)
        with listening(shown.reading):
            yield shown


def show_unread(quarter: str) -> None:
    """Name what of a quarter's folder isn't read; nothing where all of it is."""
    if unread := unread_in(exports_root() / quarter):
        err.print(
            f"[yellow]没有读[/]（不是导出文件的后缀，或是文件夹）：{plain('、'.join(unread))}。"
            "若是导出文件，改成 .csv、.tsv、.xlsx、.xls、.ods 或 .csv.gz 后重新运行；不是就移走。",
            soft_wrap=True,
        )


def show_stages(stages: Sequence[tuple[str, float]], total: float) -> None:
    """How long each stage took, in seconds."""
    table = Table("阶段", "用时（秒）", title="各阶段用时")
    table.columns[1].justify = "right"
    for step, seconds in stages:
        table.add_row(STAGES.get(step, step), f"{seconds:.1f}")
    table.add_section()
    table.add_row("合计", f"{total:.1f}")
    out.print(table)


def show_headline(home: Home, quarter: str) -> None:
    """The district's figures; nothing before the quarter's first build."""
    table = Table("指标", "数值", title=f"{quarter} 全区 12345 热线")
    table.columns[1].justify = "right"
    for label, value in headline(home, quarter):
        table.add_row(label, value)
    if table.row_count:
        out.print(table)


def show_controls(quarter: str, controls: Sequence[dict[str, Any]]) -> None:
    """Every control of a run."""
    titles = ("控制项", "对象", "指标", "应为", "实为", "差额", "状态", "说明")
    table = folding(*titles, title=quarter)  # all of it can be read, however narrow the window
    table.columns[6].no_wrap = True
    for row in controls:
        table.add_row(
            row["control_id"],
            _subject(row),
            row["measure"],
            *(number(row[side]) for side in ("expected", "actual", "difference")),
            _status(row["status"]),
            plain(row["explanation"] or ""),
        )
    out.print(table)


def show_reconciliation(controls: Sequence[dict[str, Any]]) -> None:
    """The controls of a run by group; nothing where it didn't come to them."""
    if not controls:
        return
    table = Table("控制组", "项数", "相符", "已说明", "不符", title="对账汇总")
    for column in table.columns[1:]:
        column.justify = "right"
    for group in reconciliation.summarise(controls):
        counts = (group.total, group.match, group.explained, group.broken)
        table.add_row(group.control_group, *(str(count) for count in counts))
    out.print(table)
    found = reconciliation.overall(controls)
    if found.facts < found.explained:
        out.print(
            f"已说明的 {found.explained} 项说的是 {found.facts} 处："
            "几个控制项看到同一处的，各计一项。"
        )
    if not any(row["control_group"] == "published" for row in controls):
        out.print("本季度尚无已发布的通报：未与发布数字核对，其余控制项照常。")


def show_balance(home: Home, quarter: str, controls: Sequence[dict[str, Any]]) -> None:
    """What became of the rows, by source; nothing where every row counts."""
    titles = ("来源", "读到", "接收", "拒收", "编号冲突", "重复", "不在本季")
    workbook = plain(str(findings.rejected_workbook(home, quarter)))
    table = Table(*titles, title="没有计入的行", caption=f"逐行见 {workbook}")
    for row in plausibility.balances(home, quarter, controls):
        counts = ("read", "accepted", "rejected", "conflicting", "duplicate", "out_of_scope")
        table.add_row(row["source"], *(str(row[f"{name}_count"]) for name in counts))
    for column in table.columns[1:]:
        column.justify = "right"
    if table.row_count:
        out.print(table)


def show_stop(
    home: Home, quarter: str, run_id: str, controls: Sequence[dict[str, Any]], failure: str
) -> None:
    """Say what stopped the run: causes first (rows, names, checks), then what follows from them."""
    err.print(f"[bold red]✗ {quarter} 停在关口：没有发布任何内容，上一次发布的版本保持不变。[/]")
    blocking = reconciliation.blocking(controls)
    odd = [row for row in blocking if row["control_group"] == plausibility.GROUP]
    rejected = [row for row in blocking if row["control_id"] == reconciliation.REJECTED_ROWS]
    others = [  # what changed since the last version is told by mart
        row
        for row in blocking
        if row not in odd
        and row not in rejected
        and row["control_id"] != reconciliation.LAST_VERSION
    ]
    workbook = findings.rejected_workbook(home, quarter)
    for line in plausibility.plausibility_findings(home, quarter, odd, workbook):
        err.print(plain(line), soft_wrap=True)
    for line in findings.row_findings(home, quarter):
        err.print(plain(line), soft_wrap=True)
    for row in rejected:
        _show_difference(row)
    failures = check_results.failures(home, run_id)
    if odd or rejected:
        _show_consequences(quarter, others, failures)
    else:
        _show_failures(failures)
        stopped_by = {check["check_name"] for check in failures}
        for line in findings.rule_findings(home, quarter, run_id, stopped_by):
            err.print(plain(line), soft_wrap=True)
        for row in others[:SHOWN_CONTROLS]:
            _show_difference(row)
        if more := len(others[SHOWN_CONTROLS:]):
            err.print(f"……另有 {more} 项，见 hotline reconcile {quarter}")
    report = home.audit_report(quarter, is_published=False)
    if controls and report.exists():
        err.print(f"审计报告（为什么停下）：{plain(str(report))}", soft_wrap=True)
    if not controls:
        first, *more_lines = failure.splitlines() or [""]
        for line in (f"对账没有执行到：{first}", *(f"  {line}" for line in more_lines)):
            err.print(plain(line), soft_wrap=True)


def _show_failures(failures: Sequence[dict[str, Any]]) -> None:
    """The checks that failed, with what each demands; a group of controls is its controls."""
    from orchestration.defs.dbt import MANIFEST_AS_WRITTEN  # parsed already by the run

    meanings = check_results.meanings(MANIFEST_AS_WRITTEN)
    for check in failures:
        if check["layer"] == check_results.RECONCILIATION:
            continue
        meaning = meanings.get(check["check_name"], "")
        err.print(
            plain(
                f"检查未过：{check['layer']} · {check['check_name']}（{check['failing_count']}）"
                + (f"：应当{meaning}" if meaning else "")
            ),
            soft_wrap=True,
        )


def _show_difference(row: dict[str, Any]) -> None:
    err.print(
        f"控制项不符：{row['control_id']} · {_subject(row)} · {row['measure']}："
        f"应为 {number(row['expected'])}，实为 {number(row['actual'])}（{row['status']}）",
        soft_wrap=True,
    )


def _show_consequences(
    quarter: str, controls: Sequence[dict[str, Any]], failures: Sequence[dict[str, Any]]
) -> None:
    """What may hold again once its causes are mended: counts only."""
    counts = Counter(row["control_id"] for row in controls)
    checks = [c["check_name"] for c in failures if c["layer"] in ("dbt", "marts", "python")]
    parts = [
        f"{len(controls)} 项控制不符（"
        + "、".join(f"{name} {count}" for name, count in counts.most_common(SHOWN_NAMES))
        + ("……" if len(counts) > SHOWN_NAMES else "")
        + f"，逐项见 hotline reconcile {quarter}）"
        if controls
        else "",
        f"{len(checks)} 项检查未过" if checks else "",
    ]
    if told := "，".join(part for part in parts if part):
        err.print(f"此外 {told}：多半由以上引起，先改正以上各处再看。", soft_wrap=True)


def show_published(home: Home, quarter: str, run_id: str, *, is_new_run: bool) -> None:
    """What a run published: figures, reconciliation, rows to look at, files."""
    controls = reconciliation.controls(home, run_id)
    show_headline(home, quarter)
    show_reconciliation(controls)
    show_balance(home, quarter, controls)
    for line in findings.row_findings(home, quarter):
        out.print(plain(line), soft_wrap=True)
    version = published_manifest(home, quarter)["version"]
    source = plain(str(exports_root()))
    if is_new_run:
        out.print(f"[bold green]✓[/] 已发布 {quarter} 第 {version} 版，数据来源：{source}")
    else:
        out.print(
            f"[bold green]✓[/] {quarter} 与第 {version} 版相同，无需重跑"
            f"（来源、规则与程序都没有变，发布的文件完好；仍要重跑加 --force），"
            f"数据来源：{source}",
            soft_wrap=True,
        )
    _show_outputs(home, quarter, version)
    show_stale(home, quarter)


def show_stale(home: Home, quarter: str) -> None:
    """Name published quarters whose comparisons a correction has overtaken; they stay published."""
    for one in stale(read_log(home)):
        first = min(quarter, one.previous)
        out.print(
            f"[yellow]![/] {plain(str(one))}。处理：运行 hotline run {first} --and-later",
            soft_wrap=True,
        )


def _show_outputs(home: Home, quarter: str, version: int) -> None:
    places = {
        "读者库  ": home.published / "marts.duckdb",
        "Parquet ": home.published / "parquet",
        "网页    ": home.bulletin(quarter) / "index.html",
        "审计报告": home.audit_report(quarter),
        "版本清单": home.version_manifest(quarter, version),
    }
    for label, path in places.items():
        out.print(f"  {label} {plain(str(path))}", soft_wrap=True)
    if postgres_url():
        out.print(f"  PostgreSQL  marts、audit，角色 {READER_ROLE} 只读")
    if ((bulletin := home.bulletin(quarter)) / "bulletin.docx").is_file():
        where = plain(str(bulletin))
        out.print(f"  通报     {where}（PDF：hotline pdf {quarter}）", soft_wrap=True)


def show_figure(quarter: str, figure: "Figure") -> None:
    """A figure and its rows; of an index its components, and how to trace each."""
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
    """A figure's rows for scripts; where it has several counts a last column says which."""
    is_single = len(figure.parts) == 1
    writer = csv.writer(sys.stdout, lineterminator="\n")
    header = ("file_name", "file_sha256", "row_number", "business_id")
    writer.writerow(header if is_single else (*header, "count"))
    for part in figure.parts:
        for row in part.rows:
            cells = [csv_cell(str(cell)) for cell in row]
            writer.writerow(cells if is_single else (*cells, part.count))


def show_file_states(states: Sequence[tuple[str, str, str, int]]) -> None:
    """Whether the source files are still those that a figure was made from."""
    table = folding("文件", "发布时的 SHA-256", "原始文件现在", "行数", title="源文件")
    for name, sha256, state, count in states:
        colour = "green" if state == "相符" else "bold red"
        table.add_row(plain(name), sha256, f"[{colour}]{state}[/]", str(count))
    if states:
        out.print(table)


def show_row_trace(traced: "RowTrace") -> None:
    """Every figure that a source row is in, or why it is in none."""
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
    """What a rebuilt version has the same, and what not."""
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
    """Where a bulletin contradicts itself."""
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
    """Where a bulletin contradicts itself, for scripts."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(
        ("control_id", "subject", "measure", "expected", "actual", "difference", "place")
    )
    for row in report.contradictions:
        cells = (row.control_id, row.subject, row.measure, *row.figures, row.place)
        writer.writerow([csv_cell(str(cell)) for cell in cells])


def _subject(row: dict[str, Any]) -> str:
    """What a control is about: a unit by name and code, anything else by its code."""
    return plain(f"{row['unit_name']} {row['subject']}" if row["unit_name"] else row["subject"])


def _status(status: str) -> str:
    colour = {"match": "green", "explained": "yellow"}.get(status, "bold red")
    return f"[{colour}]{status}[/]"
