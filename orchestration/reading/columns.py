"""The columns of the lake that the models read: those that dbt's sources declare, and the lake's.

Any other column of a contract is kept in the lake, but no figure depends on it.
"""

from functools import cache
from typing import Any

import yaml

from orchestration.common.settings import DBT_PROJECT

# Columns that the lake adds to a source's.
LAKE_COLUMNS = {"file_sha256": "varchar", "row_number": "bigint", "row_defect": "varchar"}
# A file's position among its source's current files by name: order of arrival must not matter.
FILE_ORDER = "file_order"


@cache
def canonical_columns() -> dict[str, list[str]]:
    """The columns of each source that the models read, as declared in dbt's sources."""
    tables = {
        table["name"]: [column["name"] for column in table.get("columns", [])]
        for table in _declared()
    }
    return {
        name: [column for column in columns if column not in (*LAKE_COLUMNS, FILE_ORDER)]
        for name, columns in tables.items()
        if "row_defect" in columns
    }


@cache
def identities() -> dict[str, list[tuple[str, ...]]]:
    """The row identities that the models support for each source; a contract chooses one."""
    return {
        table["name"]: [tuple(choice) for choice in table["meta"]["identities"]]
        for table in _declared()
        if "meta" in table
    }


@cache
def _declared() -> list[dict[str, Any]]:
    path = DBT_PROJECT / "models" / "staging" / "_sources.yml"
    (raw,) = yaml.safe_load(path.read_text(encoding="utf-8"))["sources"]
    tables: list[dict[str, Any]] = raw["tables"]
    return tables
