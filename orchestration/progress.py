"""How far the reading of a long file has come: readers say it here, a command shows it.

One file is read at a time in a process, as there is one writer a home. Nothing is shown here.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic

QUIET = 2.0
"""Seconds that a file may take before anything is said of it."""
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
    """Have a listener told of each step of every file that takes long."""
    global _listener
    _listener = listener
    try:
        yield
    finally:
        _listener = None


@contextmanager
def reading(name: str, byte_count: int) -> Iterator[None]:
    """A file is read while this is open."""
    global _reading
    _reading = Reading(name, byte_count)
    try:
        yield
    finally:
        _reading = None


def step(share: float | None = None, rows: int = 0) -> None:
    """The file has been read as far as `share`, and so many more rows have been taken from it."""
    if _reading is None:
        return
    _reading.share = _reading.share if share is None else share
    _reading.row_count += rows
    if _listener and monotonic() - _reading.began > QUIET:
        _listener(_reading)
