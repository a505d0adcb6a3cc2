"""The dbt models as Dagster assets, and their tests as asset checks."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtProject, dbt_assets
from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage

from orchestration.checks.check_results import from_dbt, record
from orchestration.common.errors import for_people, refusal
from orchestration.common.settings import DBT_PROJECT, engine
from orchestration.defs.columns import COLUMN_SCHEMA, built_columns
from orchestration.defs.ingest import OWNERS, READERS, TEAM
from orchestration.defs.partitions import quarters
from orchestration.defs.resources import Workspace
from orchestration.publish import gate
from orchestration.publish.candidate import discard_candidate, export_candidate, require_scope
from orchestration.publish.published_tables import READER_SCHEMAS
from orchestration.publish.versions import input_sha256
from orchestration.warehouse.dbt import BuildResult, build, parse_project
from orchestration.warehouse.raw_schema import check_engine, register_build

ENGINE = engine()
MANIFEST = parse_project(ENGINE)
MANIFEST_AS_WRITTEN = MANIFEST.writable_manifest().to_dict()


class Translator(DagsterDbtTranslator):
    """Groups models by their folder on disk; sets their owners, descriptions and tags."""

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """The first folder under models/ (or `rules` for seeds)."""
        if dbt_resource_props["resource_type"] == "seed":
            return "rules"
        return str(dbt_resource_props["fqn"][1])

    # The base class passes the properties; they aren't needed, as one team owns everything.
    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:  # noqa: ARG002
        """The data team owns all models."""
        return OWNERS

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """The description in the YAML, without the SQL of Dagster's default: dbt's docs have it."""
        return str(dbt_resource_props["description"])

    def get_tags(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, str]:
        """The audience of a model, by its schema."""
        return READERS if dbt_resource_props["schema"] in READER_SCHEMAS else TEAM


translator = Translator()
project = DbtProject(project_dir=DBT_PROJECT, target=ENGINE)


@dbt_assets(
    manifest=MANIFEST_AS_WRITTEN,
    project=project,
    dagster_dbt_translator=translator,
    partitions_def=quarters,
    name="dbt",
)
def dbt_models(context: dg.AssetExecutionContext, workspace: Workspace) -> Iterator[Any]:
    """Build seeds, models and tests for the run's quarter; record every test's result."""
    home, quarter, run_id = workspace.home, context.partition_key, context.run.run_id
    events: list[DbtCoreCliEventMessage] = []
    check_engine(home, ENGINE)
    if require_scope(home, quarter) != run_id:  # re-executed: the results belong to this run
        register_build(home, run_id)
    discard_candidate(home, quarter)
    result = _builder()(
        home,
        MANIFEST,
        lambda event: events.append(
            DbtCoreCliEventMessage(raw_event=event, event_history_metadata={})
        ),
    )
    broken = [entry for entry in result.run_results["results"] if entry["status"] == "error"]
    said = "\n".join(str(entry["message"]) for entry in broken)
    refused = refusal(said) or (result.exception and for_people(result.exception))
    if refused:
        raise refused
    # Recorded before the first event that may stop this step, so that failed tests are recorded.
    results = from_dbt(result.run_results, MANIFEST_AS_WRITTEN)
    if broken or result.exception:  # the tests are no evidence, as the build is incomplete
        record(home, run_id, quarter, input_sha256(home, quarter), "", results)
    else:
        export_candidate(home, quarter, run_id)
        gate.record(home, run_id, quarter, results)
    columns = built_columns(home)
    for event in events:
        for told in event.to_default_asset_events(
            manifest=MANIFEST_AS_WRITTEN,
            dagster_dbt_translator=translator,
            context=context,
            target_path=home.dbt_target,
            project=project,
        ):
            yield _with_columns(told, context, columns)
    if broken or result.exception:
        names = "、".join(entry["unique_id"] for entry in broken)
        raise dg.Failure(
            f"dbt 模型执行出错：{names or result.exception}；"
            f"详见 {home.dbt_target}/run_results.json"
        )


def _builder() -> Callable[..., BuildResult]:
    if ENGINE == "spark":
        from orchestration.warehouse.spark import (
            build as build_on_spark,  # imported only if the engine is Spark
        )

        return build_on_spark
    return build


def _with_columns(
    told: Any, context: dg.AssetExecutionContext, columns: Mapping[dg.AssetKey, dg.TableSchema]
) -> Any:
    """A table's materialisation, with the built columns if the YAML declares none."""
    if not isinstance(told, dg.Output):
        return told
    key = context.asset_key_for_output(told.output_name)
    declared = context.assets_def.metadata_by_key[key].get(COLUMN_SCHEMA)
    if declared or key not in columns:
        return told
    return told.with_metadata({**told.metadata, COLUMN_SCHEMA: columns[key]})
