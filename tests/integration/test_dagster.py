"""What Dagster loads: it validates, and its graph is the one that people know."""

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import dagster as dg
import pytest
from conftest import PROJECT

SNAPSHOT = Path(__file__).with_name("asset_graph.json")
UPDATE = "python -m pytest tests/integration/test_dagster.py --update-snapshot"


@pytest.fixture(scope="module")
def defs() -> dg.Definitions:
    from orchestration.definitions import defs

    return defs


def test_definitions_are_found_in_the_project_without_naming_them(tmp_path):
    dagster = Path(sys.executable).with_name("dagster")
    done = subprocess.run(
        [dagster, "definitions", "validate"],
        cwd=PROJECT,
        env=os.environ | {"DAGSTER_HOME": str(tmp_path), "HOTLINE_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_the_asset_graph_is_the_known_one(defs, request):
    graph = defs.resolve_asset_graph()
    found = {
        key.to_user_string(): {
            "group": node.group_name,
            "from": sorted(parent.to_user_string() for parent in node.parent_keys),
            "checks": len(graph.get_check_keys_for_assets({key})),
        }
        for key, node in sorted((node.key, node) for node in graph.asset_nodes)
    }
    text = json.dumps(found, indent=1) + "\n"
    if request.config.getoption("--update-snapshot"):
        SNAPSHOT.write_text(text, encoding="utf-8")
    assert text == SNAPSHOT.read_text(encoding="utf-8"), f"look at the change, then: {UPDATE}"


def test_every_asset_is_described_and_owned(defs):
    nodes = defs.resolve_asset_graph().asset_nodes
    assert [n.key for n in nodes if n.is_materializable and not n.description] == []
    assert [n.key for n in nodes if n.is_materializable and not n.owners] == []
    assert [n.key for n in nodes if n.is_materializable and "audience" not in n.tags] == []
    assert [n.key for n in nodes if "Raw SQL" in (n.description or "")] == []


def test_every_check_says_in_words_what_it_demands():
    """What people are shown beside the name of a check that stopped a run."""
    from orchestration.checks.check_results import meanings
    from orchestration.defs.dbt import MANIFEST_AS_WRITTEN

    words = meanings(MANIFEST_AS_WRITTEN)
    assert len(words) > 100
    assert [name for name, text in words.items() if not text or text.isascii()] == []
    assert "（）" not in "".join(words.values())
    assert words["unique_combination_fct_ticket_quarter__work_order_id__ticket"].endswith(
        "中 quarter、work_order_id 相同的只有一行"
    )
    assert "已知差异" in words["known_discrepancy_is_used"]


def test_every_table_shows_its_columns(defs, published_home):
    from orchestration.cli.runner import dagster_instance
    from orchestration.common.settings import Home

    declared = {
        node.key
        for node in defs.resolve_asset_graph().asset_nodes
        if node.metadata.get("dagster/column_schema")
    }
    with dagster_instance(Home(published_home)) as instance:
        built = {
            key
            for key in instance.all_asset_keys()
            if "dagster/column_schema"
            in instance.get_latest_materialization_event(key).asset_materialization.metadata
        }
        tables = {key for key in instance.all_asset_keys() if key.path[0] != "published"}
    assert len(tables) > 50
    assert tables - declared - built == set()


@pytest.fixture
def instance(tmp_path):
    from orchestration.cli.runner import dagster_instance
    from orchestration.common.settings import Home

    with dagster_instance(Home(tmp_path / "home")) as instance:
        yield instance


def test_the_schedule_loads_the_quarter_that_ended(defs, instance):
    from orchestration.defs.automation import after_quarter_end

    context = dg.build_schedule_context(
        instance=instance, scheduled_execution_time=datetime(2022, 7, 5, 6)
    )
    request = after_quarter_end(context)
    assert request.partition_key == "2022Q2"
    schedule = defs.resolve_schedule_def("after_quarter_end")
    assert schedule.cron_schedule == "0 6 5 1,4,7,10 *"
    assert schedule.execution_timezone == "Asia/Shanghai"


def test_a_backfill_takes_the_oldest_quarter_first(defs):
    config = defs.resolve_job_def("quarterly_load").partitioned_config
    tags = {
        quarter: config.get_tags_for_partition_key(quarter)["dagster/priority"]
        for quarter in ("2022Q4", "2019Q4", "2023Q1", "2022Q3")
    }
    # The queue starts the run of the highest number first.
    assert sorted(tags, key=lambda quarter: -int(tags[quarter])) == sorted(tags)


def test_dagster_keeps_the_last_runs_of_each_quarter(instance, tmp_path):
    from orchestration.common.settings import Home
    from orchestration.operations.retention import KEPT_RUNS, forget_old_runs

    home = Home(tmp_path / "home")

    @dg.op(config_schema=bool)
    def load(context: dg.OpExecutionContext) -> None:
        if context.op_config:
            raise dg.Failure("stopped at the gate")

    def run(quarter, fails=False):
        return (
            dg.GraphDefinition("load", node_defs=[load])
            .to_job(config={"ops": {"load": {"config": fails}}})
            .execute_in_process(
                instance=instance,
                tags={"dagster/partition": quarter},
                raise_on_error=False,
            )
            .run_id
        )

    other = run("2022Q1")
    published = [run("2022Q2") for _ in range(2)]
    stopped = [run("2022Q2", fails=True) for _ in range(KEPT_RUNS + 2)]
    forget_old_runs(home, instance, "2022Q2")
    kept = {other, published[-1], *stopped[-KEPT_RUNS:]}
    assert {run.run_id for run in instance.get_runs()} == kept
    files = {path.stem for path in (home.dagster / "history" / "runs").glob("*.db")}
    assert files - {"index"} == kept
    forget_old_runs(home, instance, "2022Q2")
    assert {run.run_id for run in instance.get_runs()} == kept


def tick(instance, cursor):
    from orchestration.defs.automation import exports_changed

    return exports_changed(dg.build_sensor_context(instance=instance, cursor=cursor))


def test_the_sensor_waits_until_files_stand_still(instance, exports, monkeypatch):
    monkeypatch.setenv("HOTLINE_EXPORTS", str(exports))
    first = tick(instance, None)
    assert first.run_requests == [], "just seen: it may still be being written"
    second = tick(instance, first.cursor)
    assert [r.partition_key for r in second.run_requests] == ["2022Q2"], "one run, three files"
    assert tick(instance, second.cursor).run_requests == []
    growing = exports / "2022Q2" / "ticket.csv"
    growing.write_bytes(growing.read_bytes() + b"\r\n")
    third = tick(instance, second.cursor)
    assert third.run_requests == []
    fourth = tick(instance, third.cursor)
    assert [r.partition_key for r in fourth.run_requests] == ["2022Q2"]


def test_a_dead_run_does_not_hold_up_the_queue(defs, instance, exports, monkeypatch):
    from orchestration.common.run_events import PROCESS

    monkeypatch.setenv("HOTLINE_EXPORTS", str(exports))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    job = defs.resolve_job_def("quarterly_load")
    dead, alive = (
        instance.create_run_for_job(
            job, status=dg.DagsterRunStatus.STARTED, tags={PROCESS: str(process)}
        )
        for process in (ended.pid, os.getpid())
    )
    tick(instance, None)
    assert instance.get_run_by_id(dead.run_id).status == dg.DagsterRunStatus.FAILURE
    assert instance.get_run_by_id(alive.run_id).status == dg.DagsterRunStatus.STARTED


def test_the_sensor_asks_for_one_run_a_quarter(instance, exports, monkeypatch):
    monkeypatch.setenv("HOTLINE_EXPORTS", str(exports))
    (exports / "2022Q3").mkdir()
    (exports / "2022Q4").mkdir()  # empty as yet
    for number in range(20):
        (exports / "2022Q3" / f"{number}.CSV").write_bytes(b"x")
    (exports / "2022Q3" / "~$0.xlsx").write_bytes(b"x")
    first = tick(instance, None)
    second = tick(instance, first.cursor)
    assert [r.partition_key for r in second.run_requests] == ["2022Q2", "2022Q3"]
    (exports / "2022Q3" / "~$0.xlsx").unlink()  # whoever had it open closed it
    third = tick(instance, tick(instance, second.cursor).cursor)
    assert third.run_requests == []


def test_the_sensor_asks_for_a_comparison_that_a_correction_has_overtaken(
    instance, exports, tmp_path, monkeypatch
):
    from orchestration.common.run_events import REASON_TAG
    from orchestration.common.settings import Home
    from orchestration.publish.publication_log import Entry, write

    monkeypatch.setenv("HOTLINE_EXPORTS", str(exports))
    monkeypatch.setenv("HOTLINE_HOME", str(tmp_path / "home"))
    (exports / "2022Q3").mkdir()
    (exports / "2022Q3" / "ticket.csv").write_bytes(b"x")
    asked = tick(instance, tick(instance, None).cursor)
    entries = [
        Entry("2022Q2", 1, "", "", "r", None),
        Entry("2022Q3", 1, "", "", "r", 1),
        Entry("2022Q2", 2, "", "", "r", None),
    ]
    write(Home(tmp_path / "home"), entries)
    (request,) = tick(instance, asked.cursor).run_requests
    assert request.partition_key == "2022Q3"
    assert "2022Q2 已更正为第 2 版" in request.tags[REASON_TAG]
    # Other exports aren't let through under that reason.
    (exports / "2022Q3" / "ticket.csv").write_bytes(b"xx")
    moved = tick(instance, asked.cursor)
    assert moved.run_requests == []
    (request,) = tick(instance, moved.cursor).run_requests
    assert request.partition_key == "2022Q3" and REASON_TAG not in request.tags


def test_only_quarters_folders_are_quarters(tmp_path):
    from orchestration.ingest.arrival import quarter_folders

    for name in ("2022Q3", "2021Q4", "contracts", "2022Q5", "2022q1", "2022Q2 (copy)", "2022"):
        (tmp_path / name).mkdir()
    (tmp_path / "2022Q2").write_bytes(b"a file, not a folder")
    assert list(quarter_folders(tmp_path)) == ["2021Q4", "2022Q3"]
