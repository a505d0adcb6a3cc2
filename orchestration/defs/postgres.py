"""The asset of the readers' copy in PostgreSQL; it exists only if a database is configured."""

import dagster as dg

from orchestration.defs.ingest import OWNERS, READERS
from orchestration.defs.partitions import quarters
from orchestration.defs.publish import published_marts
from orchestration.defs.resources import Workspace, retrying
from orchestration.publish.tables.postgres import READER_ROLE, postgres_url, publish_postgres


@dg.asset(
    key=["published", "postgres"],
    deps=[published_marts],
    partitions_def=quarters,
    group_name="published",
    description=f"PostgreSQL 中的 marts、audit，供数据分析工具以角色 {READER_ROLE} 只读；整体替换",
    owners=OWNERS,
    tags=READERS,
    kinds={"postgres"},
)
def published_postgres(
    context: dg.AssetExecutionContext, workspace: Workspace
) -> dg.MaterializeResult[None]:
    """Publish the readers' copy to PostgreSQL, all of it or nothing."""
    url = postgres_url()
    if url is None:  # it was set when Dagster loaded, but no longer is
        context.log.info("没有设置数据库地址，跳过")
        return dg.MaterializeResult(metadata={"dagster/row_count": 0})
    with retrying():
        outcome = publish_postgres(workspace.home, url)
    listing = "\n".join(f"| {table} | {count} |" for table, count in outcome.row_counts.items())
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": sum(outcome.row_counts.values()),
            "tables": dg.MetadataValue.md(f"| 表 | 行数 |\n| --- | ---: |\n{listing}"),
            "exchanged_tables": "、".join(outcome.exchanged) or "无",
        }
    )
