"""Publishes a quarter's candidate, as a new version if it changes anything.

`publish` itself demands the gate's evidence, so no caller can bypass the gate. A version is a
folder that one rename puts in place. Everything else that readers see is derived from the versions
and can be made again. All of it is staged first. Then three renames put the version, the Parquet
tree and `marts.duckdb` in place, so that a full disk or a kill leaves each of them either old or
new. The publication is logged before as an intent, and after as complete. `audit.publication` and
`audit.restatement` are derived from the log and the manifests, so that an interrupted run leaves no
partial entry.
"""

import json
import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb

from orchestration.checks import reconciliation
from orchestration.checks.check_results import CheckResult
from orchestration.common.errors import InputError
from orchestration.common.files import sha256_of
from orchestration.common.quarters import Quarter
from orchestration.common.settings import Home
from orchestration.ingest.lake import LakeFile, current_files
from orchestration.publish import gate, publication_log
from orchestration.publish.candidate import Candidate, read_candidate
from orchestration.publish.publication_log import Entry
from orchestration.publish.published_tables import (
    export_readers_marts,
    readers_parquet,
    refresh_readers,
)
from orchestration.publish.versions import (
    FACT_PREFIX,
    LOGGED,
    digest_of,
    input_sha256,
    is_sound,
    latest_manifest,
    manifests,
    rules_sha256,
)
from orchestration.warehouse.connection import quoted
from orchestration.warehouse.provenance import code_version, lock_sha256
from orchestration.warehouse.raw_schema import CHANNEL_FACTS, DUE_ITEMS, KEY_COLUMNS

# The check that a changed version comes with a reason.
UNREASONED = "restated_without_reason"
DAYS_OF_A_YEAR = 366
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Publication:
    """The outcome of a publication: `is_new` is false if no figure or source row changed.

    `controls` are those of the published build.
    """

    quarter: str
    version: int
    is_new: bool
    restatement_count: int
    controls: list[dict[str, Any]]


def publish(home: Home, quarter: str, run_id: str, reason: str) -> Publication:
    """Publish a quarter's candidate.

    A new version is made only if a figure or the rows behind it changed. Its restatements list the
    changed figures (none if an export only arrived in another form). The readers' copies are
    refreshed in either case, because the audit tables grow with every run.

    Args:
        home: the home whose candidate is published.
        quarter: such as 2022Q2.
        run_id: the run that publishes it.
        reason: the operator's reason for a change; required if the quarter differs from the last
            version.

    Raises:
        InputError: the evidence is incomplete, a check failed, or the reason is missing.
    """
    evidence = gate.demand(home, quarter)
    candidate, previous = evidence.candidate, latest_manifest(home, quarter)
    is_new = previous is None or previous["outputs"] != candidate.outputs
    is_unreasoned = previous is not None and is_new and not reason
    check = CheckResult(UNREASONED, "publication", "error", not is_unreasoned, int(is_unreasoned))
    gate.record(home, run_id, quarter, [check])
    if is_unreasoned:
        raise InputError(
            code=UNREASONED,
            found=f"{quarter} 与已发布的上一版不同，而没有说明原因",
            expected="有改变就说明原因",
            action=f'核对后运行 hotline run {quarter} --reason "为什么更正"'
            "（在 Dagster 中给运行加标签 hotline/reason）",
        )
    if previous is not None and not is_new:
        manifest, staged = previous, None
        place = home.version_manifest(quarter, manifest["version"]).parent
        _mend(home, candidate, place)
        sha256 = sha256_of(place / "manifest.json")
    else:
        manifest = _manifest(home, evidence, previous, run_id, reason)
        staged = _stage(home, candidate, manifest)
        place = home.version_manifest(quarter, manifest["version"]).parent
        place.parent.mkdir(parents=True, exist_ok=True)
        sha256 = sha256_of(staged / "manifest.json")
    entry = Entry(
        quarter,
        manifest["version"],
        sha256,
        publication_log.now(),
        candidate.run_id,
        candidate.compared_version,
    )
    publication_log.intend(home, entry)
    refresh_readers(home, entry, staged, place)
    publication_log.complete(home)
    restated = len(manifest["restatements"]) if is_new else 0
    return Publication(quarter, manifest["version"], is_new, restated, evidence.controls)


def changed_figures(home: Home, quarter: str) -> list[dict[str, str | None]]:
    """Every figure of the candidate that differs from the quarter's last version.

    Returns:
        One entry per figure, ranks included: table_name, unit_code (empty if the row has no unit),
        measure (prefixed by the row's other keys), old_value and new_value (None if missing).
    """
    previous = latest_manifest(home, quarter)
    if previous is None:
        return []
    old_folder = home.version_manifest(quarter, previous["version"]).parent
    changed = []
    with duckdb.connect() as connection:
        for table, file in sorted(read_candidate(home, quarter).marts.items()):
            old_file = old_folder / f"{table}.parquet"
            old = _figures(connection, old_file) if old_file.exists() else {}
            new = _figures(connection, file)
            changed += [
                {
                    "table_name": table,
                    "unit_code": unit_code,
                    "measure": measure,
                    "old_value": old.get((unit_code, measure)),
                    "new_value": new.get((unit_code, measure)),
                }
                for unit_code, measure in sorted(old.keys() | new.keys())
                if old.get((unit_code, measure)) != new.get((unit_code, measure))
            ]
    return changed


def compared_files(home: Home, quarter: str) -> list[Path]:
    """The published files that a quarter is compared with.

    These are the marts of its own last version, and the marts of the previous quarter with the
    facts whose items may have stayed open.

    Raises:
        InputError: a file is damaged.
    """
    previous = str(Quarter.parse(quarter).previous)
    return [*last_version_marts(home, quarter), *_previous_files(home, previous)]


def _previous_files(home: Home, previous: str) -> Iterator[Path]:
    yield from last_version_marts(home, previous)
    manifest = latest_manifest(home, previous)
    if manifest is None:
        return
    for fact in CHANNEL_FACTS:
        path = home.version_manifest(previous, manifest["version"]).with_name(f"{fact}.parquet")
        if not is_sound(path, manifest["outputs"].get(fact, "")):
            raise InputError(
                code="damaged_version",
                file=str(path.relative_to(home.root)),
                found="已发布的文件损坏或丢失",
                expected="发布时写下的文件",
                action=f"重新运行 hotline run {previous}，或从备份（hotline backup）中取回它",
            )
        yield path


def last_version_marts(home: Home, quarter: str) -> list[Path]:
    """The marts' Parquet files of a quarter's last version; none if it was never published.

    A damaged file is first rewritten from `marts.duckdb`, whose rows give the same bytes.

    Raises:
        InputError: a file is damaged, and so is its table in `marts.duckdb`.
    """
    previous = latest_manifest(home, quarter)
    if previous is None:
        return []
    folder = home.version_manifest(quarter, previous["version"]).parent
    marts = {
        folder / f"{table}.parquet": sha256
        for table, sha256 in sorted(previous["outputs"].items())
        if not table.startswith(FACT_PREFIX)
    }
    damaged = [path for path, sha256 in marts.items() if not is_sound(path, sha256)]
    if damaged:
        aside = home.scratch / "mended"
        shutil.rmtree(aside, ignore_errors=True)
        found = export_readers_marts(home, quarter, aside)
    for path in damaged:
        if found.get(path.stem) != marts[path]:
            raise InputError(
                code="damaged_version",
                file=str(path.relative_to(home.root)),
                found="已发布的文件损坏，marts.duckdb 里的这个表也与发布时不同",
                expected="两者至少有一个是发布时的内容",
                action="从备份（hotline backup）中取回这一个文件后重新运行",
            )
        (aside / path.name).replace(path)
        _log.warning("已发布的 %s 损坏或丢失，已由 marts.duckdb 重写", path.relative_to(home.root))
    return list(marts)


def published_facts(home: Home, quarter: Quarter) -> list[Path]:
    """The facts' Parquet files of the latest versions of other quarters within a year.

    Instead of a damaged file, its copy in the readers' tree is returned.

    Raises:
        InputError: a file is damaged, and so is its copy.
    """
    found = []
    latest = {manifest["quarter"]: manifest for manifest in manifests(home)}
    for name, manifest in latest.items():
        other = Quarter.parse(name)
        if other == quarter or abs((other.start - quarter.start).days) > DAYS_OF_A_YEAR:
            continue
        version = home.version_manifest(name, manifest["version"])
        for table in sorted(DUE_ITEMS.keys() & manifest["outputs"].keys()):
            sha256 = manifest["outputs"][table]
            paths = (version.with_name(f"{table}.parquet"), readers_parquet(home, name, table))
            sound = next((path for path in paths if is_sound(path, sha256)), None)
            if sound is None:
                raise InputError(
                    code="damaged_version",
                    file=str(paths[0].relative_to(home.root)),
                    found="已发布的文件损坏或丢失，读者的那一份也不是发布时的内容",
                    expected="两者至少有一个是发布时的内容",
                    action="从备份（hotline backup）中取回这一个文件后重新运行",
                )
            found.append(sound)
    return found


def changed_files(home: Home, quarter: str) -> list[str]:
    """The names of the current files that the quarter's last version wasn't made from."""
    previous = latest_manifest(home, quarter)
    used = {entry["file_sha256"] for entry in previous["inputs"]} if previous else set()
    files = [f.file_name for f in current_files(home, quarter) if f.file_sha256 not in used]
    return list(dict.fromkeys(files))  # a workbook of several sources is named once


def _stage(home: Home, candidate: Candidate, manifest: dict[str, Any]) -> Path:
    """Stage the folder of a new version: hard links to the candidate's files, and the manifest."""
    folder = home.scratch / f"version-{candidate.quarter}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for table in candidate.outputs:
        (folder / f"{table}.parquet").hardlink_to(candidate.folder / f"{table}.parquet")
    text = json.dumps(manifest, ensure_ascii=False, indent=1) + "\n"
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    return folder


def _manifest(
    home: Home,
    evidence: gate.Evidence,
    previous: dict[str, Any] | None,
    run_id: str,
    reason: str,
) -> dict[str, Any]:
    candidate = evidence.candidate
    quarter, before = candidate.quarter, str(Quarter.parse(candidate.quarter).previous)
    compared = candidate.compared_version
    with duckdb.connect() as connection:
        row = connection.execute(
            "select max(policy_version) from read_parquet(?)",
            [str(candidate.marts["hotline_unit_quarter"])],
        ).fetchone()
    return {
        "quarter": quarter,
        "version": previous["version"] + 1 if previous else 1,
        "run_id": run_id,
        "published_at": publication_log.now(),
        "as_of": str(Quarter.parse(quarter).end - timedelta(days=1)),
        "code_version": code_version(),
        "lock_sha256": lock_sha256(),
        "policy_version": row[0] if row else "",
        "rules_sha256": rules_sha256(),
        "inputs": [_input(file) for file in current_files(home, quarter)],
        LOGGED: {"quarter": before, "version": compared} if compared else None,
        "input_sha256": input_sha256(home, quarter),
        "outputs": candidate.outputs,
        "output_sha256": digest_of(candidate.outputs),
        "checks": evidence.counts,
        "controls": {
            group.control_group: {"match": group.match, "explained": group.explained}
            for group in reconciliation.summarise(evidence.controls)
        },
        "restatements": _restatements(home, quarter, reason) if previous else [],
    }


def _input(file: LakeFile) -> dict[str, str]:
    return {"source": file.source, "file_name": file.file_name, "file_sha256": file.file_sha256}


def _restatements(home: Home, quarter: str, reason: str) -> list[dict[str, Any]]:
    """Every figure that differs from the last version, with the operator's reason and the cause."""
    files = changed_files(home, quarter)
    cause = f"来源文件变更：{'、'.join(files)}" if files else "业务规则、程序或上季度数据变更"
    told = {"reason": f"{reason}（{cause}）"}
    return [figure | told for figure in changed_figures(home, quarter)]


def _figures(connection: duckdb.DuckDBPyConnection, file: Path) -> dict[tuple[str, str], str]:
    """A mart as {(unit code or empty, measure): value as text}; other keys prefix the measure."""
    cursor = connection.execute(f"from read_parquet('{quoted(file)}')")
    columns = [column[0] for column in cursor.description or []]
    figures = {}
    for values in cursor.fetchall():
        row = dict(zip(columns, values, strict=True))
        prefix = "".join(f"{row[key]}." for key in KEY_COLUMNS[1:] if key in row)
        for column, value in row.items():
            if column not in KEY_COLUMNS and column != "quarter" and value is not None:
                figures[str(row.get("unit_code", "")), prefix + column] = str(value)
    return figures


def _mend(home: Home, candidate: Candidate, version: Path) -> None:
    """Restore a version's damaged or missing files from the candidate, which has the same bytes."""
    for table, sha256 in candidate.outputs.items():
        path = version / f"{table}.parquet"
        if not is_sound(path, sha256):
            mended = home.scratch / path.name
            shutil.copyfile(candidate.folder / path.name, mended)
            mended.replace(path)
