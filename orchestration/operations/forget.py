"""Forgetting: making tombstones of rows in all that a home holds, without changing a figure.

What a tombstone is, and the list of them, is `ingest.erasure`'s. Here an entry gets onto the list,
on request (`hotline forget`) or by the retention rule (at the start of a run), and what the list
says is done to a home:

- the lake's files are written anew; their names are their exports' hashes and stay;
- the facts of every published version are written anew. The manifest says which, with the hash of
  before and after, so that `hotline verify` explains it; the marts keep their bytes;
- the working warehouse is rebuilt, the readers' copies and the audit pages are made anew; the
  documents of `hotline docs` and reports on stopped runs go, as each can be made again;
- numbers that a run told Dagster are taken out of its storage.

`orchestration.operations.places` lists every place where a number or a name can be.

What is to be done is written first, that it was done last: what a dying process leaves undone, the
next run does. Out of reach are the office's exports and older backups: the runbook says what an
operator does with them.
"""

import json
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import polars as pl

from orchestration.catalogue.measures import BUSINESS_ID
from orchestration.common.errors import InputError
from orchestration.common.home import empty_scratch, remove_scratch
from orchestration.common.lock import writer
from orchestration.common.privacy import PrivacySettings, load_privacy_settings
from orchestration.common.quarters import Quarter
from orchestration.common.settings import Home, engine, exports_root
from orchestration.ingest.erasure import (
    Erasure,
    Rule,
    as_text,
    key_mark,
    number_column,
    read_erasures,
    rule_for,
    tombstone,
)
from orchestration.ingest.lake import (
    LakeFile,
    all_files,
    prove_again,
    pseudonym,
    sha256_of,
    write_atomically,
)
from orchestration.operations.places import remove
from orchestration.operations.rebuild import prepare, set_aside
from orchestration.publish.publication_log import (
    begin,
    complete,
    intend,
    last_entries,
    now,
    read_intent,
    read_log,
)
from orchestration.publish.published_tables import refresh_readers, refresh_tree
from orchestration.publish.versions import digest_of, manifests, write_parquet
from orchestration.reading.canonical import BLANKS, canonical_identity
from orchestration.reading.contracts import Contract, hash_key
from orchestration.warehouse.connection import insert_rows, quoted

WAIT_SECONDS = 10.0
"""How long a person at the terminal waits for a run to end."""
RETENTION = "retention"
"""Who forgets, where it is the rule and nobody in person."""
STAGED = ".forgetting-"
TEXT_COLUMNS = (
    "select tables.name, columns.name from sqlite_master as tables, "
    "pragma_table_info(tables.name) as columns "
    "where tables.type = 'table' and (columns.type like 'text%' or columns.type like 'varchar%')"
)


@dataclass(frozen=True)
class Forgotten:
    """What a request did: numbers forgotten now and before, rows of the lake, quarters touched."""

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
    """Forget numbers of a source wherever they stand in a home; again changes nothing.

    Args:
        home: the data folder; held meanwhile.
        contracts: those in force.
        quarter: where the numbers are looked up, such as 2022Q2.
        source: such as `ticket`.
        numbers: as written in the exports.
        reason: why, for the log.
        operator: who does it, for the log.

    Raises:
        InputError: nothing was forgotten: no reason or operator, an unknown source, quarter or
            number (told by its place in the list), no key, or a home that is held.
    """
    asked = list(dict.fromkeys(number.strip(BLANKS) for number in numbers if number.strip(BLANKS)))
    _check_request(home, contracts, quarter, source, asked, reason, operator)
    asked = [_in_lake(contracts[source], number) for number in asked]
    marks = {number: tombstone(contracts[source], number) for number in dict.fromkeys(asked)}
    asked = list(marks)
    with writer(home, "forget", WAIT_SECONDS), _scratch(home):
        settle(home, contracts)
        found, written = _count_rows(home, contracts[source], {*marks, *marks.values()})
        _check_known(found.get(quarter, Counter()), quarter, marks)
        counts = {number: sum(rows[number] for rows in found.values()) for number in asked}
        new = {number: count for number, count in counts.items() if count}
        _append(
            home,
            [
                _entry(source, reason, operator, count, tombstone=marks[number])
                for number, count in new.items()
            ],
        )
        settle(home, contracts)
        told = {text: marks[number] for text, number in written.items() if number in marks}
        _sweep_dagster(home, marks | told)
    touched = sorted(quarter for quarter, rows in found.items() if rows.keys() & new.keys())
    return Forgotten(len(new), len(asked) - len(new), sum(new.values()), tuple(touched))


def read_numbers(path: Path) -> list[str]:
    """The numbers of a text file, one a line.

    Raises:
        InputError: it can't be read as UTF-8.
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


def settle(home: Home, contracts: dict[str, Contract]) -> None:
    """Bring a home that is held to where its list, its settings and this version want it.

    Raises:
        InputError: no key, another key than the list's, or a quarter that can't be rebuilt.
    """
    settings = load_privacy_settings()
    _append(home, list(expired(home, contracts, settings, date.today())))
    if not _is_due(home):
        prepare(home, contracts)
        return
    if engine() == "spark":
        raise InputError(
            code="forget_on_spark",
            found="这个数据目录由 Spark 建，它的事实表在别处，这里改不到",
            expected="由 DuckDB 建的数据目录",
            action="去掉 HOTLINE_ENGINE，在由 DuckDB 建的数据目录里遗忘",
        )
    erasures = read_erasures(home)
    _resume(home)
    rules = [
        (file, rule_for(erasures, contracts[file.source], file.quarter))
        for file in all_files(home)
        if file.source in contracts
    ]
    set_aside(home)  # until all is done; it holds numbers, too
    for file, rule in rules:
        if rule and file.parquet(home).exists():
            _erase_lake_file(home, file, rule)
    _remove_unlisted(home)
    remove(home)
    for manifest in manifests(home):
        _erase_version(home, manifest, contracts, erasures)
    prepare(home, contracts)
    _renew_what_readers_see(home)
    write_atomically(_done(home), _list_sha256(home))


@contextmanager
def _scratch(home: Home) -> Iterator[None]:
    """The home's folder for temporary files, empty at first and gone at the end."""
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
    """A number's canonical form in the lake, where a contract may have made a pseudonym of it."""
    (column,) = (c for c in contract.columns if c.name == number_column(contract))
    written = pseudonym(hash_key(), number) or number if column.personal else number
    return canonical_identity(written, contract)


def _check_known(rows: Counter[str], quarter: str, marks: Mapping[str, str]) -> None:
    """Refuse the whole request where a number isn't in the quarter, forgotten or not."""
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
    """How many rows of the lake have each identity, by quarter; and how each is written there."""
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


def _entry(
    source: str, reason: str, operator: str, row_count: int, tombstone: str = "", quarter: str = ""
) -> Erasure:
    return Erasure(
        source=source,
        tombstone=tombstone,
        quarter=quarter,
        erased_at=f"{datetime.now():%Y-%m-%d %H:%M:%S}",
        operator=operator.strip(),
        reason=reason.strip(),
        row_count=row_count,
        key_mark=key_mark(),
    )


def _append(home: Home, entries: Sequence[Erasure]) -> None:
    if entries:
        write_atomically(home.erasures, as_text([*read_erasures(home), *entries]))


def expired(
    home: Home, contracts: Mapping[str, Contract], settings: PrivacySettings, today: date
) -> Iterator[Erasure]:
    """An entry for each source of a quarter whose time by the retention rule is over."""
    months = settings.retention_months
    if months is None:
        return
    reached = today.year * 12 + today.month - months
    listed = {(entry.source, entry.quarter) for entry in read_erasures(home)}
    rows: Counter[tuple[str, str]] = Counter()
    for file in all_files(home):
        rows[file.source, file.quarter] += file.row_count
    over = {
        (source, quarter)
        for source, quarter in rows
        if (end := Quarter.parse(quarter).end).year * 12 + end.month <= reached
    }
    for (source, quarter), row_count in sorted(rows.items()):
        people = source in contracts and number_column(contracts[source])
        if (
            (source, quarter) in _with_shared(home, over)
            and people
            and (source, quarter) not in listed
        ):
            reason = f"留存期 {months} 个月已满"
            yield _entry(source, reason, RETENTION, row_count, quarter=quarter)


def _with_shared(home: Home, over: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Also the quarters that have an export in common: its rows are in the lake once for all."""
    quarters: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for file in all_files(home):
        shared = quarters.setdefault((file.source, file.file_sha256), set())
        shared.add((file.source, file.quarter))
    found = set(over)
    while more := {
        entry for shared in quarters.values() if shared & found for entry in shared - found
    }:
        found |= more
    return found


def _done(home: Home) -> Path:
    """Says of which list everything was done; kept with the lake, so a backup has both."""
    return home.erasures.with_suffix(".done")


def _list_sha256(home: Home) -> str:
    return sha256_of(home.erasures) if home.erasures.exists() else ""


def _is_due(home: Home) -> bool:
    done = _done(home).read_text(encoding="utf-8") if _done(home).exists() else ""
    return done != _list_sha256(home)


def _remove_unlisted(home: Home) -> None:
    """Take lake files away that no index names: a run died before it listed them.

    Nobody can say whose they are; their exports bring them back.
    """
    listed = {file.parquet(home) for file in all_files(home)}
    for path in home.lake.glob("*/*.parquet"):
        if path not in listed:
            path.unlink()


def _erase_lake_file(home: Home, file: LakeFile, rule: Rule) -> None:
    path, column = file.parquet(home), number_column(rule.contract)
    numbers = pl.scan_parquet(path).select(pl.col(column).drop_nulls().unique()).collect()[column]
    if not rule.is_whole and not any(rule(number) for number in numbers):
        return
    with TemporaryDirectory(dir=home.scratch) as folder:
        written = Path(folder) / path.name
        rule.erase(pl.scan_parquet(path)).sink_parquet(
            written, compression="zstd", compression_level=1, maintain_order=True
        )
        written.replace(path)
    prove_again(home, file)


def _erase_version(
    home: Home,
    manifest: Mapping[str, Any],
    contracts: Mapping[str, Contract],
    erasures: Sequence[Erasure],
) -> None:
    """Make tombstones in a version's facts; the manifest tells the hashes of before and after."""
    quarter = manifest["quarter"]
    folder = home.version_manifest(quarter, manifest["version"]).parent
    sources = {number_column(contract): contract for contract in contracts.values()}
    outputs, changed = dict(manifest["outputs"]), {}
    staged = home.scratch / f"{STAGED}{quarter}-{folder.name}"
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir()
    for fact, column in BUSINESS_ID.items():
        path, contract = folder / f"{fact}.parquet", sources.get(column)
        rule = rule_for(erasures, contract, quarter) if contract else None
        if rule is None or not path.exists():
            continue
        if (before := sha256_of(path)) != outputs.get(fact):
            raise _damaged(path)
        if _erase_fact(path, column, rule, staged / path.name):
            outputs[fact] = sha256_of(staged / path.name)
            changed[fact] = {"before": before, "after": outputs[fact]}
    if changed:
        told = {
            "erased_at": f"{datetime.now():%Y-%m-%d %H:%M:%S}",
            "output_sha256_before": manifest["output_sha256"],
            "tables": changed,
        }
        new = dict(manifest) | {
            "outputs": outputs,
            "output_sha256": digest_of(outputs),
            "erasures": [*manifest.get("erasures", []), told],
        }
        text = json.dumps(new, ensure_ascii=False, indent=1) + "\n"
        (staged / "manifest.json").write_text(text, encoding="utf-8")
        begin(home, manifests(home))
        logged = last_entries(read_log(home))[quarter, manifest["version"]]
        sha256 = sha256_of(staged / "manifest.json")
        entry = replace(logged, manifest_sha256=sha256, published_at=now(), event="erasure")
        intend(home, entry)
        staged.rename(folder.with_name(STAGED + folder.name))
        _finish_moves(folder)
        complete(home)


def _resume(home: Home) -> None:
    """Finish what a process that died had begun to move, and the log's line on it."""
    for staged in (home.published / "versions").glob(f"*/{STAGED}v*"):
        _finish_moves(staged.with_name(staged.name.removeprefix(STAGED)))
    intended = read_intent(home)
    if intended and intended.event == "erasure":
        complete(home)


def _damaged(path: Path) -> InputError:
    return InputError(
        code="damaged_version",
        file="/".join(path.parts[-3:]),
        found="与版本清单记录的哈希不同，不能在其中遗忘",
        expected="发布时写下的文件",
        action="由备份恢复已发布的版本（见运行手册），再重新运行",
    )


def _erase_fact(path: Path, column: str, rule: Rule, target: Path) -> bool:
    """Write a version's facts with tombstones; False, and no file, if there are none to make."""
    numbers = pl.read_parquet(path, columns=[column])[column].drop_nulls().unique()
    names = [(number, name) for number in numbers if (name := rule(number))]
    if not names:
        return False
    with duckdb.connect() as connection:
        connection.execute("create table tombstone (number varchar, name varchar)")
        insert_rows(connection, "tombstone", names)
        rows = (
            f"select fact.* replace (coalesce(tombstone.name, fact.{column}) as {column}) "  # noqa: S608 (our own names)
            f"from read_parquet('{quoted(path)}') as fact "
            f"left join tombstone on tombstone.number = fact.{column}"
        )
        write_parquet(connection, rows, target)
    return True


def _finish_moves(folder: Path) -> None:
    """Put a version's staged files, if any, in their places, the manifest last."""
    staged = folder.with_name(STAGED + folder.name)
    if not staged.exists():
        return
    for path in sorted(staged.iterdir(), key=lambda path: path.name == "manifest.json"):
        path.replace(folder / path.name)
    staged.rmdir()


def _renew_what_readers_see(home: Home) -> None:
    """Make anew, or take away until it is made again, what tells single rows."""
    from orchestration.publish.audit.report import (  # not at a run's start
        remove_stopped,
        write_report,
    )

    if manifests(home):
        refresh_readers(home)
        refresh_tree(home)  # once more: the tree before the last stays for readers
    for quarter in {file.quarter for file in all_files(home)}:
        remove_stopped(home, quarter)
    for quarter in {manifest["quarter"] for manifest in manifests(home)}:
        write_report(home, quarter, exports_root())


def _sweep_dagster(home: Home, marks: Mapping[str, str]) -> None:
    """Put tombstones in the place of numbers that runs told Dagster, such as of changed rows."""
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
                connection.execute("vacuum")  # what was replaced doesn't stay in free pages
                connection.execute("pragma wal_checkpoint(truncate)")
        except sqlite3.OperationalError as error:
            raise InputError(
                code="dagster_busy",
                file=path.name,
                found="Dagster 的存储正被占用，里面可能还有这些编号",
                expected="没有打开的 hotline ui",
                action="关闭 hotline ui 后再运行一次同样的命令",
            ) from error
