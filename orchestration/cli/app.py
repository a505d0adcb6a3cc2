"""The Typer app, its exit statuses and the options that its commands share."""

import os
from pathlib import Path
from typing import Annotated

import typer

from orchestration.common.settings import Home

# How a command ends: done, stopped by a check, stopped by an input or the machine.
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


def home_of(exports: Path | None, home: Path | None) -> Home:
    """The home to use; options override the environment, for this and its child processes."""
    if exports:
        os.environ["HOTLINE_EXPORTS"] = str(exports.absolute())
    if home:
        os.environ["HOTLINE_HOME"] = str(home.absolute())
    return Home.current()
