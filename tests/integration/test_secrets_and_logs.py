"""Secrets stay in the environment; the log tells what ran; the pages of Dagster stay local."""

import json
import tarfile

import dagster as dg
import pytest
from conftest import hotline

from orchestration.cli.runner import dagster_instance
from orchestration.cli.ui import _listening
from orchestration.common.errors import InputError
from orchestration.common.settings import Home

KNOWN = {"at", "run_id", "quarter", "event", "stage", "seconds", "code"}


def log_of(home):
    text = Home(home).log.read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_a_run_that_stops_says_where_and_the_code_alone(exports, tmp_path):
    (exports / "2022Q2" / "ticket.csv").write_text("来电人,电话\n虚构人甲,000-0000-0001\n", "utf-8")
    ran = hotline("run", "2022Q2", home=tmp_path / "home", exports=exports)
    assert ran.status == 2
    entries = log_of(tmp_path / "home")
    failed = [entry for entry in entries if entry["event"] == "stage_failed"]
    assert {entry["code"] for entry in failed} == {"unknown_header"}
    assert entries[-1]["event"] == "run_failed"
    assert {key for entry in entries for key in entry} <= KNOWN
    assert len({entry["run_id"] for entry in entries}) == 1


def test_runs_that_dagster_starts_are_logged_alike(tmp_path, monkeypatch):
    """The handler belongs to the home's instance, so to every run of it."""
    monkeypatch.setenv("HOTLINE_HOME", str(tmp_path))

    @dg.op
    def raw__ticket() -> None:
        raise InputError("bad_workbook", "虚构人甲", "x", "y")

    @dg.job(tags={"dagster/partition": "2022Q2"})
    def quarterly_load() -> None:
        raw__ticket()

    with dagster_instance(Home(tmp_path)) as instance:
        quarterly_load.execute_in_process(instance=instance, raise_on_error=False)
    events = [(entry["event"], entry.get("code")) for entry in log_of(tmp_path)]
    assert events == [
        ("run_started", None), ("stage_failed", "bad_workbook"), ("run_failed", None),
    ]  # fmt: skip
    assert {entry["quarter"] for entry in log_of(tmp_path)} == {"2022Q2"}
    assert "虚构" not in Home(tmp_path).log.read_text(encoding="utf-8")


def test_a_log_that_cant_be_written_stops_nothing(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("HOTLINE_HOME", str(tmp_path))
    Home(tmp_path).log.mkdir(parents=True)
    Home(tmp_path).lock.touch()

    @dg.job
    def nothing() -> None:
        pass

    with dagster_instance(Home(tmp_path)) as instance:
        assert nothing.execute_in_process(instance=instance).success
    assert "Logging error" not in capfd.readouterr().err


def test_the_log_is_bounded(tmp_path, monkeypatch):
    from orchestration.operations import run_log

    monkeypatch.setenv("HOTLINE_HOME", str(tmp_path))
    monkeypatch.setattr(run_log, "MAX_BYTES", 300)

    @dg.job
    def nothing() -> None:
        pass

    with dagster_instance(Home(tmp_path)) as instance:
        for _ in range(12):
            nothing.execute_in_process(instance=instance)
    files = sorted(Home(tmp_path).log.parent.iterdir())
    assert len(files) == 1 + run_log.KEPT_FILES
    assert all(path.stat().st_size <= 300 for path in files)


@pytest.mark.slow
def test_no_secret_is_written_anywhere(exports, tmp_path, monkeypatch):
    """By a run that publishes, one that fails, a backup or the doctor; nor shown on the screen."""
    home, archive = tmp_path / "home", tmp_path / "home.tar.gz"
    secrets = {
        "HOTLINE_ALERT_WEBHOOK": "http://127.0.0.1:1/send?key=s3cretA",
        "HOTLINE_ALERT_SMTP": "smtp://clerk:s3cretB@127.0.0.1:1",
        "HOTLINE_ALERT_TO": "data@office.example",
        "HOTLINE_HASH_KEY": "s3cretC-and-sixteen",
        "HOTLINE_POSTGRES_URL": "postgresql://clerk:s3cretD@127.0.0.1:1/none",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)

    def run(*command, status):
        ran = hotline(*command, home=home, exports=exports)
        assert ran.status == status, ran.err
        assert "s3cret" not in ran.out + ran.err

    run("doctor", status=1)  # no PostgreSQL answers
    run("run", "2022Q2", status=2)
    monkeypatch.delenv("HOTLINE_POSTGRES_URL")
    run("run", "2022Q2", status=0)
    run("backup", archive, status=0)
    (exports / "2022Q2" / "ticket.csv").write_bytes(b"\0")
    run("run", "2022Q2", status=2)
    written = [path for path in home.rglob("*") if path.is_file()]
    assert len(written) > 100
    assert not [path for path in written if b"s3cret" in path.read_bytes()]
    with tarfile.open(archive) as tar:
        members = [member for member in tar if member.isfile()]
        assert len(members) > 20
        assert not [file.name for file in members if b"s3cret" in tar.extractfile(file).read()]


def test_a_backup_is_for_its_owner_and_holds_no_log(published_home, tmp_path):
    archive = tmp_path / "home.tar.gz"
    assert hotline("backup", archive, home=published_home).status == 0
    assert archive.stat().st_mode & 0o077 == 0
    with tarfile.open(archive) as tar:
        names = tar.getnames()
    assert {name.partition("/")[0] for name in names} == {"backup.json", "lake", "published"}


def test_dagsters_pages_are_served_on_this_machine_alone():
    with _listening(0) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("reason", ["=1+1", "@SUM(A1)", "＝cmd"])
def test_a_reason_is_no_formula(published_home, reason):
    ran = hotline(
        *("explain", "2022Q2", "published_text_unit", "health", "due_count"),
        *("--reason", reason, "--evidence", "依据"),
        home=published_home,
    )
    assert ran.status == 2
    assert "[formula]" in ran.err
