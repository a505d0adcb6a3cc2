"""Running dbt in this process: one import and one parse serve Dagster's graph and the build."""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt_common.events.base_types import EventMsg
from filelock import FileLock
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from orchestration.errors import InputError
from orchestration.settings import DBT_PROJECT, Home, seeds_root, site_root

# A parse target for each site, so that two sites don't undo each other's parse.
TARGET = DBT_PROJECT / "target"
if site := site_root():
    TARGET /= f"site-{hashlib.sha256(str(site).encode()).hexdigest()[:12]}"
# dbt takes seed paths relative to its project.
os.environ["HOTLINE_SEEDS"] = os.path.relpath(seeds_root(), DBT_PROJECT)
# Not even errors: they come back as results and are told in our words.
QUIET = ["--quiet", "--log-level", "none", "--log-level-file", "none"]
DATABASE = "HOTLINE_DATABASE"


@dataclass(frozen=True)
class BuildResult:
    """What `dbt build` did: `run_results` as in dbt's artifact of that name."""

    run_results: dict[str, Any]
    exception: BaseException | None


def parse_project() -> Manifest:
    """Parse the project (only what changed since the last time); writes `target/manifest.json`.

    Raises:
        InputError: the site lacks a seed that the models read.
        RuntimeError: dbt can't parse the project.
    """
    _check_seeds()
    # The same profile for every home, or dbt would take the last parse for outdated.
    database = os.environ.pop(DATABASE, None)
    TARGET.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(TARGET / ".parse.lock"):
            result = dbtRunner().invoke(["parse", *_where(TARGET), *QUIET])
    finally:
        if database is not None:
            os.environ[DATABASE] = database
    if not isinstance(result.result, Manifest):
        raise RuntimeError(f"dbt parse: {result.exception}")
    return result.result


def _check_seeds() -> None:
    seeds = seeds_root()
    own, needed = (
        {path.name for path in folder.glob("*.csv")} for folder in (seeds, DBT_PROJECT / "seeds")
    )
    if missing := sorted(needed - own):
        raise InputError(
            code="missing_seed",
            file=f"{seeds.parent.name}/{seeds.name}/",
            found=f"缺少 {'、'.join(missing)}",
            expected="每个业务规则一个 .csv，列与 dbt_project/seeds 中的相同；没有内容的只留列名",
            action="补上文件，或改正 HOTLINE_SITE",
        )


def build(
    home: Home,
    manifest: Manifest,
    on_event: Callable[[dict[str, Any]], None],
    leave_out: Sequence[str] = (),
) -> BuildResult:
    """Build seeds, models and data tests against a home's working warehouse.

    Args:
        home: whose warehouse is written.
        manifest: from `parse_project`.
        on_event: called with each of dbt's structured log events, as its JSON form.
        leave_out: kinds of resources that aren't built, such as `seed`; unit tests never are.
    """

    def listen(message: EventMsg) -> None:
        on_event(MessageToDict(cast(Message, message), preserving_proto_field_name=True))

    os.environ[DATABASE] = str(home.warehouse)
    artifact = home.dbt_target / "run_results.json"
    artifact.unlink(missing_ok=True)
    kinds = [f"--exclude-resource-type={kind}" for kind in ("unit_test", *leave_out)]
    command = ["build", *kinds, *_where(home.dbt_target), *QUIET]
    result = dbtRunner(manifest=manifest, callbacks=[listen]).invoke(command)
    return BuildResult(
        run_results=json.loads(artifact.read_text()) if artifact.exists() else {"results": []},
        exception=result.exception,
    )


def static_docs(home: Home) -> Path:
    """Make dbt's documentation of the models as one page that needs no network; its path.

    Raises:
        RuntimeError: dbt can't make it, for instance from a warehouse without the models.
    """
    os.environ[DATABASE] = str(home.warehouse)
    command = ["docs", "generate", "--static", *_where(home.dbt_target), *QUIET]
    result = dbtRunner().invoke(command)
    if not result.success:
        raise RuntimeError(f"dbt docs generate: {result.exception}")
    return home.dbt_target / "static_index.html"


def _where(target: Path) -> list[str]:
    project = str(DBT_PROJECT)
    return [
        *("--project-dir", project, "--profiles-dir", project),
        *("--target-path", str(target), "--log-path", str(target)),
    ]
