"""Where things stand: the project's own folders, the site's, the exports, the layout of a home.

No other module spells out a path inside a home.
"""

import os
from dataclasses import dataclass
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parent.parent
DBT_PROJECT = PROJECT_ROOT / "dbt_project"
CONTROLS = DBT_PROJECT / "controls" / "control.csv"


def site_root() -> Path | None:
    """The folder of another site (`HOTLINE_SITE`): contracts, seeds, maybe expectations, exports.

    None: the project's own district.
    """
    site = os.environ.get("HOTLINE_SITE")
    return Path(site).resolve() if site else None


def exports_root() -> Path:
    """The folder of exports: `HOTLINE_EXPORTS`, else the site's, else the project's own."""
    if exports := os.environ.get("HOTLINE_EXPORTS"):
        return Path(exports).resolve()
    return (site_root() or PROJECT_ROOT) / "exports"


def contracts_root() -> Path:
    """The site's contracts; without a site those beside the exports, else the project's own."""
    if site := site_root():
        return site / "contracts"
    own = exports_root() / "contracts"
    return own if own.is_dir() else PROJECT_ROOT / "exports" / "contracts"


def seeds_root() -> Path:
    """The site's business rules as dbt seeds."""
    site = site_root()
    return site / "seeds" if site else DBT_PROJECT / "seeds"


def rule_files() -> list[Path]:
    """Every file of data that decides a figure: seeds, controls, contracts, layouts."""
    return [
        *sorted(seeds_root().glob("*.csv")),
        CONTROLS,
        *sorted(contracts_root().glob("*.yml")),
        *sorted((contracts_root().parent / "layouts").glob("*.yml")),
    ]


def expectation_suites() -> dict[str, Path]:
    """The Great Expectations suites by name: a site's own where it has one, else the project's."""
    folders = [PROJECT_ROOT / "expectations"]
    if site := site_root():
        folders.append(site / "expectations")
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.json"))}


def bulletin_root() -> Path:
    """The site's bulletin: `bulletin.yml`, and maybe a Word template of its own."""
    return (site_root() or PROJECT_ROOT / "exports") / "bulletin"


def privacy_settings() -> Path:
    """The site's `privacy.yml`, beside the contracts; it need not be there."""
    return contracts_root().parent / "privacy.yml"


@dataclass(frozen=True)
class Home:
    """The folder that holds the warehouse and what it publishes (`HOTLINE_HOME`)."""

    root: Path

    @classmethod
    def current(cls) -> "Home":
        """The home named by `HOTLINE_HOME`, else `warehouse/` in the project."""
        return cls(Path(os.environ.get("HOTLINE_HOME") or PROJECT_ROOT / "warehouse").resolve())

    @property
    def warehouse(self) -> Path:
        """The working DuckDB file: one writer, not for readers."""
        return self.root / "hotline.duckdb"

    @property
    def set_aside(self) -> Path:
        """The working warehouse that is being replaced; gone once the new one is whole."""
        return self.root / "hotline.duckdb.old"

    @property
    def lake(self) -> Path:
        """The raw lake: Parquet files named by their export's SHA-256, and their index."""
        return self.root / "lake"

    @property
    def erasures(self) -> Path:
        """What was forgotten: the list that every reading of an export honours, and its log."""
        return self.lake / "erasures.json"

    @property
    def published(self) -> Path:
        """What readers see."""
        return self.root / "published"

    @property
    def dagster(self) -> Path:
        """Dagster's own storage."""
        return self.root / "dagster"

    @property
    def dbt_target(self) -> Path:
        """Dbt's artifacts for this home."""
        return self.root / "dbt" / "target"

    @property
    def scratch(self) -> Path:
        """Temporary files; emptied at the start of a run."""
        return self.root / "scratch"

    @property
    def lock(self) -> Path:
        """Held by the one writer."""
        return self.root / "writer.lock"

    def bulletin(self, quarter: str) -> Path:
        """The folder of a quarter's bulletin, for readers."""
        return self.published / "bulletin" / quarter

    @property
    def docs(self) -> Path:
        """The documents of `hotline docs`: the expectations' Data Docs and dbt's."""
        return self.published / "docs"

    def audit_report(self, quarter: str, *, is_published: bool = True) -> Path:
        """The audit report of a quarter's last publication, or of a run that was stopped."""
        root = self.published if is_published else self.root
        return root / "audit" / quarter / "index.html"

    def version_manifest(self, quarter: str, version: int) -> Path:
        """The manifest of one published version of a quarter."""
        return self.published / "versions" / quarter / f"v{version}" / "manifest.json"
