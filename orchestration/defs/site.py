"""The asset of the public pages about a publication."""

import dagster as dg

from orchestration.defs.bulletin import published_bulletin
from orchestration.defs.ingest import OWNERS, READERS
from orchestration.defs.partitions import quarters
from orchestration.defs.resources import Workspace
from orchestration.publish.gate import require_published
from orchestration.publish.pages.publish import write_site


@dg.asset(
    key=["published", "site"],
    deps=[published_bulletin],
    partitions_def=quarters,
    group_name="published",
    description="季度网页（中英文）：全区、各单位、诉求类别与类型，一个单位一页；不需要服务器和网络",
    owners=OWNERS,
    tags=READERS,
    kinds={"python"},
)
def published_site(
    context: dg.AssetExecutionContext, workspace: Workspace
) -> dg.MaterializeResult[None]:
    """Write the quarter's pages and the list of quarters."""
    require_published(workspace.home, context.partition_key)
    page = write_site(workspace.home, workspace.exports, context.partition_key)
    return dg.MaterializeResult(metadata={"page": dg.MetadataValue.path(page)})
