"""Nothing is published without evidence, by whatever way in Dagster: assets alone, in pairs, again.

Each case works on a copy of one published home, or of one in which a run was stopped at the gate.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from conftest import EXPORTS, copy_exports, hashes, hotline

QUARTER = "2022Q2"
MARTS, BULLETIN, SITE, REPORT = (
    ("published", name) for name in ("marts", "bulletin", "site", "audit_report")
)


def quarterly_job() -> dg.JobDefinition:
    """For `dg.reconstructable`, which asks for the job by the name of a function."""
    from orchestration.definitions import defs

    return defs.resolve_job_def("quarterly_load")


def move_a_ticket(exports: Path) -> None:
    """A ticket of one unit becomes another's: the published appendix says otherwise."""
    path = exports / QUARTER / "ticket.csv"
    text = path.read_text(encoding="utf-8-sig")
    path.write_text(text.replace("区人社局", "区卫健局", 1), encoding="utf-8-sig")


@pytest.fixture(scope="module")
def stopped_home(published_home, tmp_path_factory) -> tuple[Path, Path]:
    """A home in which 2022Q2 is published and a later run of it was stopped; its exports."""
    folder = tmp_path_factory.mktemp("stopped")
    home = shutil.copytree(published_home, folder / "home", symlinks=True)
    exports = copy_exports(folder / "exports")
    move_a_ticket(exports)
    ran = hotline("run", QUARTER, "--reason", "试", home=home, exports=exports)
    assert ran.status == 1, ran.out + ran.err
    return home, exports


@pytest.fixture
def stopped(stopped_home, tmp_path) -> Path:
    return Path(shutil.copytree(stopped_home[0], tmp_path / "stopped", symlinks=True))


@pytest.fixture
def materialise(monkeypatch) -> Iterator[Callable[..., dg.ExecuteInProcessResult]]:
    """Materialise some assets of a home, as the button in Dagster's pages does."""
    from orchestration.cli.runner import dagster_instance
    from orchestration.common.settings import Home

    def run(home: Path, *keys: tuple[str, str], exports: Path = EXPORTS, quarter=QUARTER):
        monkeypatch.setenv("HOTLINE_HOME", str(home))
        monkeypatch.setenv("HOTLINE_EXPORTS", str(exports))
        with dagster_instance(Home(home)) as instance:
            instance.add_dynamic_partitions("quarter", [quarter])
            return quarterly_job().execute_in_process(
                instance=instance,
                partition_key=quarter,
                asset_selection=[dg.AssetKey(key) for key in keys],
                raise_on_error=False,
            )

    yield run


def code_of(result) -> str:
    """The code of the message with which a run ended."""
    from orchestration.common.run_events import input_error_of

    events = result.all_events if hasattr(result, "all_events") else result.all_node_events
    return input_error_of(events).partition("]")[0].removeprefix("[")


def change(home: Path, sql: str) -> None:
    with duckdb.connect(str(home / "hotline.duckdb")) as warehouse:
        assert warehouse.execute(sql).fetchone()[0], "something was changed"


@pytest.mark.parametrize(
    "keys",
    [
        *((key,) for key in (MARTS, BULLETIN, SITE, REPORT)),
        *((MARTS, key) for key in (BULLETIN, SITE, REPORT)),
        *((BULLETIN, SITE), (SITE, REPORT), (MARTS, BULLETIN, SITE, REPORT)),
    ],
    ids=lambda keys: "+".join(key[1] for key in keys),
)
def test_what_was_stopped_is_published_by_no_assets(keys, stopped, stopped_home, materialise):
    before = hashes(stopped / "published")
    result = materialise(stopped, *keys, exports=stopped_home[1])
    assert not result.success
    refusal = "failed_evidence" if MARTS in keys else "not_the_published_version"
    assert code_of(result) == refusal
    assert hashes(stopped / "published") == before


def test_what_was_stopped_stays_stopped_if_it_is_executed_again(stopped, stopped_home, monkeypatch):
    from orchestration.cli.runner import dagster_instance
    from orchestration.common.settings import Home

    monkeypatch.setenv("HOTLINE_HOME", str(stopped))
    monkeypatch.setenv("HOTLINE_EXPORTS", str(stopped_home[1]))
    before = hashes(stopped / "published")
    with dagster_instance(Home(stopped)) as instance:
        failed = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))[0]
        with dg.execute_job(
            dg.reconstructable(quarterly_job),
            instance=instance,
            reexecution_options=dg.ReexecutionOptions.from_failure(failed.run_id, instance),
            tags=failed.tags,
            raise_on_error=False,
        ) as result:
            assert not result.success
            assert "reconciliation_gate" in {event.step_key for event in result.all_events}
    assert hashes(stopped / "published") == before


@pytest.mark.parametrize(
    "delete",
    [
        "delete from audit.check_result where run_id = {run}",
        "delete from audit.reconciliation where run_id = {run}",
        "delete from audit.check_result where run_id = {run} and not passed",
        "delete from audit.reconciliation where run_id = {run} and status not in "
        "('match', 'explained')",
    ],
)
def test_deleted_findings_are_no_innocence(delete, stopped, stopped_home, materialise):
    with duckdb.connect(str(stopped / "hotline.duckdb")) as warehouse:
        run = warehouse.execute("select run_id from raw.run_scope").fetchone()[0]
    change(stopped, delete.format(run=f"'{run}'"))
    before = hashes(stopped / "published")
    result = materialise(stopped, MARTS, exports=stopped_home[1])
    assert not result.success
    assert code_of(result) in ("missing_evidence", "failed_evidence")
    assert hashes(stopped / "published") == before


def delete_layer(layer: str) -> Callable[[Path], None]:
    return lambda home: change(home, f"delete from audit.check_result where layer = '{layer}'")


def delete_one_test(home: Path) -> None:
    change(home, "delete from audit.check_result where check_name = 'known_discrepancy_is_used'")


def delete_one_control(home: Path) -> None:
    change(home, "delete from audit.reconciliation where control_id = 'bound_rework'")


def whitewash_a_control(home: Path) -> None:
    change(home, "update audit.reconciliation set status = 'match' where status = 'explained'")


def change_a_byte(home: Path) -> None:
    path = home / "candidate" / QUARTER / "channel_quarter.parquet"
    data = path.read_bytes()
    path.unlink()  # the version has the same file
    path.write_bytes(data + b"\0")


def change_what_it_was_compared_with(home: Path) -> None:
    path = home / "candidate" / QUARTER / "candidate.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"compared_version": 7}))


def lose_the_candidate(home: Path) -> None:
    shutil.rmtree(home / "candidate")


@pytest.mark.parametrize(
    ("harm", "code"),
    [
        *((delete_layer(layer), "missing_evidence") for layer in ("raw", "dbt", "marts")),
        *((delete_layer(layer), "missing_evidence") for layer in ("python", "staging")),
        (delete_layer("reconciliation"), "missing_evidence"),
        (delete_one_test, "missing_evidence"),
        (delete_one_control, "missing_evidence"),
        (whitewash_a_control, "missing_evidence"),
        (change_a_byte, "missing_evidence"),
        (change_what_it_was_compared_with, "missing_evidence"),
        (lose_the_candidate, "no_candidate"),
    ],
)
def test_evidence_is_complete_and_of_these_bytes(harm, code, home):
    from orchestration.common.errors import InputError
    from orchestration.common.settings import Home
    from orchestration.publish.publication import publish

    harm(home)
    before = hashes(home / "published")
    with pytest.raises(InputError) as refused:  # whoever calls it
        publish(Home(home), QUARTER, "a run", "a reason")
    assert refused.value.code == code
    assert hashes(home / "published") == before


def test_what_passed_is_published_again_and_nothing_changes(home, materialise):
    before = hashes(home / "published" / "versions")
    assert materialise(home, MARTS, BULLETIN, SITE, REPORT).success
    assert hashes(home / "published" / "versions") == before


def test_other_rules_or_other_code_void_the_evidence(home, monkeypatch):
    from orchestration.common.errors import InputError
    from orchestration.common.settings import Home
    from orchestration.publish import candidate, gate, versions

    gate.demand(Home(home), QUARTER)
    for module, name in ((candidate, "program_sha256"), (versions, "rules_sha256")):
        with monkeypatch.context() as patch, pytest.raises(InputError) as refused:
            patch.setattr(module, name, lambda: "other")
            gate.demand(Home(home), QUARTER)
        assert refused.value.code == "missing_evidence"


def test_a_new_export_is_no_part_of_an_old_build(home, exports, materialise):
    move_a_ticket(exports)
    before = hashes(home / "published")
    sources = (("raw", source) for source in ("ticket", "mailbox", "suggestion"))
    assert materialise(home, *sources, exports=exports).success
    result = materialise(home, MARTS, exports=exports)
    assert code_of(result) == "missing_evidence"
    # Nor can models be built of what was registered before, or for another quarter.
    for quarter in (QUARTER, "2022Q1"):
        result = materialise(home, ("facts", "fct_ticket"), exports=exports, quarter=quarter)
        assert code_of(result) == "stale_scope"
    assert hashes(home / "published") == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("orchestration.defs.dbt", "export_candidate"),
        ("orchestration.defs.checks", "mart_table"),
        ("orchestration.defs.checks", "recompute"),
        ("orchestration.publish.gate", "judge_controls"),
        ("orchestration.publish.publication", "refresh_readers"),
        ("orchestration.defs.bulletin", "publish_bulletin"),
    ],
)
def test_a_run_that_broke_off_is_executed_again_from_there(module, name, tmp_path, monkeypatch):
    import importlib

    from orchestration.cli.runner import dagster_instance
    from orchestration.common.settings import Home

    home = tmp_path / "home"
    monkeypatch.setenv("HOTLINE_HOME", str(home))
    monkeypatch.setenv("HOTLINE_EXPORTS", str(EXPORTS))

    def broken(*_args, **_more):
        raise RuntimeError("broke off")

    with dagster_instance(Home(home)) as instance:
        instance.add_dynamic_partitions("quarter", [QUARTER])
        with monkeypatch.context() as patch:
            patch.setattr(importlib.import_module(module), name, broken)
            first = quarterly_job().execute_in_process(
                instance=instance, partition_key=QUARTER, raise_on_error=False
            )
        assert not first.success
        with dg.execute_job(
            dg.reconstructable(quarterly_job),
            instance=instance,
            reexecution_options=dg.ReexecutionOptions.from_failure(first.run_id, instance),
            tags=first.dagster_run.tags,
            raise_on_error=False,
        ) as again:
            assert again.success
            assert "raw__ticket" not in {event.step_key for event in again.all_events}
    assert (home / "published" / "versions" / QUARTER / "v1" / "manifest.json").is_file()
