"""The asset of the audit report on a publication."""

import dagster as dg

from orchestration.defs.ingest import OWNERS, READERS
from orchestration.defs.partitions import quarters
from orchestration.defs.publish import published_marts
from orchestration.defs.resources import Workspace
from orchestration.publish.audit.report import remove_stopped, write_report
from orchestration.publish.gate import require_published


@dg.asset(
    key=["published", "audit_report"],
    deps=[published_marts],
    partitions_def=quarters,
    group_name="published",
    description="审计报告：每项控制与它的依据、行数平衡、源文件、版本，以及每个数字的源数据行（网页与工作簿）",
    owners=OWNERS,
    tags=READERS,
    kinds={"python", "excel"},
)
def audit_report(
    context: dg.AssetExecutionContext, workspace: Workspace
) -> dg.MaterializeResult[None]:
    """Write the report beside the publication; one on an earlier stop is out of date then."""
    home, quarter = workspace.home, context.partition_key
    require_published(home, quarter)
    page = write_report(home, quarter, workspace.exports)
    remove_stopped(home, quarter)
    return dg.MaterializeResult(metadata={"page": dg.MetadataValue.path(page)} if page else {})
