"""A quarter in which nothing changed is left alone; whatever changed or broke, it is run."""

import hashlib
import json
import shutil
from collections.abc import Callable
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import pytest
from conftest import PROJECT, copy_exports, hashes, hotline

from orchestration.common.settings import Home
from orchestration.operations import last_run

QUARTER = "2022Q2"
EXPIRY = date(2028, 12, 31)  # of every discrepancy in the seed


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The project's own district as a site, with a home in which its quarter was run."""
    folder = tmp_path_factory.mktemp("district") / "site"
    copy_exports(folder / "exports")
    for name in ("contracts", "layouts", "bulletin"):
        (folder / "exports" / name).rename(folder / name)
    shutil.copytree(PROJECT / "dbt_project" / "seeds", folder / "seeds")
    shutil.copytree(PROJECT / "expectations", folder / "expectations")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOTLINE_SITE", str(folder))
        ran = hotline("run", QUARTER, home=folder / "home", exports=folder / "exports")
        assert ran.status == 0, ran.out + ran.err
        yield folder
    name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]
    shutil.rmtree(PROJECT / "dbt_project" / "target" / f"site-{name}", ignore_errors=True)


@pytest.fixture
def is_left_alone(site, monkeypatch) -> Callable[..., bool]:
    """Whether the command would leave a quarter alone as things stand; by default the one run."""
    monkeypatch.setenv("HOTLINE_EXPORTS", str(site / "exports"))
    home = Home((site / "home").resolve())

    def left_alone(quarter: str = QUARTER, today: date | None = None) -> bool:
        today = today or date.today()
        return last_run.unchanged_since(home, quarter, last_run.basis(home), today) is not None

    return left_alone


@contextmanager
def put_aside(path: Path):
    """Let a test change a file or take it away; afterwards it stands as before, time included."""
    aside = path.with_name(f".{path.name}.aside")
    path.rename(aside)
    shutil.copyfile(aside, path)
    try:
        yield
    finally:
        aside.replace(path)


def changed(path: Path) -> None:
    """One byte in the middle is another."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_rerun_prints_the_same_and_writes_nothing(first_run):
    home, ran = first_run
    before = hashes(home)
    times = {path: path.stat().st_mtime_ns for path in home.rglob("*")}
    again = hotline("run", QUARTER, home=home)
    assert again.status == 0, again.out + again.err
    assert f"{QUARTER} 与第 1 版相同，无需重跑" in again.out and "各阶段用时" not in again.out
    said = ran.out[ran.out.index("全区 12345 热线") :].replace("已发布 2022Q2 第 1 版", "")
    for line in again.out[again.out.index("全区 12345 热线") :].splitlines():
        assert line in said or "无需重跑" in line
    assert hashes(home) == before
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*")} == times


@pytest.mark.parametrize(
    "pattern",
    [
        "exports/2022Q2/ticket.csv",
        "exports/2022Q2/mailbox.xlsx",
        "exports/2022Q2/notice.md",
        "seeds/unit_alias.csv",
        "seeds/known_discrepancy.csv",
        "contracts/ticket.yml",
        "layouts/bulletin.yml",
        "bulletin/bulletin.yml",
        "bulletin/site.yml",
        "expectations/ticket.json",
        "home/lake/ticket/*.parquet",
        "home/lake/index/2022Q2/ticket.json",
        "home/hotline.duckdb",
        "home/last-run.json",
        "home/published/marts.duckdb",
        "home/published/versions/2022Q2/v1/manifest.json",
        "home/published/versions/2022Q2/v1/fct_ticket.parquet",
        "home/published/parquet/hotline_unit_quarter/quarter=2022Q2/*.parquet",
        "home/published/bulletin/index.html",
        "home/published/bulletin/2022Q2/index.html",
        "home/published/bulletin/2022Q2/unit/human_resources.html",
        "home/published/bulletin/2022Q2/bulletin.docx",
        "home/published/audit/2022Q2/audit.xlsx",
    ],
)
@pytest.mark.parametrize("do", [changed, Path.unlink], ids=["changed", "gone"])
def test_what_changed_or_is_gone_is_noticed(pattern, do, site, is_left_alone):
    (path,) = site.glob(pattern)
    assert is_left_alone()
    with put_aside(path):
        do(path)
        assert not is_left_alone()
    assert is_left_alone()


def test_a_further_export_is_noticed(site, is_left_alone):
    further = site / "exports" / QUARTER / "ticket-2.csv"
    shutil.copyfile(site / "exports" / QUARTER / "ticket.csv", further)
    assert not is_left_alone()
    further.unlink()
    assert is_left_alone()


def test_what_was_forgotten_since_is_noticed(site, is_left_alone):
    erasures = site / "home" / "lake" / "erasures.json"
    erasures.write_text("[]", encoding="utf-8")
    assert not is_left_alone()
    erasures.unlink()
    assert is_left_alone()


def test_a_discrepancy_explains_until_its_last_day(is_left_alone):
    assert is_left_alone(today=EXPIRY)
    assert not is_left_alone(today=EXPIRY + timedelta(days=1))
    assert not is_left_alone(today=date.today() - timedelta(days=1)), "a clock that was set back"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOTLINE_HASH_KEY", "another"),
        ("HOTLINE_POSTGRES_URL", "postgresql://nowhere/"),
        ("HOTLINE_ENGINE", "spark"),
    ],
)
def test_another_setting_is_noticed(name, value, is_left_alone, monkeypatch):
    monkeypatch.setenv(name, value)
    assert not is_left_alone()


def test_other_code_is_noticed(is_left_alone, monkeypatch):
    kept = last_run.program_files()
    assert PROJECT / "dbt_project" / "models" / "staging" / "stg_ticket.sql" in kept
    assert PROJECT / "orchestration" / "publish" / "publication.py" in kept
    monkeypatch.setattr(last_run, "program_files", lambda: kept[1:])
    assert not is_left_alone()


def test_each_quarter_is_left_alone_whatever_was_run_after_it(site, is_left_alone):
    home, noted = Home((site / "home").resolve()), site / "home" / "last-run.json"
    with put_aside(noted):
        last_run.begin(home, "another")
        assert not is_left_alone(), "killed: nothing is known of the home"
        last_run.stop(home, "another", "2022Q3")
        assert is_left_alone(), "another quarter was stopped, and left everything as it was"
        last_run.begin(home, "third")
        last_run.finish(home, "third", "2022Q3", last_run.basis(home))
        assert is_left_alone() and not is_left_alone("2022Q1")
        last_run.begin(home, "fourth")
        last_run.stop(home, "fourth", QUARTER)
        assert not is_left_alone(), "its own last run was stopped"
    assert is_left_alone()


def test_a_quarter_is_not_left_alone_once_the_one_before_was_published(site, is_left_alone):
    log = site / "home" / "published" / "publications.jsonl"
    noted = site / "home" / "last-run.json"
    version = site / "home" / "published" / "versions" / "2022Q1" / "v1"
    with put_aside(log), put_aside(noted):
        version.mkdir(parents=True)
        manifest = version / "manifest.json"
        manifest.write_text('{"quarter": "2022Q1", "version": 1}', encoding="utf-8")
        entry = json.loads(log.read_text(encoding="utf-8").splitlines()[0]) | {
            "quarter": "2022Q1",
            "manifest_sha256": hashlib.sha256(manifest.read_bytes()).hexdigest(),
        }
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        home = Home((site / "home").resolve())
        last_run.begin(home, "of 2022Q1")
        last_run.finish(home, "of 2022Q1", "2022Q1", last_run.basis(home))
        assert not is_left_alone(), "its comparison is with figures that are no longer the last"
    shutil.rmtree(version.parent)
    assert is_left_alone()


def test_only_the_quarter_of_a_finished_run_is_left_alone(site, is_left_alone):
    assert not is_left_alone("2022Q1")
    home, noted = Home(site / "home"), site / "home" / "last-run.json"
    run_id = json.loads(noted.read_text())["quarters"][QUARTER]["run_id"]
    with put_aside(noted):
        last_run.begin(home, "another")  # and killed
        assert not is_left_alone()
        last_run.finish(home, run_id, QUARTER, last_run.basis(home))
        assert not is_left_alone(), "the first one ends after the other began"
    assert is_left_alone()


def test_a_lost_page_is_made_again(site):
    page = site / "home" / "published" / "bulletin" / QUARTER / "unit" / "human_resources.html"
    text = page.read_bytes()
    page.unlink()
    ran = hotline("run", QUARTER, home=site / "home", exports=site / "exports")
    assert ran.status == 0, ran.out + ran.err
    assert "各阶段用时" in ran.out and page.read_bytes() == text
