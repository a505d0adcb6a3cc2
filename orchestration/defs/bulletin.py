"""The asset of the bulletin: the documents that the office sends out, from published figures."""

import dagster as dg

from orchestration.defs.ingest import OWNERS, READERS
from orchestration.defs.partitions import quarters
from orchestration.defs.resources import Workspace
from orchestration.publish.bulletin.publish import publish_bulletin
from orchestration.publish.gate import require_published


@dg.asset(
    key=["published", "bulletin"],
    deps=[["published", "marts"]],
    partitions_def=quarters,
    group_name="published",
    description="季度通报（docx、xlsx），数字全部取自集市；站点没有 bulletin.yml 则不生成",
    owners=OWNERS,
    tags=READERS,
    kinds={"word", "excel"},
)
def published_bulletin(
    context: dg.AssetExecutionContext, workspace: Workspace
) -> dg.MaterializeResult[None]:
    """Write the quarter's bulletin; the paths of its files are metadata."""
    require_published(workspace.home, context.partition_key)
    files = publish_bulletin(workspace.home, workspace.exports, context.partition_key)
    return dg.MaterializeResult(
        metadata={path.suffix[1:]: dg.MetadataValue.path(str(path)) for path in files}
    )
