"""The command's two consoles: what they print can't steer a terminal, whatever a name holds.

And the two things that every screen needs: text from outside, and tables that cut nothing off.
"""

import os
import re
import shlex
import shutil
import sys
from functools import cache
from pathlib import Path

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.markup import escape
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from orchestration.common.safe_text import lines, one_line

NAME = "hotline"
ADVISED = re.compile(rf"(?<![\w./-]){NAME}(?= [a-z])")


@cache
def command_name() -> str:
    """How the command can be typed here: by its name if the shell finds it, else by its path."""
    program = Path(sys.argv[0])
    if program.name != NAME or not program.is_file():
        return NAME
    found = shutil.which(NAME)
    if found and program.samefile(found):
        return NAME
    path = os.path.relpath(program)
    return shlex.quote(path if not path.startswith("..") else str(program.absolute()))


def as_typed(text: str) -> str:
    """Text whose advice names the command so that it works as typed."""
    return ADVISED.sub(lambda _: command_name(), text)


def _advising(text: Text) -> Text:
    """As `as_typed`, of text with styles."""
    for match in reversed(list(ADVISED.finditer(text.plain))):
        text = text[: match.start()] + Text(command_name()) + text[match.end() :]
    return text


class _Printed:
    """Something printed, every character that a terminal would obey shown instead."""

    def __init__(self, inner: ConsoleRenderable) -> None:
        self.inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self.inner, options):
            # A control is rich's own, such as the one that draws a line anew.
            yield segment if segment.control else Segment(lines(segment.text), segment.style)


class _Printing(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [
            _Printed(_advising(renderable) if isinstance(renderable, Text) else renderable)
            for renderable in renderables
        ]


# A table in a pipe or a file is for grep and reading later: wide, never folded to 80 columns.
out = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
err = Console(stderr=True, highlight=False)
for _console in (out, err):
    _console.push_render_hook(_Printing())


def plain(text: str) -> str:
    """Text from outside on one line, which rich must not read as markup."""
    return escape(as_typed(one_line(text)))


def folding(*headers: str, title: str | None = None) -> Table:
    """A table that breaks a long cell over lines and cuts nothing off."""
    table = Table(*headers, title=title)
    for column in table.columns:
        column.overflow = "fold"
    return table
