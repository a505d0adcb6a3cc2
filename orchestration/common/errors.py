"""Errors that a user can act on, with messages that say how to fix them.

They are unusable input and machine faults: a full disk, a missing permission, too little memory, a
damaged file. Every other error is a bug, doesn't belong here and may show a traceback.
"""

import os
import re
import traceback
from dataclasses import dataclass

from orchestration.common.safe_text import one_line


@dataclass
class InputError(Exception):
    """Unusable input: which file, row and column, what was found, what was expected, what to do.

    Texts are Chinese, for the district's data team; `code` is the stable English name. Never put a
    value of a personal column into any field. `may_pass` marks a transient error: a retry may
    succeed.
    """

    code: str
    found: str
    expected: str
    action: str
    file: str = ""
    row: int | None = None
    column: str = ""
    may_pass: bool = False

    def __str__(self) -> str:
        place = [
            f"文件 {self.file}" if self.file else "",
            f"第 {self.row} 行" if self.row is not None else "",
            f"列「{self.column}」" if self.column else "",
        ]
        where = "，".join(part for part in place if part)
        return one_line(
            f"[{self.code}] {where + '：' if where else ''}{self.found}。"
            f"应为：{self.expected}。处理：{self.action}。"
        )


@dataclass(frozen=True)
class _Refusal:
    """A kind of machine fault, and the substrings (`signs`) of error texts that identify it."""

    code: str
    signs: tuple[str, ...]
    found: str
    expected: str
    action: str
    may_pass: bool = False


# Matched by text, because the same fault may arrive as an OSError, from SQLite, DuckDB, polars or
# dbt, or as text in Dagster's event log.
_REFUSALS = (
    _Refusal(
        "disk_full",
        ("No space left on device", "disk is full", "Disk quota exceeded", "File too large"),
        "磁盘写满了，或超过了配额",
        "约 2 GiB 加两倍于导出文件的空余空间",
        "腾出空间（hotline doctor 显示余量；lake/ 和 published/ 里什么都不要删）后重新运行",
    ),
    _Refusal(
        "no_permission",
        (
            *("Permission denied", "Operation not permitted", "Read-only file system"),
            *("readonly database", "read-only database"),
        ),
        "没有权限读写",
        "运行的用户可以读导出文件夹、可以写数据目录",
        "用 hotline doctor 查看，改正权限（或换回平时运行的用户）后重新运行",
    ),
    _Refusal(
        "out_of_memory",
        (
            *("MemoryError", "Cannot allocate memory", "Out of Memory Error"),
            *("memory allocation of", "can't start new thread"),
        ),
        "内存不够",
        "约 2 GiB 可用内存",
        "机器还有内存就放宽 --memory-limit（默认 4GiB），没有就关闭别的程序或换一台更大的机器，"
        "然后重新运行",
    ),
    _Refusal(
        "damaged_database",
        (
            *("not a valid DuckDB database file", "Corrupt database file"),
            "Could not read enough bytes from file",
            *("database disk image is malformed", "file is not a database"),
        ),
        "数据库文件已损坏",
        "完好的文件",
        "若是 hotline.duckdb，把它改名移开后重新运行（由原始层重建全部季度）；"
        "若是 published/ 里的，重新运行一次即重新发布",
    ),
    _Refusal(
        "disk_fault",
        (
            *("Input/output error", "disk I/O error", "Stale file handle"),
            *("Transport endpoint is not connected", "Host is down"),
        ),
        "磁盘或共享文件夹读写出错（也可能是磁盘写满了）",
        "可以正常读写的磁盘",
        "用 hotline doctor 查看余量，检查磁盘与网络共享后重新运行",
        may_pass=True,
    ),
)
# Python and DuckDB quote paths; native libraries write them after a colon or a space.
_PATH = re.compile(r"""['"](/[^'"]+)['"]|(?:^|[\s:(])(/(?!/)[^\s'":)]+)""")


def refusal(text: str) -> InputError | None:
    """The machine fault that an error's text reports; None if it reports none."""
    for entry in _REFUSALS:
        if any(sign in text for sign in entry.signs):
            path = _PATH.search(text)
            return InputError(
                code=entry.code,
                file=(path[1] or path[2]) if path else "",
                found=entry.found,
                expected=entry.expected,
                action=entry.action,
                may_pass=entry.may_pass,
            )
    return None


def for_people(error: BaseException) -> InputError | None:
    """The user-facing form of an error or of its cause; None for a bug."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, InputError):
            return seen
        if told := refusal("".join(traceback.format_exception_only(seen))):
            if isinstance(seen, OSError) and seen.filename:
                told.file = os.fsdecode(seen.filename)
            return told
        seen = seen.__cause__ or seen.__context__
    return None
