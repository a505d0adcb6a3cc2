"""The terminal output of a run: its progress, then why it stopped or what it published."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from orchestration.checks import check_results, plausibility, reconciliation
from orchestration.common.console import err, out, plain
from orchestration.common.progress import STAGES, Reading, listening
from orchestration.common.settings import Home, exports_root
from orchestration.ingest.arrival import unread_in
from orchestration.publish import findings
from orchestration.publish.headline import headline, number
from orchestration.publish.publication_log import read_log, stale
from orchestration.publish.tables.postgres import READER_ROLE, postgres_url
from orchestration.publish.versions import published_manifest

# Seconds between progress lines for a long file when the output isn't a terminal.
LOG_EVERY = 10.0


# The most differing controls printed after a stopped run; `hotline reconcile` lists all.
SHOWN_CONTROLS = 40


# The most names printed of controls that differ only as a consequence of a listed cause.
SHOWN_NAMES = 5


class RunProgress:
    """The progress of a run: one line that is redrawn on a terminal, or a few lines in a log."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("启动")
        self._last_said = time.monotonic()
        self.first_stage: float | None = None
        """When the first stage began, on the clock of `time.perf_counter`."""

    def stage(self, step: str) -> None:
        """Show that a stage has begun."""
        if self.first_stage is None:
            self.first_stage = time.perf_counter()
        self._progress.update(self._task, description=STAGES.get(step, step))

    def reading(self, reading: Reading) -> None:
        """Show how far a long file has been read."""
        if err.is_terminal:
            self._progress.update(self._task, description=f"接收 {plain(str(reading))}")
        elif time.monotonic() - self._last_said > LOG_EVERY:
            self._last_said = time.monotonic()
            err.print(f"正在接收 {plain(str(reading))}", soft_wrap=True)


@contextmanager
def run_progress() -> Iterator[RunProgress]:
    """Show a run's progress while the context is open."""
    columns = (SpinnerColumn(), TextColumn("[bold]{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as drawn:
        shown = RunProgress(drawn)
        with listening(shown.reading):
            yield shown


def show_unread(quarter: str) -> None:
    """Name the entries of a quarter's folder that aren't read, if there are any."""
    if unread := unread_in(exports_root() / quarter):
        err.print(
            f"[yellow]没有读[/]（不是导出文件的后缀，或是文件夹）：{plain('、'.join(unread))}。"
            "若是导出文件，改成 .csv、.tsv、.xlsx、.xls、.ods 或 .csv.gz 后重新运行；不是就移走。",
            soft_wrap=True,
        )


def show_stages(stages: Sequence[tuple[str, float]], total: float) -> None:
    """Show how long each stage took, in seconds."""
    table = Table("阶段", "用时（秒）", title="各阶段用时")
    table.columns[1].justify = "right"
    for step, seconds in stages:
        table.add_row(STAGES.get(step, step), f"{seconds:.1f}")
    table.add_section()
    table.add_row("合计", f"{total:.1f}")
    out.print(table)


def show_headline(home: Home, quarter: str) -> None:
    """Show the district's figures; nothing before the quarter's first build."""
    table = Table("指标", "数值", title=f"{quarter} 全区 12345 热线")
    table.columns[1].justify = "right"
    for label, value in headline(home, quarter):
        table.add_row(label, value)
    if table.row_count:
        out.print(table)


def show_reconciliation(controls: Sequence[dict[str, Any]]) -> None:
    """Show the controls of a run by group; nothing if the run didn't reach them."""
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
    """Show the sources with uncounted rows, and why the rows don't count."""
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
    """Show what stopped the run: causes first (rows, names, checks), then their consequences."""
    err.print(f"[bold red]✗ {quarter} 停在关口：没有发布任何内容，上一次发布的版本保持不变。[/]")
    blocking = reconciliation.blocking(controls)
    odd = [row for row in blocking if row["control_group"] == plausibility.GROUP]
    rejected = [row for row in blocking if row["control_id"] == reconciliation.REJECTED_ROWS]
    others = [  # `rule_findings` reports the changes since the last version, by mart
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
    """Show the failed checks, with what each demands; control groups show as their controls."""
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
        f"控制项不符：{row['control_id']} · {subject(row)} · {row['measure']}："
        f"应为 {number(row['expected'])}，实为 {number(row['actual'])}（{row['status']}）",
        soft_wrap=True,
    )


def _show_consequences(
    quarter: str, controls: Sequence[dict[str, Any]], failures: Sequence[dict[str, Any]]
) -> None:
    """Show how many controls and checks failed that may pass once the causes are fixed."""
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
    """Show what a run published: figures, reconciliation, rows to review, files."""
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
    """Name the quarters whose comparisons a correction made stale; they stay published."""
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


def subject(row: dict[str, Any]) -> str:
    """The subject of a control: a unit by name and code, anything else by its code."""
    return plain(f"{row['unit_name']} {row['subject']}" if row["unit_name"] else row["subject"])
