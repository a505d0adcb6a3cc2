"""The command's two consoles; control characters in their output never reach the terminal.

Also the helpers that every screen needs: escaping of external text, and tables that wrap long cells
instead of truncating them.
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
    """The command as a user can type it here: its name if that is on PATH, else its path."""
    program = Path(sys.argv[0])
    if program.name != NAME or not program.is_file():
        return NAME
    found = shutil.which(NAME)
    if found and program.samefile(found):
        return NAME
    path = os.path.relpath(program)
    return shlex.quote(path if not path.startswith("..") else str(program.absolute()))


def as_typed(text: str) -> str:
    """Replace the command's name in advice such as `hotline doctor` by `command_name()`."""
    return ADVISED.sub(lambda _: command_name(), text)


def _advising(text: Text) -> Text:
    """As `as_typed`, for styled text."""
    for match in reversed(list(ADVISED.finditer(text.plain))):
        text = text[: match.start()] + Text(command_name()) + text[match.end() :]
    return text


class _Printed:
    """A renderable whose control characters are shown as visible characters."""

    def __init__(self, inner: ConsoleRenderable) -> None:
        self.inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self.inner, options):
            # Control segments come from rich itself, for example to redraw a line.
            yield segment if segment.control else Segment(lines(segment.text), segment.style)


class _Printing(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [
            _Printed(_advising(renderable) if isinstance(renderable, Text) else renderable)
            for renderable in renderables
        ]


# Output to a pipe or a file is for grep and later reading: 200 columns, not rich's default of 80.
out = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
err = Console(stderr=True, highlight=False)
for _console in (out, err):
    _console.push_render_hook(_Printing())


def plain(text: str) -> str:
    """Escape external text for rich: one line, no markup."""
    return escape(as_typed(one_line(text)))


def folding(*headers: str, title: str | None = None) -> Table:
    """A table that wraps long cells instead of truncating them."""
    table = Table(*headers, title=title)
    for column in table.columns:
        column.overflow = "fold"
    return table
