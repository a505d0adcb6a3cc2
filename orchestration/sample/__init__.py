"""Sample exports, all invented: a reconstruction of a published quarter, or any size synthesised.

The two differ only in where the plan (how many of what, per unit) comes from.
"""

import shutil
from pathlib import Path

from orchestration.ingest.contracts import load_contracts
from orchestration.sample import plan as plans
from orchestration.sample import rows
from orchestration.sample.files import write_csv, write_xlsx
from orchestration.settings import NOTICE

__all__ = ["reconstruct", "synthesise"]

RECONSTRUCTED = "样例数据：由已公布的汇总数反推重构，每一行都是虚构的，没有真实的个案和个人。\n"
SYNTHETIC = "样例数据：全部由程序虚构，没有真实的个案和个人，各项数字没有实际含义。\n"
EXCEL_UTF8 = "utf-8-sig"  # Excel marks its UTF-8 with a byte order mark
SHORT_TIMES = "%Y/%-m/%-d %-H:%M"  # how Excel shows a time: 2022/4/1 9:05


def reconstruct(bulletin: Path, seeds: Path, contracts: Path, out: Path) -> None:
    """Write exports whose totals are, cell for cell, the published figures of a bulletin.

    Writes ticket.csv, mailbox.xlsx, suggestion.csv and notice.txt, and bulletin.csv beside them if
    it isn't there already. The same bulletin gives the same bytes.

    Raises:
        ValueError: a printed rate that no count, or more than one, can have given.
        KeyError: a figure that the reconstruction needs isn't in the bulletin.
    """
    sources = load_contracts(contracts)
    plan = plans.from_bulletin(bulletin, seeds, sources)
    out.mkdir(parents=True, exist_ok=True)
    write_csv(rows.tickets(plan), sources["ticket"], out / "ticket.csv", EXCEL_UTF8)
    write_xlsx(rows.letters(plan), sources["mailbox"], out / "mailbox.xlsx", plan.quarter.end)
    write_csv(
        rows.suggestions(plan),
        sources["suggestion"],
        out / "suggestion.csv",
        "gb18030",
        SHORT_TIMES,
    )
    (out / NOTICE).write_text(RECONSTRUCTED, encoding="utf-8")
    if out.resolve() != bulletin.resolve().parent:
        shutil.copyfile(bulletin, out / "bulletin.csv")


def synthesise(
    tickets: int, quarter: str, seeds: Path, contracts: Path, out: Path, seed: int = 2022
) -> None:
    """Write synthetic ticket.csv, mailbox.csv and suggestion.csv for a quarter such as `2022Q2`.

    A notice.txt beside them says that they are. `tickets` is the number dispatched in the quarter;
    some 3% more were dispatched in the quarter before and called back in this one. Rows are written
    in chunks: 10 million fit in 2 GiB.

    Raises:
        InputError: `quarter` isn't a quarter.
    """
    sources = load_contracts(contracts)
    plan = plans.synthetic(tickets, quarter, seeds, sources, seed)
    out.mkdir(parents=True, exist_ok=True)
    write_csv(rows.tickets(plan), sources["ticket"], out / "ticket.csv", EXCEL_UTF8)
    (out / NOTICE).write_text(SYNTHETIC, encoding="utf-8")
    write_csv(rows.letters(plan), sources["mailbox"], out / "mailbox.csv", EXCEL_UTF8)
    write_csv(
        rows.suggestions(plan),
        sources["suggestion"],
        out / "suggestion.csv",
        "gb18030",
        SHORT_TIMES,
    )
