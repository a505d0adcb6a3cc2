"""The asset of the published copies. `publish`, not the graph, decides what may be published."""

import base64
from typing import Any

import dagster as dg

from orchestration.checks import reconciliation
from orchestration.common.errors import InputError
from orchestration.common.run_events import REASON_TAG
from orchestration.common.safe_text import one_line
from orchestration.common.settings import Home
from orchestration.defs.dbt import dbt_models
from orchestration.defs.ingest import OWNERS, READERS
from orchestration.defs.partitions import quarter_of, quarters
from orchestration.defs.resources import Workspace
from orchestration.ingest.lake import quarter_folder
from orchestration.publish.headline import headline
from orchestration.publish.pages.charts import SCHEMA
from orchestration.publish.publication import UNREASONED, publish
from orchestration.warehouse.connection import query

_DATA = "data:image/png;base64,"


@dg.asset(
    key=["published", "marts"],
    deps=[key for key in dbt_models.keys if key.path[0] in ("marts", "audit")],
    partitions_def=quarters,
    group_name="published",
    description="发布给读者的整份副本：marts.duckdb 与 Parquet；任何阻断检查未过则不发布",
    owners=OWNERS,
    tags=READERS,
    kinds={"duckdb", "parquet"},
)
def published_marts(
    context: dg.AssetExecutionContext, workspace: Workspace
) -> dg.MaterializeResult[None]:
    """Publish the quarter; its headline figures, reconciliation and index plot are metadata."""
    home, quarter, run_id = workspace.home, context.partition_key, context.run.run_id
    reason = one_line(" ".join(context.run.tags.get(REASON_TAG, "").split()))
    quarter_folder(workspace.exports, quarter_of(context))  # must exist: has the notice on samples
    try:
        outcome = publish(home, quarter, run_id, reason)
    except InputError as error:
        if error.code == UNREASONED:  # a failed check like any other, not unusable input
            raise dg.Failure(str(error)) from error
        raise
    figures = headline(home, quarter)
    summary = reconciliation.summarise(outcome.controls)
    return dg.MaterializeResult(
        metadata={
            "version": outcome.version,
            "is_new_version": outcome.is_new,
            "restatements": outcome.restatement_count,
            "headline": dg.MetadataValue.md(
                "| 指标 | 数值 |\n| --- | ---: |\n"
                + "\n".join(f"| {label} | {value} |" for label, value in figures)
            ),
            "reconciliation": dg.MetadataValue.md(
                "| 控制组 | 项数 | 相符 | 已说明 | 不符 |\n| --- | ---: | ---: | ---: | ---: |\n"
                + "\n".join(
                    f"| {s.control_group} | {s.total} | {s.match} | {s.explained} | {s.broken} |"
                    for s in summary
                )
            ),
            "index_plot": dg.MetadataValue.md(_index_plot(home, quarter)),
        }
    )


def _index_plot(home: Home, quarter: str) -> str:
    """The rated units' index as a small histogram, an inline image for Dagster's page."""
    import vl_convert  # needed only here, not when the command starts

    rows: list[dict[str, Any]] = query(
        home,
        "select composite_index from marts.hotline_unit_quarter where quarter = ? and is_rated",
        [quarter],
    )
    chart = {
        "$schema": SCHEMA,
        "data": {"values": [{"index": float(row["composite_index"])} for row in rows]},
        "width": 480,
        "height": 140,
        "mark": {"type": "bar", "color": "#2a6f97"},
        "encoding": {
            "x": {
                "field": "index",
                "type": "quantitative",
                "bin": {"maxbins": 20},
                "title": f"综合指标值 {quarter}",
            },
            "y": {"aggregate": "count", "type": "quantitative", "title": "单位数"},
        },
    }
    image = vl_convert.vegalite_to_png(chart, scale=1.5)
    return f"![综合指标值]({_DATA}{base64.b64encode(image).decode()})"
