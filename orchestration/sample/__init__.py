"""Sample exports with invented rows: a published quarter reconstructed, or synthetic data.

The two differ only in the source of the plan, which has the counts of each unit.
"""

import os
import shutil
from pathlib import Path

from orchestration.common.data_notice import NOTICE, NOTICE_ENGLISH
from orchestration.common.errors import InputError
from orchestration.reading.contracts import load_contracts
from orchestration.sample import plan as plans
from orchestration.sample import rows
from orchestration.sample.files import write_csv, write_xlsx

__all__ = ["check_target", "reconstruct", "synthesise"]

EXCEL_UTF8 = "utf-8-sig"  # Excel marks its UTF-8 with a byte order mark
RECONSTRUCTED = (
    "样例说明：本季度的工单、信件、微建议明细是由已公布的汇总数反推重构的虚构数据，不是真实个案，"
    "不含任何真实个人信息；只有通报印出的数字是真实的。"
)
RECONSTRUCTED_ENGLISH = (
    "About the sample: the tickets, letters and suggestions of this quarter are invented, worked "
    "back from published totals. None is a real case and none holds a real person's data; only the "
    "figures that the bulletin printed are real."
)
SYNTHETIC = "样例说明：本季度的全部明细和数字都是随机合成的虚构数据，仅供试用。"
SYNTHETIC_ENGLISH = (
    "About the sample: every row and figure of this quarter is synthetic, for trials only."
)
SHORT_TIMES = "%Y/%-m/%-d %-H:%M"  # how Excel shows a time: 2022/4/1 9:05


def check_target(out: Path) -> None:
    """Check that a sample may be written to a folder; files in it could be real exports.

    Raises:
        InputError: the path exists and isn't an empty folder.
    """
    if os.path.lexists(out) and (not out.is_dir() or any(out.iterdir())):
        raise InputError(
            code="out_not_empty",
            found=f"{out} {'里已有文件' if out.is_dir() else '不是文件夹'}",
            expected="一个空的或还没有的文件夹：样例不覆盖任何文件",
            action="用 --out 换一个文件夹",
        )


def reconstruct(bulletin: Path, seeds: Path, contracts: Path, out: Path) -> None:
    """Write exports whose totals equal the published figures of a bulletin, cell for cell.

    Writes ticket.csv, mailbox.xlsx, suggestion.csv and a notice that they are invented. The
    bulletin is copied to bulletin.csv unless it is in the same folder. The same bulletin gives the
    same bytes.

    Raises:
        ValueError: no count, or more than one, gives a printed rate.
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
    _write_notice(out, RECONSTRUCTED, RECONSTRUCTED_ENGLISH)
    if out.resolve() != bulletin.resolve().parent:
        shutil.copyfile(bulletin, out / "bulletin.csv")


def synthesise(
    tickets: int, quarter: str, seeds: Path, contracts: Path, out: Path, seed: int = 2022
) -> None:
    """Write synthetic ticket.csv, mailbox.csv, suggestion.csv and a notice for a quarter.

    `tickets` is the number dispatched in the quarter; about 3% more are dispatched in the quarter
    before and called back in this one. Rows are written in chunks, so that 10 million fit in 2 GiB.

    Raises:
        InputError: `quarter` isn't a quarter.
    """
    sources = load_contracts(contracts)
    plan = plans.synthetic(tickets, quarter, seeds, sources, seed)
    out.mkdir(parents=True, exist_ok=True)
    write_csv(rows.tickets(plan), sources["ticket"], out / "ticket.csv", EXCEL_UTF8)
    write_csv(rows.letters(plan), sources["mailbox"], out / "mailbox.csv", EXCEL_UTF8)
    write_csv(
        rows.suggestions(plan),
        sources["suggestion"],
        out / "suggestion.csv",
        "gb18030",
        SHORT_TIMES,
    )
    _write_notice(out, SYNTHETIC, SYNTHETIC_ENGLISH)


def _write_notice(out: Path, chinese: str, english: str) -> None:
    for name, text in ((NOTICE, chinese), (NOTICE_ENGLISH, english)):
        (out / name).write_text(text + "\n", encoding="utf-8")
