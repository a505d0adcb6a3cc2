"""Opens a workbook and reads all of it; run in a process of its own, so that a crash is harmless.

A few bytes can make the reader allocate more memory than there is, which kills its process without
a message. The exit status is 0 if reading finished or raised an ordinary error.
"""

import resource
import sys
from contextlib import suppress

from python_calamine import CalamineError, CalamineWorkbook

MEMORY, SECONDS = 4 << 30, 300


def main() -> None:
    """Read the workbook that the first argument names, with limited memory and time."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # memory may contain personal data
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
