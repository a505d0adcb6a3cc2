"""A run's progress: the names of its steps, and how much of a long file has been read.

Readers report progress here and a command displays it; this module displays nothing. A process
reads one file at a time, because a home has one writer.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic

# What the office calls each step of the job, in the order in which they run.
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
# Seconds of reading a file before its progress is shown.
QUIET = 2.0
Listener = Callable[["Reading"], None]


@dataclass
class Reading:
    """A file that is being read."""

    name: str
    byte_count: int
    share: float = 0.0
    """Of the file, from 0 to 1."""
    row_count: int = 0
    began: float = field(default_factory=monotonic)

    def __str__(self) -> str:
        seconds = max(monotonic() - self.began, 0.001)
        speed = self.share * self.byte_count / seconds / 1e6
        left = f"{seconds / self.share - seconds:.0f} 秒" if self.share else "未知"
        return (
            f"{self.name}：{self.share:.0%}，{self.row_count:,} 行，{speed:.1f} MB/s，剩余约 {left}"
        )


_listener: Listener | None = None
_reading: Reading | None = None


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Call a listener on each progress report of a file that takes longer than `QUIET`."""
    global _listener
    _listener = listener
    try:
        yield
    finally:
        _listener = None


@contextmanager
def reading(name: str, byte_count: int) -> Iterator[None]:
    """Track the reading of a file until the block ends."""
    global _reading
    _reading = Reading(name, byte_count)
    try:
        yield
    finally:
        _reading = None


def step(share: float | None = None, rows: int = 0) -> None:
    """Report that the file has been read up to `share` and that `rows` more rows were taken."""
    if _reading is None:
        return
    _reading.share = _reading.share if share is None else share
    _reading.row_count += rows
    if _listener and monotonic() - _reading.began > QUIET:
        _listener(_reading)
