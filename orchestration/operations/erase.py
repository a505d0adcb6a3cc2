"""Carries out erasures in the lake, in every version and in the readers' copies.

Requests, and the checks of what they ask for, belong to `forget`.
"""

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import polars as pl

from orchestration.catalogue.measures import BUSINESS_ID
from orchestration.common.errors import InputError
from orchestration.common.files import sha256_of, write_atomically
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
)
from orchestration.ingest.lake import LakeFile, all_files, prove_again
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
from orchestration.reading.contracts import Contract
from orchestration.warehouse.connection import insert_rows, quoted

# The operator of an erasure that a retention rule makes.
RETENTION = "retention"
STAGED = ".forgetting-"


def complete_erasures(home: Home, contracts: dict[str, Contract]) -> None:
    """Carry out all erasures that are due, and make the warehouse fit this version.

    Due are the entries of the list that aren't carried out yet, and the sources whose retention
    period is over. The caller holds the home.

    Raises:
        InputError: there is no key or it isn't the list's, the home was built by Spark, a version
            is damaged, or a quarter can't be rebuilt.
    """
    settings = load_privacy_settings()
    append(home, list(expired(home, contracts, settings, date.today())))
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
    set_aside(home)  # the old warehouse holds numbers, too; `prepare` deletes it at the end
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


def entry(
    source: str, reason: str, operator: str, row_count: int, tombstone: str = "", quarter: str = ""
) -> Erasure:
    """An entry of the erasure log for an erasure that happens now."""
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


def append(home: Home, entries: Sequence[Erasure]) -> None:
    """Add entries to the erasure log."""
    if entries:
        write_atomically(home.erasures, as_text([*read_erasures(home), *entries]))


def expired(
    home: Home, contracts: Mapping[str, Contract], settings: PrivacySettings, today: date
) -> Iterator[Erasure]:
    """An entry for each source and quarter whose retention period is over."""
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
            yield entry(source, reason, RETENTION, row_count, quarter=quarter)


def _with_shared(home: Home, over: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Add the quarters that share an export: the lake holds its rows only once."""
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
    """The file with the hash of the last list carried out; in the lake, so a backup has both."""
    return home.erasures.with_suffix(".done")


def _list_sha256(home: Home) -> str:
    return sha256_of(home.erasures) if home.erasures.exists() else ""


def _is_due(home: Home) -> bool:
    done = _done(home).read_text(encoding="utf-8") if _done(home).exists() else ""
    return done != _list_sha256(home)


def _remove_unlisted(home: Home) -> None:
    """Delete lake files that no index names: a run died before it listed them.

    Their source and quarter are unknown. Their exports can be ingested again.
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
    """Write tombstones into a version's facts, and both hashes of each fact into the manifest."""
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
    """Finish the moves that a dead process began, and their entry in the publication log."""
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
    """Write a fact with tombstones to `target`; without any to make, write nothing: False."""
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
    """Move a version's staged files, if any, into place, the manifest last."""
    staged = folder.with_name(STAGED + folder.name)
    if not staged.exists():
        return
    for path in sorted(staged.iterdir(), key=lambda path: path.name == "manifest.json"):
        path.replace(folder / path.name)
    staged.rmdir()


def _renew_what_readers_see(home: Home) -> None:
    """Refresh the readers' copies and the audit reports; delete reports on stopped runs."""
    from orchestration.publish.audit.report import (  # not imported at a run's start
        remove_stopped,
        write_report,
    )

    if manifests(home):
        refresh_readers(home)
        refresh_tree(home)  # once more, because the previous tree is kept for readers
    for quarter in {file.quarter for file in all_files(home)}:
        remove_stopped(home, quarter)
    for quarter in {manifest["quarter"] for manifest in manifests(home)}:
        write_report(home, quarter, exports_root())
