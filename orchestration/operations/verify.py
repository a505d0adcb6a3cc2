"""Rebuilds a published version from its recorded inputs, in a temporary home.

The same inputs and rules must give the same bytes, on any machine and in any folder.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from orchestration.common.errors import InputError
from orchestration.common.files import sha256_of, write_atomically
from orchestration.common.quarters import Quarter
from orchestration.common.settings import Home, contracts_root
from orchestration.ingest.lake import LakeFile, all_files, ingest_source
from orchestration.publish.published_tables import export_readers_marts, readers_parquet
from orchestration.publish.versions import (
    FACT_PREFIX,
    LOGGED,
    export_outputs,
    is_sound,
    published_manifest,
    rules_sha256,
)
from orchestration.reading.contracts import Contract, load_contracts
from orchestration.warehouse.dbt import build, parse_project
from orchestration.warehouse.raw_schema import register_raw


@dataclass(frozen=True)
class Comparison:
    """The hashes of one output; empty if the output is missing.

    `readers_table` is the hash of the table in `marts.duckdb`, exported to Parquet again. It is
    None for a fact, because `marts.duckdb` holds no facts.
    """

    table: str
    recorded: str
    rebuilt: str
    readers_copy: str
    readers_table: str | None

    @property
    def is_same(self) -> bool:
        """Whether the rebuilt output and both readers' copies have the recorded hash."""
        copies = (self.rebuilt, self.readers_copy, self.readers_table)
        return all(copy == self.recorded for copy in copies if copy is not None)


@dataclass(frozen=True)
class Verification:
    """The result for a version. `broken` names the dbt nodes with an error or a failed test."""

    version: int
    comparisons: list[Comparison]
    rules_changed: bool
    broken: list[str]
    erasures: list[Mapping[str, Any]]
    """What was forgotten in the version since, from its manifest."""
    upgrades: list[str]
    """Of tables whose columns are others now: which, and whether the ones in common agree."""

    @property
    def is_same(self) -> bool:
        """Whether every table and every readers' copy is identical to what was published."""
        return all(row.is_same for row in self.comparisons)


def verify(home: Home, exports: Path, quarter: str) -> Verification:
    """Rebuild a quarter's latest version, and compare every output and every readers' copy.

    Args:
        home: the home whose publication is verified; it is only read.
        exports: where to look for inputs that are missing from the lake.
        quarter: such as 2022Q2.

    Raises:
        InputError: the quarter isn't published, or an input is in neither the lake nor the exports.
    """
    manifest = published_manifest(home, quarter)
    contracts = load_contracts(contracts_root())
    this = Quarter.parse(quarter)
    compared = compared_version_files(home, manifest)
    # Versions older than the publication log were compared with the previous quarter as it was
    # loaded, published or not. That quarter is built first.
    earlier = [] if LOGGED in manifest else manifest.get("previous_inputs", [])
    steps = [(this.previous, earlier), (this, manifest["inputs"])]
    with TemporaryDirectory(prefix="hotline-verify-") as folder:
        scratch = Home(Path(folder).resolve() / "home")
        scratch.scratch.mkdir(parents=True)
        if home.erasures.exists():  # forgotten numbers stay forgotten in files ingested again
            scratch.lake.mkdir()
            shutil.copyfile(home.erasures, scratch.erasures)
        steps = [(step, inputs) for step, inputs in steps if inputs]
        for step, inputs in steps:
            _bring(home, exports, step, inputs, scratch, contracts)
        project = parse_project()
        broken = []
        for step, _ in steps:
            register_raw(scratch, step, "verify", contracts, compared if step == this else [])
            result = build(scratch, project, lambda _: None)
            broken += [
                entry["unique_id"]
                for entry in result.run_results["results"]
                if entry["status"] in ("error", "fail")
            ]
            if step != this:
                folder_before = scratch.scratch / "previous"
                export_outputs(scratch, str(step), folder_before)
                compared = sorted(folder_before.glob("*.parquet"))
        rebuilt = export_outputs(scratch, quarter, scratch.scratch / "outputs")
        readable = export_readers_marts(home, quarter, scratch.scratch / "readers")
        version = home.version_manifest(quarter, manifest["version"]).parent
        upgrades = [
            found
            for table, sha256 in sorted(manifest["outputs"].items())
            if table in rebuilt and is_sound(version / f"{table}.parquet", sha256)
            if (found := _upgrade(version, scratch.scratch / "outputs", f"{table}.parquet"))
        ]
    return Verification(
        version=manifest["version"],
        comparisons=_comparisons(home, manifest, rebuilt, readable),
        rules_changed=manifest["rules_sha256"] != rules_sha256(),
        broken=broken,
        erasures=manifest.get("erasures", []),
        upgrades=upgrades,
    )


def _comparisons(
    home: Home, manifest: Mapping[str, Any], rebuilt: Mapping[str, str], readable: Mapping[str, str]
) -> list[Comparison]:
    recorded = manifest["outputs"]
    return [
        Comparison(
            table,
            recorded.get(table, ""),
            rebuilt.get(table, ""),
            _published_hash(home, manifest, table),
            None if table.startswith(FACT_PREFIX) else readable.get(table, ""),
        )
        for table in sorted(recorded.keys() | rebuilt.keys() | readable.keys())
    ]


def compared_version_files(home: Home, manifest: Mapping[str, Any]) -> list[Path]:
    """The files of the previous quarter's version that a version was compared with."""
    compared = manifest.get(LOGGED)
    if not compared:
        return []
    folder = home.version_manifest(compared["quarter"], compared["version"]).parent
    return sorted(folder.glob("*.parquet"))


def _upgrade(version: Path, rebuilt: Path, name: str) -> str:
    """How the columns differ, and whether the common ones agree; empty if none differ."""
    old, new = (pl.read_parquet(folder / name) for folder in (version, rebuilt))
    if old.columns == new.columns:
        return ""
    common = [column for column in old.columns if column in new.columns]
    sides = [
        f"{word} {'、'.join(columns)}"
        for word, columns in (
            ("新增", [column for column in new.columns if column not in common]),
            ("减少", [column for column in old.columns if column not in common]),
        )
        if columns
    ]
    agree = old.select(common).sort(common).equals(new.select(common).sort(common))
    told = "其余各列逐格相同" if agree else "其余各列也有不同"
    return f"{name.removesuffix('.parquet')}：{'，'.join(sides) or '列的次序变了'}；{told}"


def _bring(
    home: Home,
    exports: Path,
    quarter: Quarter,
    inputs: Sequence[Mapping[str, Any]],
    scratch: Home,
    contracts: dict[str, Contract],
) -> None:
    """Put a quarter's recorded inputs into the scratch lake, as its current files."""
    known = {(file.source, file.file_sha256): file for file in all_files(home, str(quarter))}
    by_source: dict[str, list[LakeFile]] = {}
    for entry in inputs:
        file = known.get((entry["source"], entry["file_sha256"]))
        if file and file.is_sound(home):
            target = file.parquet(scratch)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.parquet(home), target)
        else:
            file = _ingest_again(exports, quarter, entry, scratch, contracts)
        by_source.setdefault(file.source, []).append(replace(file, superseded_by=None))
    for source, files in by_source.items():
        index = scratch.lake / "index" / str(quarter) / f"{source}.json"
        write_atomically(index, json.dumps([asdict(file) for file in files]))


def _ingest_again(
    exports: Path,
    quarter: Quarter,
    entry: Mapping[str, Any],
    scratch: Home,
    contracts: dict[str, Contract],
) -> LakeFile:
    """Ingest the export with the recorded hash into the scratch lake; its name doesn't matter."""
    sha256 = entry["file_sha256"]
    folder = exports / str(quarter)
    files = [path for path in sorted(folder.iterdir()) if path.is_file()] if folder.is_dir() else []
    path = next((path for path in files if sha256_of(path) == sha256), None)
    if path is None:
        raise InputError(
            code="missing_input",
            file=f"{quarter}/{entry['file_name']}",
            found=f"原始湖里没有发布时的这个文件（SHA-256 {sha256}），导出文件夹里也没有",
            expected="发布时登记的原始文件，一字不差",
            action=f"找回该文件，放进 {exports.name}/{quarter}/ 后重新运行",
        )
    alone = scratch.scratch / sha256 / str(quarter) / entry["file_name"]
    alone.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, alone)
    (file,) = ingest_source(scratch, alone.parent.parent, quarter, contracts, entry["source"])
    return file


def _published_hash(home: Home, manifest: Mapping[str, Any], table: str) -> str:
    """The first wrong hash of the readers' and the version's Parquet file, or the recorded hash.

    The two are hard links to one file, unless the home was copied by a program that doesn't
    preserve links.
    """
    quarter = manifest["quarter"]
    version = home.version_manifest(quarter, manifest["version"]).with_name(f"{table}.parquet")
    paths = (readers_parquet(home, quarter, table), version)
    found = [sha256_of(path) if path.is_file() else "" for path in paths]
    recorded = manifest["outputs"].get(table, "")
    return next((sha256 for sha256 in found if sha256 != recorded), recorded)
