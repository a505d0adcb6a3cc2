"""The columns of the assets for Dagster's pages, as declared to dbt or as built."""

from functools import cache

import dagster as dg
import yaml

from orchestration.common.settings import DBT_PROJECT, Home
from orchestration.reading.columns import LAKE_COLUMNS
from orchestration.warehouse.connection import query

COLUMN_SCHEMA = "dagster/column_schema"


@cache
def declared_columns() -> dict[str, dg.TableSchema]:
    """The columns that dbt's sources declare, for each table of `raw` with declared columns."""
    path = DBT_PROJECT / "models" / "staging" / "_sources.yml"
    (raw,) = yaml.safe_load(path.read_text(encoding="utf-8"))["sources"]
    return {
        table["name"]: dg.TableSchema(
            columns=[
                dg.TableColumn(
                    column["name"],
                    LAKE_COLUMNS.get(column["name"], "varchar"),
                    description=column["description"],
                )
                for column in table["columns"]
            ]
        )
        for table in raw["tables"]
        if "columns" in table
    }


def built_columns(home: Home) -> dict[dg.AssetKey, dg.TableSchema]:
    """The columns of every table and view of the working warehouse, by asset."""
    columns: dict[dg.AssetKey, list[dg.TableColumn]] = {}
    for row in query(
        home,
        "select schema_name, table_name, column_name, data_type, comment from duckdb_columns() "
        "where database_name = current_database() order by schema_name, table_name, column_index",
    ):
        columns.setdefault(dg.AssetKey([row["schema_name"], row["table_name"]]), []).append(
            dg.TableColumn(row["column_name"], row["data_type"].lower(), row["comment"])
        )
    return {key: dg.TableSchema(columns=found) for key, found in columns.items()}
