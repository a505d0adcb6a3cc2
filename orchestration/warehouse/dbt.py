"""Runs dbt in this process, so that Dagster's graph and the build share one import and one parse.

The models and their rules don't belong here (see `dbt_project`).
"""

import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.artifacts.schemas.run import RunExecutionResult
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt_common.events.base_types import EventMsg
from filelock import FileLock
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from orchestration.common.errors import InputError
from orchestration.common.settings import DBT_PROJECT, Engine, Home, seeds_root, site_root
from orchestration.warehouse.site_rules import check_rules

# Each site has its own target folder, so that two sites don't invalidate each other's parse.
TARGET = DBT_PROJECT / "target"
if site := site_root():
    TARGET /= f"site-{hashlib.sha256(str(site).encode()).hexdigest()[:12]}"
    # Seeds are reached through a link below the project: for seeds at `../..`, dbt would write its
    # compiled files to `../..` as well.
    os.environ["HOTLINE_SEEDS"] = str((TARGET / "seeds").relative_to(DBT_PROJECT))
# Errors are suppressed too: dbt returns them as results, and we report them in our own words.
QUIET = ["--quiet", "--log-level", "none", "--log-level-file", "none"]
# The manifest is passed on in memory: writing it takes a third of a second, twice per run.
IN_MEMORY = "--no-write-json"
RESULT_EVENTS = {"LogSeedResult", "LogModelResult", "LogTestResult"}
# The environment variables that profiles.yml reads.
DATABASE, MEMORY, SPILL = "HOTLINE_DATABASE", "HOTLINE_DUCKDB_MEMORY", "HOTLINE_DUCKDB_SPILL"


@dataclass(frozen=True)
class BuildResult:
    """The outcome of `dbt build`; `run_results` is dbt's artifact of that name."""

    run_results: dict[str, Any]
    exception: BaseException | None


def parse_project(engine: Engine = "duckdb") -> Manifest:
    """Parse the project for an engine; dbt parses only what changed since the last time.

    Raises:
        InputError: the site's rules are invalid, or the engine isn't installed.
        RuntimeError: dbt can't parse the project.
    """
    check_rules(seeds_root())
    _check_adapter(engine)
    # Use the same profile for every home: dbt discards the last parse if the profile changes.
    profile = (DATABASE, MEMORY, SPILL)
    outside = {name: os.environ.pop(name) for name in profile if name in os.environ}
    # Each engine has its own folder, so that two don't invalidate each other's parse.
    target = TARGET if engine == "duckdb" else TARGET / engine
    target.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(target / ".parse.lock"):
            _link_seeds()
            result = dbtRunner().invoke(["parse", IN_MEMORY, *_where(target, engine), *QUIET])
    finally:
        os.environ |= outside
    if not isinstance(result.result, Manifest):
        raise RuntimeError(f"dbt parse: {result.exception}")
    return result.result


def _link_seeds() -> None:
    link = TARGET / "seeds"
    if site_root() and not (link.is_symlink() and link.readlink() == seeds_root()):
        link.unlink(missing_ok=True)
        link.symlink_to(seeds_root())


def _check_adapter(engine: Engine) -> None:
    if importlib.util.find_spec(f"dbt.adapters.{engine}") is None:
        raise InputError(
            code="no_engine",
            found=f"没有安装 dbt-{engine}",
            expected=f"HOTLINE_ENGINE={engine} 时装有它；Spark 的会话方式还要 pyspark 和 Java 17",
            action=f"安装 hotline-warehouse[{engine}]，或去掉 HOTLINE_ENGINE",
        )


def build(
    home: Home,
    manifest: Manifest,
    on_event: Callable[[dict[str, Any]], None],
    leave_out: Sequence[str] = (),
    exclude: Sequence[str] = (),
    engine: Engine = "duckdb",
) -> BuildResult:
    """Build seeds, models and data tests in a home's working warehouse or on Spark.

    dbt keeps the warehouse open in this process until `close_warehouse` is called.

    Args:
        home: the home whose warehouse is written.
        manifest: from `parse_project`.
        on_event: called with dbt's log event for each node's result, in its JSON form.
        leave_out: resource types that aren't built, such as `seed`; unit tests are never built.
        exclude: names of models that aren't built.
        engine: the target of the profile; the manifest must have been parsed for it.
    """

    def listen(message: EventMsg) -> None:
        if message.info.name in RESULT_EVENTS:
            on_event(_as_json(message))

    _point_profile_at(home)
    artifact = home.dbt_target / "run_results.json"
    artifact.unlink(missing_ok=True)
    kinds = [f"--exclude-resource-type={kind}" for kind in ("unit_test", *leave_out)]
    without = ["--exclude", *exclude] if exclude else []
    command = ["build", *kinds, *without, IN_MEMORY, *_where(home.dbt_target, engine), *QUIET]
    # dbt copies the command line into its artifact, and ours may contain people's case numbers.
    own, sys.argv = sys.argv, sys.argv[:1]
    try:
        result = dbtRunner(manifest=manifest, callbacks=[listen]).invoke(command)
    finally:
        sys.argv = own
    if isinstance(result.result, RunExecutionResult):
        result.result.write(str(artifact))
    return BuildResult(
        run_results=json.loads(artifact.read_text()) if artifact.exists() else {"results": []},
        exception=result.exception,
    )


def close_warehouse() -> None:
    """Close dbt's connections to the working warehouse, so that its WAL is merged into the file."""
    DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call] # dbt's own


def run_operation(
    home: Home, manifest: Manifest, macro: str, arguments: dict[str, Any], engine: Engine
) -> str:
    """Run a macro on an engine and return the last message that it logged.

    Raises:
        RuntimeError: the macro failed.
    """
    logged, errors = [""], [""]

    def listen(message: EventMsg) -> None:
        event = _as_json(message)
        if event["info"]["name"] == "JinjaLogInfo":
            logged.append(event["data"]["msg"])
        elif event["info"]["level"] == "error":
            errors.append(event["info"]["msg"])

    command = ["run-operation", macro, "--args", json.dumps(arguments, ensure_ascii=False)]
    # A separate target folder, so that its artifact doesn't replace the build's.
    where = _where(home.dbt_target / "operation", engine)
    result = dbtRunner(manifest=manifest, callbacks=[listen]).invoke([*command, *where, *QUIET])
    if not result.success:
        raise RuntimeError(f"dbt run-operation {macro}: {result.exception or errors[-1]}")
    return logged[-1]


def static_docs(home: Home) -> Path:
    """Generate dbt's documentation as one page that needs no network, and return its path.

    Raises:
        RuntimeError: dbt can't generate it, for example because the warehouse has no models.
    """
    _point_profile_at(home)
    command = ["docs", "generate", "--static", *_where(home.dbt_target), *QUIET]
    result = dbtRunner().invoke(command)
    if not result.success:
        raise RuntimeError(f"dbt docs generate: {result.exception}")
    return home.dbt_target / "static_index.html"


def _point_profile_at(home: Home) -> None:
    config = home.duckdb_config
    os.environ |= {
        DATABASE: str(home.warehouse),
        MEMORY: config["memory_limit"],
        SPILL: config["temp_directory"],
    }


def _as_json(message: EventMsg) -> dict[str, Any]:
    return MessageToDict(cast(Message, message), preserving_proto_field_name=True)


def _where(target: Path, engine: Engine = "duckdb") -> list[str]:
    project = str(DBT_PROJECT)
    return [
        *("--target", engine),
        *("--project-dir", project, "--profiles-dir", project),
        *("--target-path", str(target), "--log-path", str(target)),
    ]
