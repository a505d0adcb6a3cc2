"""The last asset: the published copies, made only if nothing upstream stopped the run."""

import base64
from typing import Any

import dagster as dg

from orchestration.audit import reconciliation
from orchestration.defs.dbt import dbt_models
from orchestration.defs.ingest import OWNERS, READERS
from orchestration.defs.partitions import quarters
from orchestration.defs.resources import Workspace
from orchestration.headline import headline
from orchestration.publication import publish
from orchestration.settings import Home
from orchestration.warehouse import query

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
    pool="warehouse",
)
def published_marts(
    context: dg.AssetExecutionContext, workspace: Workspace
) -> dg.MaterializeResult[None]:
    """Publish the quarter; its headline figures, reconciliation and index plot are metadata."""
    home, quarter = workspace.home, context.partition_key
    outcome = publish(home, quarter, context.run.run_id)
    figures = headline(home, quarter)
    summary = reconciliation.summarise(reconciliation.controls(home, context.run.run_id))
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
    import altair as alt  # only needed here, and not by the command's start
    import vl_convert

    rows: list[dict[str, Any]] = query(
        home,
        "select composite_index from marts.hotline_unit_quarter where quarter = ? and is_rated",
        [quarter],
    )
    values = [{"index": float(row["composite_index"])} for row in rows]
    chart = (
        alt.Chart(alt.Data(values=values), width=480, height=140)
        .mark_bar(color="#2a6f97")
        .encode(
            alt.X("index:Q", bin=alt.Bin(maxbins=20), title=f"综合指标值 {quarter}"),
            alt.Y("count()", title="单位数"),
        )
    )
    image = vl_convert.vegalite_to_png(chart.to_dict(), scale=1.5)
    return f"![综合指标值]({_DATA}{base64.b64encode(image).decode()})"
