"""Paths and settings from the environment: project, site and exports folders, a home's layout.

No other module spells out a path inside a home.
"""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from orchestration.common.errors import InputError

Engine = Literal["duckdb", "spark"]

PROJECT_ROOT = Path(__file__).resolve().parents[2]
DBT_PROJECT = PROJECT_ROOT / "dbt_project"
CONTROLS = DBT_PROJECT / "controls" / "control.csv"
LEAST_MEMORY = 1 << 30
PATTERN = re.compile(r"[*?\[\]\x00-\x1f\ud800-\udfff]")
# Memory that a run needs besides DuckDB's: packages, blocks of the parsers, validation batches.
OTHER_MEMORY = 3 << 29


def site_root() -> Path | None:
    """The folder of another site (`HOTLINE_SITE`); None for the project's own district.

    It has contracts and seeds, and may have expectations and exports.
    """
    site = os.environ.get("HOTLINE_SITE")
    return _real(site) if site else None


def exports_root() -> Path:
    """The folder of exports: `HOTLINE_EXPORTS`, else the site's, else the project's own."""
    if exports := os.environ.get("HOTLINE_EXPORTS"):
        return _real(exports)
    return (site_root() or PROJECT_ROOT) / "exports"


def _real(path: str) -> Path:
    """Resolve links; a path in a loop of links is returned unresolved and doesn't exist."""
    return Path(os.path.realpath(path))


def contracts_root() -> Path:
    """The site's contracts; without a site, those in the exports folder, else the project's own."""
    if site := site_root():
        return site / "contracts"
    own = exports_root() / "contracts"
    return own if own.is_dir() else PROJECT_ROOT / "exports" / "contracts"


def seeds_root() -> Path:
    """The site's business rules as dbt seeds."""
    site = site_root()
    return site / "seeds" if site else DBT_PROJECT / "seeds"


def rule_files() -> list[Path]:
    """Every rule file that affects a figure: seeds, controls, contracts, layouts."""
    return [
        *sorted(seeds_root().glob("*.csv")),
        CONTROLS,
        *sorted(contracts_root().glob("*.yml")),
        *sorted((contracts_root().parent / "layouts").glob("*.yml")),
    ]


def expectation_suites() -> dict[str, Path]:
    """The Great Expectations suites by name; a site's suite replaces the project's."""
    folders = [PROJECT_ROOT / "expectations"]
    if site := site_root():
        folders.append(site / "expectations")
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.json"))}


def bulletin_root() -> Path:
    """The folder of the site's bulletin: `bulletin.yml` and, optionally, a Word template."""
    return (site_root() or PROJECT_ROOT / "exports") / "bulletin"


def privacy_settings() -> Path:
    """The site's `privacy.yml`, beside the contracts folder; the file is optional."""
    return contracts_root().parent / "privacy.yml"


def program_files() -> list[Path]:
    """Every file that affects what a run does with the data: code, models, suites, templates."""
    kept = [PROJECT_ROOT / "requirements.lock", *expectation_suites().values()]
    for folder in (
        PROJECT_ROOT / "orchestration",
        *(DBT_PROJECT / name for name in ("macros", "models", "tests")),
        bulletin_root(),
    ):
        kept += [path for path in folder.rglob("*") if "__pycache__" not in path.parts]
    return [path for path in [*kept, *DBT_PROJECT.glob("*.yml")] if path.is_file()]


def memory_limit() -> int:
    """The memory that a run may use, in bytes: `HOTLINE_MEMORY_LIMIT`, else 4 GiB.

    Raises:
        InputError: the value isn't a size, or is less than 1 GiB.
    """
    written = os.environ.get("HOTLINE_MEMORY_LIMIT") or "4GiB"
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT])(i?)B", written.strip(), re.ASCII)
    power = "KMGT".index(found[2]) + 1 if found else 0
    limit = int(float(found[1]) * (1024 if found[3] else 1000) ** power) if found else 0
    if limit < LEAST_MEMORY:
        raise InputError(
            code="bad_memory_limit",
            found=f"内存上限写成了「{written[:20]}」",
            expected="数字加 GiB 或 MiB，不少于 1GiB，例如 4GiB",
            action="改正 --memory-limit 或环境变量 HOTLINE_MEMORY_LIMIT",
        )
    return limit


def engine() -> Engine:
    """The engine that builds the models: `HOTLINE_ENGINE`, else DuckDB.

    Raises:
        InputError: there is no such engine.
    """
    named = os.environ.get("HOTLINE_ENGINE") or "duckdb"
    if named == "duckdb":
        return "duckdb"
    if named == "spark":
        return "spark"
    raise InputError(
        code="unknown_engine",
        found=f"HOTLINE_ENGINE 为 {named}",
        expected="duckdb 或 spark",
        action="改正环境变量 HOTLINE_ENGINE，或去掉它（用 duckdb）",
    )


@dataclass(frozen=True)
class Home:
    """The folder that holds the warehouse and what it publishes (`HOTLINE_HOME`)."""

    root: Path

    @classmethod
    def current(cls) -> "Home":
        """The home named by `HOTLINE_HOME`, else `warehouse/` in the project.

        Raises:
            InputError: the path can't be resolved (a link to itself, for example), or has a
                character that DuckDB and polars read as a wildcard, a control character or bytes
                that aren't UTF-8.
        """
        named = Path(os.environ.get("HOTLINE_HOME") or PROJECT_ROOT / "warehouse")
        try:
            root = named.resolve()
            with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
                root.stat()  # since Python 3.13, `resolve` doesn't raise on a loop of links
        except (OSError, RuntimeError, ValueError) as error:
            raise InputError(
                code="bad_home",
                found=f"数据目录 {named} 的路径不通",
                expected="一个文件夹的路径",
                action="用 --home 换一个数据目录，或改正环境变量 HOTLINE_HOME",
            ) from error
        if PATTERN.search(str(root)):
            raise InputError(
                code="bad_home_path",
                file=str(root).encode("utf-8", "backslashreplace").decode(),
                found="数据目录的路径里有 *、?、[ 或 ]，数据库会把它们当作通配符",
                expected="不含这些字符、以 UTF-8 写成的路径",
                action="换一个目录，或改名后用 --home 指明",
            )
        return cls(root)

    @property
    def warehouse(self) -> Path:
        """The working DuckDB file: it has one writer and isn't for readers."""
        return self.root / "hotline.duckdb"

    @property
    def set_aside(self) -> Path:
        """The previous working warehouse during a rebuild; deleted once the new one is complete."""
        return self.root / "hotline.duckdb.old"

    @property
    def lake(self) -> Path:
        """The raw lake: Parquet files named by the SHA-256 of their export, and their index."""
        return self.root / "lake"

    @property
    def erasures(self) -> Path:
        """The list of erasures, applied whenever an export is read; it is their log as well."""
        return self.lake / "erasures.json"

    @property
    def published(self) -> Path:
        """The published outputs, for readers."""
        return self.root / "published"

    @property
    def dagster(self) -> Path:
        """Dagster's own storage."""
        return self.root / "dagster"

    def dagster_records(self, run_id: str) -> tuple[Path, Path]:
        """Dagster's records of a single run: its event file and its output folder."""
        events = self.dagster / "history" / "runs" / f"{run_id}.db"
        return events, self.dagster / "storage" / run_id

    @property
    def dbt_target(self) -> Path:
        """Dbt's artifacts for this home."""
        return self.root / "dbt" / "target"

    @property
    def spark(self) -> Path:
        """Spark's catalogue, and its files unless `HOTLINE_SPARK_STORE` names another store."""
        return self.root / "spark"

    @property
    def scratch(self) -> Path:
        """Temporary files; emptied at the start of a run."""
        return self.root / "scratch"

    @property
    def duckdb_config(self) -> dict[str, Any]:
        """The configuration of every DuckDB connection of this home: memory limit, spill folder.

        DuckDB gets the run's memory limit less `OTHER_MEMORY`, but at least half of the limit.
        """
        limit = memory_limit()
        own = limit - min(limit // 2, OTHER_MEMORY)
        return {"memory_limit": f"{own >> 20}MiB", "temp_directory": str(self.scratch)}

    @property
    def log(self) -> Path:
        """The runs' log, one JSON object per line and event; rotated to `.1` and so on."""
        return self.root / "logs" / "hotline.jsonl"

    @property
    def lock(self) -> Path:
        """The lock file that the one writer holds."""
        return self.root / "writer.lock"

    @property
    def last_run(self) -> Path:
        """The file that records how the last run ended."""
        return self.root / "last-run.json"

    def bulletin(self, quarter: str) -> Path:
        """The folder of a quarter's published bulletin."""
        return self.published / "bulletin" / quarter

    @property
    def publication_log(self) -> Path:
        """The log of publications, one JSON object per line."""
        return self.published / "publications.jsonl"

    @property
    def publication_intent(self) -> Path:
        """The log line that a publication in progress will append."""
        return self.published / "publication-intent.json"

    def candidate(self, quarter: str) -> Path:
        """A run's outputs for a quarter, staged for publication; not for readers."""
        return self.root / "candidate" / quarter

    @property
    def docs(self) -> Path:
        """The output of `hotline docs`: Great Expectations Data Docs and the dbt docs."""
        return self.published / "docs"

    def audit_report(self, quarter: str, *, is_published: bool = True) -> Path:
        """The audit report of a quarter's last publication, or of a run that was stopped."""
        root = self.published if is_published else self.root
        return root / "audit" / quarter / "index.html"

    def version_manifest(self, quarter: str, version: int) -> Path:
        """The manifest of one published version of a quarter."""
        return self.published / "versions" / quarter / f"v{version}" / "manifest.json"
