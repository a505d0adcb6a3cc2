"""Checks whether this machine can run a quarter: one finding per item, with what to do.

The checks change nothing. `fail` means that a run would refuse, `warn` that it would be limited.
"""

import os
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, version
from pathlib import Path
from typing import Literal

from packaging.specifiers import SpecifierSet

from orchestration.common.lock import holder
from orchestration.common.settings import PROJECT_ROOT, Home
from orchestration.publish.bulletin.document import TIMES

LOCK_FILE = PROJECT_ROOT / "requirements.lock"
MIN_FREE_BYTES = 2 << 30
PIP = f"{shlex.quote(sys.executable)} -m pip install"
# make works only in a checkout, and isn't installed on every machine.
REINSTALL = (
    "删除 .venv 后重新运行 make quarter"
    if shutil.which("make") and (PROJECT_ROOT / "Makefile").is_file()
    else f"{PIP} --force-reinstall -r {shlex.quote(str(LOCK_FILE))}"
)


@dataclass(frozen=True)
class Finding:
    """One item; `action` says what to do if it isn't in order."""

    item: str
    state: Literal["ok", "warn", "fail"]
    found: str
    action: str = ""


def examine(home: Home, exports: Path) -> list[Finding]:
    """Check everything that a run needs or can use on this machine.

    Args:
        home: the data folder that a run would write.
        exports: the folder of exports that it would read.
    """
    return [
        _python(),
        _packages(),
        _folder(home),
        _disk(home),
        _writer(home),
        _exports(exports),
        *_programs(),
        _postgres(),
    ]


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    fitting = metadata("hotline-warehouse")["Requires-Python"]
    if not SpecifierSet(fitting).contains(found):
        return Finding("Python", "fail", found, f"安装 Python {fitting}，重建 .venv")
    return Finding("Python", "ok", found)


def _packages() -> Finding:
    """Compare what is installed with the lock file."""
    locked = dict(_locked())
    wrong = [
        f"{name} {_installed(name) or '未安装'}（应为 {wanted}）"
        for name, wanted in locked.items()
        if _installed(name) != wanted
    ]
    if wrong:
        return Finding("依赖包", "fail", "、".join(wrong[:5]), REINSTALL)
    return Finding("依赖包", "ok", f"{len(locked)} 个与锁文件一致")


def _locked() -> Iterator[tuple[str, str]]:
    """The packages that the lock file requires on this machine, as (name, version)."""
    from packaging.requirements import Requirement

    for line in LOCK_FILE.read_text(encoding="utf-8").splitlines():
        text = line.removesuffix("\\").strip()
        if not text or text.startswith(("#", "--")):
            continue
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate():
            yield requirement.name, str(requirement.specifier).removeprefix("==")


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _folder(home: Home) -> Finding:
    """Whether the home is writable, and closed to other users."""
    place = next(path for path in (home.root, *home.root.parents) if path.exists())
    if not os.access(place, os.W_OK | os.X_OK):
        return Finding("数据目录", "fail", f"{place} 不可写", "换一个 --home，或改正目录权限")
    if home.root.exists() and stat.S_IMODE(home.root.stat().st_mode) & 0o077:
        return Finding("数据目录", "warn", f"{home.root} 别的用户也能读", f"chmod 700 {home.root}")
    return Finding(
        "数据目录", "ok", f"{home.root}{'' if home.root.exists() else '（首次运行时建）'}"
    )


def _disk(home: Home) -> Finding:
    place = next(path for path in (home.root, *home.root.parents) if path.exists())
    free = shutil.disk_usage(place).free
    found = f"空余 {free / (1 << 30):.1f} GiB"
    if free < MIN_FREE_BYTES:
        return Finding("磁盘", "warn", found, "腾出至少 2 GiB，另加约两倍于导出文件的空间")
    return Finding("磁盘", "ok", found)


def _writer(home: Home) -> Finding:
    who = holder(home)
    if who:
        return Finding("占用", "warn", who, "等那次运行结束；新的运行会自己等")
    return Finding("占用", "ok", "没有运行占用数据目录")


def _exports(exports: Path) -> Finding:
    from orchestration.ingest.arrival import quarter_folders

    if not exports.is_dir() or not os.access(exports, os.R_OK | os.X_OK):
        return Finding("导出文件夹", "fail", f"{exports} 读不到", "改正 --exports 或目录权限")
    found = "、".join(quarter_folders(exports))
    if not found:
        return Finding(
            "导出文件夹", "warn", f"{exports} 里没有季度文件夹", "建 2022Q2 这样的文件夹"
        )
    return Finding("导出文件夹", "ok", f"{exports}：{found}")


def _programs() -> Iterator[Finding]:
    """Optional fonts and programs; no run fails without them."""
    fonts = _answer("fc-list", ":lang=zh", "family")
    state: Literal["ok", "warn"] = "ok" if fonts else "warn"
    family = fonts.splitlines()[0].split(",")[0] if fonts else "没有中文字体"
    yield Finding("中文字体", state, family, "" if fonts else "安装 fonts-noto-cjk")
    yield _latin_font()
    for item, program, use in (
        ("LibreOffice", "soffice", "没有它就不生成 PDF"),
        ("Java", "java", "只有在 Spark 上运行才需要"),
    ):
        path = shutil.which(program)
        yield Finding(item, "ok" if path else "warn", path or "未安装", "" if path else use)


def _latin_font() -> Finding:
    """Whether there is a font with the widths of the template's, for the figures in the PDF."""
    listed = {
        name.strip() for name in _answer("fc-list", ":", "family").replace("\n", ",").split(",")
    }
    found = [name for name in TIMES if name in listed]
    if found:
        return Finding("西文字体", "ok", found[0])
    return Finding(
        "西文字体",
        "warn",
        f"没有与 {TIMES[0]} 等宽的字体，PDF 的数字用别的字体，可能较宽",
        "安装 fonts-liberation",
    )


def _answer(program: str, *arguments: str) -> str:
    """The output of a program; empty if it isn't installed."""
    path = shutil.which(program)
    if path is None:
        return ""
    # The program and its arguments are fixed; none of it is user input.
    done = subprocess.run(  # noqa: S603
        [path, *arguments], capture_output=True, text=True, timeout=30, check=False
    )
    return done.stdout.strip()


def _postgres() -> Finding:
    """Whether the server answers. Its address is a secret and is never shown."""
    url = os.environ.get("HOTLINE_POSTGRES_URL")
    if not url:
        return Finding("PostgreSQL", "ok", "未设置 HOTLINE_POSTGRES_URL，不发布到 PostgreSQL")
    try:
        import psycopg

        with psycopg.connect(url, connect_timeout=5) as connection:
            number = connection.info.server_version
    except ImportError:
        return Finding("PostgreSQL", "fail", "没有 psycopg", f"{PIP} 'hotline-warehouse[postgres]'")
    except psycopg.Error as error:
        return Finding(
            "PostgreSQL",
            "fail",
            f"连不上（{type(error).__name__}）",
            "检查 HOTLINE_POSTGRES_URL 与服务器",
        )
    return Finding("PostgreSQL", "ok", f"版本 {number // 10000}.{number % 10000}")
