"""Opens a workbook and reads all of it; run as a program of its own, whose death harms nobody.

A few bytes can make the reader ask for more memory than there is, which ends its process at once
and without a word. Ends with 0 if reading came to an end or to an error that the reader can tell.
"""

import resource
import sys
from contextlib import suppress

from python_calamine import CalamineError, CalamineWorkbook

MEMORY, SECONDS = 4 << 30, 300


def main() -> None:
    """Read the workbook that the first argument names, within bounds."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # what is in memory may be personal
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    with suppress(CalamineError, OSError, ValueError):
        book = CalamineWorkbook.from_path(sys.argv[1])
        for name in book.sheet_names:
            with suppress(CalamineError, OSError, ValueError):
                for _ in book.get_sheet_by_name(name).iter_rows():
                    pass


if __name__ == "__main__":
    main()
