"""Requests to forget numbers: rows become tombstones everywhere in a home; no figure changes.

`ingest.erasure` defines tombstones and the list of them. This module adds entries on request
(`hotline forget`). `erase` adds entries by the retention rule (at the start of a run) and applies
the list to a home:

- the lake's files are rewritten. They keep their names, which are the hashes of their exports;
- the facts of every published version are rewritten. The manifest lists them with the hashes before
  and after, so that `hotline verify` can explain the change. The marts keep their bytes;
- the working warehouse is rebuilt, and the readers' copies and the audit pages are refreshed. The
  documents of `hotline docs` and reports on stopped runs are deleted, as they can be made again.

On request, the numbers are also replaced in Dagster's storage, where runs recorded some of them.
`orchestration.operations.places` lists every place that can hold a number or a name.

Intent is logged before the change and completion after it, so that the next run can resume. The
office's exports and older backups are out of reach; the runbook says what an operator does with
them.
"""

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from orchestration.common.errors import InputError
from orchestration.common.home import empty_scratch, remove_scratch
from orchestration.common.lock import writer
from orchestration.common.quarters import Quarter
from orchestration.common.settings import Home
from orchestration.ingest.erasure import (
    number_column,
    tombstone,
)
from orchestration.ingest.lake import all_files, pseudonym
from orchestration.operations.erase import append, complete_erasures, entry
from orchestration.reading.canonical import BLANKS, canonical_identity
from orchestration.reading.contracts import Contract, hash_key

# Seconds to wait for a run to end before giving up.
WAIT_SECONDS = 10.0
TEXT_COLUMNS = (
    "select tables.name, columns.name from sqlite_master as tables, "
    "pragma_table_info(tables.name) as columns "
    "where tables.type = 'table' and (columns.type like 'text%' or columns.type like 'varchar%')"
)


@dataclass(frozen=True)
class Forgotten:
    """The result of a request: numbers forgotten now and before, lake rows, quarters affected."""

    new: int
    earlier: int
    row_count: int
    quarters: tuple[str, ...]


def forget(
    home: Home,
    contracts: dict[str, Contract],
    quarter: str,
    source: str,
    numbers: Sequence[str],
    reason: str,
    operator: str,
) -> Forgotten:
    """Forget a source's numbers everywhere in a home; a repeated request changes nothing.

    Args:
        home: the data folder; it is locked meanwhile.
        contracts: the contracts in force.
        quarter: where the numbers are looked up, such as 2022Q2.
        source: such as `ticket`.
        numbers: as written in the exports.
        reason: why, for the log.
        operator: who does it, for the log.

    Raises:
        InputError: nothing was forgotten, because the reason, the operator or the key is missing,
            the source, the quarter or a number is unknown (a number is named by its place in the
            list), or the home is in use. Or Dagster's storage is in use: the numbers are forgotten
            everywhere but there.
    """
    asked = list(dict.fromkeys(number.strip(BLANKS) for number in numbers if number.strip(BLANKS)))
    _check_request(home, contracts, quarter, source, asked, reason, operator)
    asked = [_in_lake(contracts[source], number) for number in asked]
    marks = {number: tombstone(contracts[source], number) for number in dict.fromkeys(asked)}
    asked = list(marks)
    with writer(home, "forget", WAIT_SECONDS), _scratch(home):
        complete_erasures(home, contracts)
        found, written = _count_rows(home, contracts[source], {*marks, *marks.values()})
        _check_known(found.get(quarter, Counter()), quarter, marks)
        counts = {number: sum(rows[number] for rows in found.values()) for number in asked}
        new = {number: count for number, count in counts.items() if count}
        append(
            home,
            [
                entry(source, reason, operator, count, tombstone=marks[number])
                for number, count in new.items()
            ],
        )
        complete_erasures(home, contracts)
        told = {text: marks[number] for text, number in written.items() if number in marks}
        _sweep_dagster(home, marks | told)
    touched = sorted(quarter for quarter, rows in found.items() if rows.keys() & new.keys())
    return Forgotten(len(new), len(asked) - len(new), sum(new.values()), tuple(touched))


def read_numbers(path: Path) -> list[str]:
    """The numbers of a text file, one per line.

    Raises:
        InputError: the file can't be read as UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            code="bad_numbers",
            file=path.name,
            found="读不到，或不是 UTF-8 的文本",
            expected="UTF-8 的文本文件，一行一个编号",
            action="改正 --file，或另存为 UTF-8 后重新运行",
        ) from error


@contextmanager
def _scratch(home: Home) -> Iterator[None]:
    """Empty the home's folder for temporary files at the start, and remove it at the end."""
    empty_scratch(home)
    try:
        yield
    finally:
        remove_scratch(home)


def _check_request(
    home: Home,
    contracts: Mapping[str, Contract],
    quarter: str,
    source: str,
    asked: Sequence[str],
    reason: str,
    operator: str,
) -> None:
    known = [name for name, contract in contracts.items() if number_column(contract)]
    if source not in known:
        raise InputError(
            code="unknown_source",
            found=f"没有来源「{source}」",
            expected="、".join(known),
            action="改正 --source 后重新运行",
        )
    for option, text in (("--reason", reason), ("--operator", operator)):
        if not text.strip():
            raise InputError(
                code=f"missing_{option[2:]}",
                found=f"没有给出 {option}",
                expected="为什么遗忘、谁来办，都记入日志",
                action=f"加上 {option} 后重新运行；其中不要写当事人的姓名、电话或编号",
            )
    if not asked:
        raise InputError(
            code="missing_number",
            found="没有给出编号",
            expected="写在季度后面的编号，或 --file 一行一个编号的文本文件",
            action="给出编号后重新运行",
        )
    Quarter.parse(quarter)
    loaded = sorted({file.quarter for file in all_files(home) if file.source == source})
    if quarter not in loaded:
        raise InputError(
            code="unknown_quarter",
            found=f"原始湖里没有 {quarter} 的这个来源",
            expected=f"装载过的季度：{'、'.join(loaded) or '（还没有）'}",
            action="改正季度、--source 或 --home 后重新运行",
        )


def _in_lake(contract: Contract, number: str) -> str:
    """A number's canonical form in the lake: its pseudonym, if the contract asks for one."""
    (column,) = (c for c in contract.columns if c.name == number_column(contract))
    written = pseudonym(hash_key(), number) or number if column.personal else number
    return canonical_identity(written, contract)


def _check_known(rows: Counter[str], quarter: str, marks: Mapping[str, str]) -> None:
    """Refuse the whole request if the quarter has neither a number nor its tombstone."""
    unknown = [
        str(place)
        for place, (number, mark) in enumerate(marks.items(), start=1)
        if not rows[number] and not rows[mark]
    ]
    if unknown:
        raise InputError(
            code="unknown_number",
            found=f"{quarter} 里没有第 {'、'.join(unknown)} 个编号，一个也没有遗忘",
            expected="与导出文件中一字不差的编号",
            action="核对编号、季度与 --source 后重新运行",
        )


def _count_rows(
    home: Home, contract: Contract, wanted: set[str]
) -> tuple[dict[str, Counter[str]], dict[str, str]]:
    """Count the lake's rows with each identity by quarter, and collect how each is written."""
    column = number_column(contract)
    found: dict[str, Counter[str]] = {}
    written: dict[str, str] = {}
    for file in all_files(home):
        if file.source == contract.source and file.parquet(home).exists():
            counted = found.setdefault(file.quarter, Counter())
            rows = pl.scan_parquet(file.parquet(home)).select(pl.col(column).drop_nulls())
            for text, count in rows.collect()[column].value_counts().iter_rows():
                number = text if text in wanted else canonical_identity(text, contract)
                if number in wanted:
                    counted[number] += count
                    written[text.strip(BLANKS)] = number
    return found, written


def _sweep_dagster(home: Home, marks: Mapping[str, str]) -> None:
    """Replace numbers in Dagster's storage with tombstones, such as those of changed rows."""
    spellings = {json.dumps(number)[1:-1]: mark for number, mark in marks.items()} | dict(marks)
    one = re.compile("|".join(rf"(?<!\w){re.escape(text)}(?!\w)" for text in spellings))

    def swept(text: Any) -> Any:
        return one.sub(lambda hit: spellings[hit[0]], text) if isinstance(text, str) else text

    for path in sorted(home.dagster.rglob("*.db")):
        try:
            with closing(sqlite3.connect(path, isolation_level=None)) as connection:
                connection.create_function("swept", 1, swept, deterministic=True)
                for table, column in connection.execute(TEXT_COLUMNS).fetchall():
                    connection.execute(
                        f'update "{table}" set "{column}" = swept("{column}") '  # noqa: S608 (names from the schema)
                        f'where "{column}" is not swept("{column}")'
                    )
                connection.execute("vacuum")  # otherwise the old values stay in free pages
                connection.execute("pragma wal_checkpoint(truncate)")
        except sqlite3.OperationalError as error:
            raise InputError(
                code="dagster_busy",
                file=path.name,
                found="Dagster 的存储正被占用，里面可能还有这些编号",
                expected="没有打开的 hotline ui",
                action="关闭 hotline ui 后再运行一次同样的命令",
            ) from error
