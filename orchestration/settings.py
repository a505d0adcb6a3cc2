"""Where things stand: the project's own folders, the exports, and the layout of a home.

No other module spells out a path inside a home.
"""

import os
from dataclasses import dataclass
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parent.parent
DBT_PROJECT = PROJECT_ROOT / "dbt_project"
EXPECTATIONS = PROJECT_ROOT / "expectations"


def exports_root() -> Path:
    """The folder of exports: `HOTLINE_EXPORTS`, else the project's own."""
    return Path(os.environ.get("HOTLINE_EXPORTS") or PROJECT_ROOT / "exports").resolve()


def contracts_root() -> Path:
    """The contracts beside the exports, else the project's own."""
    own = exports_root() / "contracts"
    return own if own.is_dir() else PROJECT_ROOT / "exports" / "contracts"


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
    def lake(self) -> Path:
        """The raw lake: Parquet files named by their export's SHA-256, and their index."""
        return self.root / "lake"

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

    def version_manifest(self, quarter: str, version: int) -> Path:
        """The manifest of one published version of a quarter."""
        return self.published / "versions" / quarter / f"v{version}" / "manifest.json"
