"""The assets from the exports to schema `raw`: one per source, then the run's scope."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from orchestration.checks.discrepancies import check_seed
from orchestration.common.run_events import REASON_TAG
from orchestration.common.safe_text import markdown
from orchestration.defs.columns import COLUMN_SCHEMA, built_columns, declared_columns
from orchestration.defs.partitions import quarter_of, quarters
from orchestration.defs.resources import Workspace, retrying
from orchestration.ingest.arrival import unread_in, wait_until_still
from orchestration.ingest.changes import changes
from orchestration.ingest.lake import current_files, ingest_source
from orchestration.publish.candidate import build_basis
from orchestration.publish.publication import compared_files, published_facts
from orchestration.warehouse.raw_schema import SCOPE, register_raw

# The metadata of a raw asset that says what a corrected file changed.
CHANGES = "changes"
# The metadata of the list of files that names what of a quarter's folder wasn't read.
UNREAD = "unread"
OWNERS = ["team:hotline-data"]
# The audience of an asset: `audience=readers` finds what people outside the team may rely on.
TEAM, READERS = {"audience": "team"}, {"audience": "readers"}
SOURCES = {
    "ticket": "12345工单导出 → 原始湖（去掉个人信息列，只存文本）",
    "mailbox": "市长信箱、区长信箱导出 → 原始湖（去掉个人信息列，只存文本）",
    "suggestion": "政协委员微建议导出 → 原始湖（去掉个人信息列，只存文本）",
    "bulletin": "已发布的通报（Word、网页、文本、工作簿或长表，逐字照录）→ 原始湖；尚未发布时为空",
}


def _raw_asset(source: str, description: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=["raw", source],
        partitions_def=quarters,
        group_name="raw",
        description=description,
        owners=OWNERS,
        tags=TEAM,
        kinds={"python", "parquet"},
        metadata={COLUMN_SCHEMA: declared_columns()[source]},
    )
    def raw_source(
        context: dg.AssetExecutionContext, workspace: Workspace
    ) -> dg.MaterializeResult[None]:
        home, contracts = workspace.home, workspace.contracts
        if source not in contracts:  # a site need not have every source
            return dg.MaterializeResult(metadata={"dagster/row_count": 0})
        quarter = quarter_of(context)
        before = [file for file in current_files(home, str(quarter)) if file.source == source]
        with retrying():
            wait_until_still(workspace.exports / str(quarter))
            files = ingest_source(home, workspace.exports, quarter, contracts, source)
        listing = "\n".join(
            f"| {markdown(f.file_name)} | {f.row_count} | {f.line_break_count} | {f.encoding} "
            f"| `{f.file_sha256[:12]}` |"
            for f in files
        )
        changed = changes(home, contracts[source], before, files)
        return dg.MaterializeResult(
            metadata={
                **({CHANGES: str(changed)} if changed else {}),
                "dagster/row_count": sum(file.row_count for file in files),
                "files": dg.MetadataValue.md(
                    "| 文件 | 行数 | 单元格内换行 | 编码 | SHA-256 |\n"
                    f"| --- | ---: | ---: | --- | --- |\n{listing}"
                ),
            }
        )

    return raw_source


raw_assets = [_raw_asset(source, description) for source, description in SOURCES.items()]


@dg.multi_asset(
    name="raw_scope",
    specs=[
        dg.AssetSpec(
            ["raw", name],
            deps=[["raw", source] for source in SOURCES],
            group_name="raw",
            description=description,
            owners=OWNERS,
            tags=TEAM,
            kinds={"duckdb"},
        )
        for name, description in zip(
            SCOPE,
            (
                "本次运行的季度与编号",
                "收到的所有文件及其哈希",
                "契约中的取值对照",
                "契约中的写法与拒收容许比例",
                "契约中其余的容许比例：冲突、重复、期外、空列、件数变化",
                "通报自身比对的两边",
                "本季度和上季度最后一个已发布版本的数字",
                "上季度已发布版本里季末未办结的件",
                "前后一年内其他季度已发布版本的应办理项",
            ),
            strict=True,
        )
    ],
    partitions_def=quarters,
)
def raw_scope(
    context: dg.AssetExecutionContext, workspace: Workspace
) -> Iterator[dg.MaterializeResult[None]]:
    """Point schema `raw` of the working warehouse at the quarter's current lake files."""
    quarter = quarter_of(context)
    check_seed()
    rows = register_raw(
        workspace.home,
        quarter,
        context.run.run_id,
        workspace.contracts,
        compared_files(workspace.home, str(quarter)),
        context.run.tags.get(REASON_TAG, ""),
        build_basis(workspace.home, str(quarter)),
        published_facts(workspace.home, quarter),
    )
    columns = built_columns(workspace.home)
    unread = unread_in(workspace.exports / str(quarter))
    for name in SCOPE:
        key = dg.AssetKey(["raw", name])
        metadata: dict[str, Any] = {"rows_by_source": rows, COLUMN_SCHEMA: columns[key]}
        if name == "source_file":
            metadata[UNREAD] = unread
        yield dg.MaterializeResult(asset_key=key, metadata=metadata)
