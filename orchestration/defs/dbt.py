"""The dbt models as Dagster assets, their tests as asset checks; built by the dbt command."""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtCliResource, DbtProject, dbt_assets

from orchestration.audit.check_results import from_dbt, record
from orchestration.defs.ingest import OWNERS
from orchestration.defs.partitions import quarters
from orchestration.defs.resources import Workspace
from orchestration.publication import input_sha256
from orchestration.settings import DBT_PROJECT

project = DbtProject(project_dir=DBT_PROJECT, profiles_dir=DBT_PROJECT)


class Translator(DagsterDbtTranslator):
    """Groups models by their folder, as a newcomer finds them on disk."""

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """The first folder under models/ (or `rules` for seeds)."""
        if dbt_resource_props["resource_type"] == "seed":
            return "rules"
        return str(dbt_resource_props["fqn"][1])

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:  # noqa: ARG002
        """The data team owns all models."""
        return OWNERS


@dbt_assets(
    manifest=project.manifest_path,
    project=project,
    dagster_dbt_translator=Translator(),
    partitions_def=quarters,
    pool="warehouse",
    name="dbt",
)
def dbt_models(
    context: dg.AssetExecutionContext, dbt: DbtCliResource, workspace: Workspace
) -> Iterator[Any]:
    """Build seeds, models and tests for the run's quarter; record every test's result."""
    os.environ["HOTLINE_DATABASE"] = str(workspace.home.warehouse)
    invocation = dbt.cli(
        ["build", "--exclude-resource-type", "unit_test"],
        context=context,
        target_path=workspace.home.dbt_target,
        raise_on_error=False,
    )
    yield from invocation.stream()
    run_results = invocation.get_artifact("run_results.json")
    record(
        workspace.home,
        context.run.run_id,
        context.partition_key,
        input_sha256(workspace.home, context.partition_key),
        from_dbt(run_results, invocation.manifest),
    )
    broken = [r["unique_id"] for r in run_results["results"] if r["status"] == "error"]
    if broken:
        raise dg.Failure(f"dbt 模型执行出错：{'、'.join(broken)}；详见 {invocation.target_path}/dbt.log")


dbt_resource = DbtCliResource(
    project_dir=project, dbt_executable=str(Path(sys.executable).with_name("dbt"))
)
