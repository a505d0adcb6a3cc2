"""A known discrepancy explains what it records and nothing else; `hotline explain` writes it."""

import csv
import hashlib
import shutil
from datetime import date, timedelta

import duckdb
import pytest
from conftest import EXPORTS, PROJECT, hashes, hotline, read

from orchestration.checks import discrepancies, reconciliation
from orchestration.common.errors import InputError
from orchestration.common.settings import Home
from orchestration.publish.audit.explanation import explain

PRINTED = "云溪街道办事处,办件量,287"


@pytest.fixture
def site(tmp_path, monkeypatch):
    """The project's own district as a site, so that its rules can be edited."""
    folder = tmp_path / "site"
    shutil.copytree(PROJECT / "dbt_project" / "seeds", folder / "seeds")
    shutil.copytree(EXPORTS / "contracts", folder / "contracts")
    monkeypatch.setenv("HOTLINE_SITE", str(folder))
    yield folder
    name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]
    shutil.rmtree(PROJECT / "dbt_project" / "target" / f"site-{name}", ignore_errors=True)


@pytest.mark.slow
def test_from_a_changed_discrepancy_to_an_explained_one_to_an_expired_one(home, exports, site):
    bulletin = exports / "2022Q2" / "bulletin.csv"
    text = bulletin.read_text(encoding="utf-8")
    bulletin.write_text(text.replace(PRINTED, PRINTED.replace("287", "288")), encoding="utf-8")
    before = hashes(home / "published")
    ran = hotline("run", "2022Q2", home=home, exports=exports)
    assert ran.status == 1, ran.out + ran.err
    for words in (
        "published_text_unit · 云溪街道办事处 yunxi_subdistrict · due_count：应为 288，实为 307",
        "[known_discrepancy_is_used]",
        "2022Q2-01（published_text_unit · yunxi_subdistrict · due_count）没有说明任何差异",
        "记的应为 287、差 20，本次应为 288、差 19",
    ):
        assert words in ran.err
    assert hashes(home / "published") == before

    place = ("published_text_unit", "yunxi_subdistrict", "due_count")
    said = ("--reason", "正文先行定稿", "--evidence", "通报正文288，附件1为307")
    ran = hotline("explain", "2022Q2", *place, *said, "--write", home=home, exports=exports)
    assert ran.status == 0, ran.err
    assert "取代其中的 2022Q2-01" in ran.err
    seed = site / "seeds" / "known_discrepancy.csv"
    with seed.open(encoding="utf-8", newline="") as file:
        rows = {row["discrepancy_id"]: row for row in csv.DictReader(file)}
    numbers = [int(number.partition("-")[2]) for number in rows]
    row = rows[f"2022Q2-{max(numbers):02d}"]
    assert "2022Q2-01" not in rows and ran.out.strip() == ",".join(row.values())
    assert (row["expected"], row["difference"], row["reason"]) == ("288", "19", "正文先行定稿")
    assert (row["owner"], row["recorded_on"]) == ("区热线中心数据组", str(date.today()))
    # The bulletin's text against its own appendix is another control, with a row of its own.
    place = ("bulletin_text", *place[1:])
    ran = hotline("explain", "2022Q2", *place, *said, "--write", home=home, exports=exports)
    assert ran.status == 0 and "取代其中的 2022Q2-31" in ran.err, ran.err
    ran = hotline("run", "2022Q2", home=home, exports=exports)
    assert ran.status == 0, ran.out + ran.err
    assert read(
        home,
        "select status, explanation from audit.reconciliation where control_id = "
        "'published_text_unit' and subject = 'yunxi_subdistrict' order by checked_at desc limit 1",
    ) == [("explained", "正文先行定稿")]

    yesterday = str(date.today() - timedelta(days=1))
    expired = row | {"recorded_on": "2022-08-01", "expires_on": yesterday}
    text = seed.read_text(encoding="utf-8")
    seed.write_text(text.replace(",".join(row.values()), ",".join(expired.values())), "utf-8")
    measures = site / "seeds" / "published_measure.csv"
    text = measures.read_text(encoding="utf-8")
    mapped = "政协云微建议,应办理数,published_text_suggestion,channel_quarter,suggestion,"
    assert f"{mapped}distinct_item_count" in text
    measures.write_text(text.replace(f"{mapped}distinct_item", f"{mapped}distinct"), "utf-8")
    before = hashes(home / "published")
    ran = hotline("run", "2022Q2", home=home, exports=exports)
    assert ran.status == 1, ran.out + ran.err
    assert f"已于 {yesterday} 到期" in ran.err
    assert "published_text_unit · 云溪街道办事处 yunxi_subdistrict · due_count：应为 288" in ran.err
    # The measure that doesn't exist has nothing in the marts to be compared with.
    assert "suggestion · distinct_count：应为 14，实为 —（missing_actual）" in ran.err
    assert hashes(home / "published") == before


@pytest.mark.parametrize(
    ("place", "quarter", "code", "named"),
    [
        (("published_apendix_1", "forestry", "due_count"), "2022Q2", "unknown_control", "CONTROL"),
        (
            ("published_appendix_1", "forestri", "due_count"),
            "2022Q2",
            "unknown_subject",
            "forestry",
        ),
        (("published_appendix_1", "forestry", "du"), "2022Q2", "unknown_measure", "due_count"),
        (("published_appendix_1", "区公安分局", "due_count"), "2022Q2", "ambiguous_unit", "other"),
        (("published_appendix_1", "区林业局", "due_count"), "2022Q2", "nothing_to_explain", "相符"),
        (("published_appendix_1", "forestry", "due_count"), "2022Q3", "not_reconciled", "2022Q3"),
        (("rejected_rows", "ticket.csv", "rejected_count"), "2022Q2", "not_explainable", "拒收"),
        (("bound_rework", "forestry", "rework_count"), "2022Q2", "not_explainable", "不与通报"),
        (("published_appendix_1", "forestry", "due_count"), "2022Q7", "bad_quarter", "2022Q7"),
    ],
)
def test_what_cannot_be_explained_is_refused(place, quarter, code, named, published_home):
    with pytest.raises(InputError) as refused:
        explain(Home(published_home), quarter, place, "原因", "依据", None)
    assert refused.value.code == code
    assert named in str(refused.value)


@pytest.mark.parametrize(
    ("reason", "expires", "code"),
    [(" ", None, "missing_reason"), ("原因", date(2022, 7, 1), "bad_expiry")],
)
def test_a_record_without_a_reason_or_a_future_is_refused(reason, expires, code, published_home):
    place = ("published_appendix_1", "forestry", "due_count")
    with pytest.raises(InputError) as refused:
        explain(Home(published_home), "2022Q2", place, reason, "依据", expires)
    assert refused.value.code == code


def test_the_command_of_the_readme_prints_a_row(published_home, tmp_path):
    """With no more than a place, by the label that the bulletin prints; to write it takes why."""
    home = Home(shutil.copytree(published_home, tmp_path / "home", symlinks=True))
    with duckdb.connect(str(home.warehouse)) as connection:
        connection.execute(
            "update audit.reconciliation set actual = 2, difference = 2, status = 'unexplained' "
            "where control_id = 'published_appendix_1' and subject = 'forestry' "
            "and measure = 'rework_count'"
        )
    place = ("explain", "2022Q2", "published_appendix_1", "区林业局", "返工数")
    ran = hotline(*place, home=home.root)
    assert ran.status == 0, ran.err
    (row,) = csv.reader(ran.out.splitlines())
    assert row[1:9] == [
        *("published_appendix_1", "2022Q2", "forestry", "rework_count", "0", "2"),
        *("【请写明为什么不符】", "【请写明依据】"),
    ]
    ran = hotline(*place, "--write", home=home.root)
    assert ran.status == 2 and "missing_reason" in ran.err


def test_the_command_refuses_with_status_2(published_home):
    place = ("published_appendix_1", "forestry", "due_count")
    said = ("--reason", "原因", "--evidence", "依据")
    ran = hotline("explain", "2022Q2", *place, *said, home=published_home)
    assert (ran.status, ran.out) == (2, "")
    assert "nothing_to_explain" in ran.err and "处理" in ran.err


@pytest.mark.parametrize(
    "control_id",
    ["rejected_rows", "bound_callback", "quarter_carry", "last_version", "index_formula", "none"],
)
def test_what_the_pipeline_counts_itself_cannot_be_a_known_discrepancy(
    control_id, tmp_path, monkeypatch
):
    """One for a period without bulletin lay there unused, and later let 40 rejected rows pass."""
    seed = PROJECT / "dbt_project" / "seeds" / "known_discrepancy.csv"
    text = seed.read_text(encoding="utf-8")
    (tmp_path / seed.name).write_text(
        text + f"2023Q1-01,{control_id},2023Q1,ticket.csv,rejected_count,0,40,x,y,z,"
        "2026-11-24,2028-12-31\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(discrepancies, "seeds_root", lambda: tmp_path)
    with pytest.raises(InputError) as refused:
        discrepancies.check_seed()
    number = len(text.splitlines()) + 1
    assert refused.value.code == "not_explainable"
    assert f"known_discrepancy.csv，第 {number} 行，列「control_id」" in str(refused.value)


def test_the_projects_own_discrepancies_are_all_with_the_bulletin():
    discrepancies.check_seed()
    assert discrepancies.ids_in_force("2022Q2", date(2028, 12, 31))
    assert discrepancies.ids_in_force("2022Q2", date(2029, 1, 1)) == []
    assert discrepancies.ids_in_force("2022Q3", date(2028, 12, 31)) == []


def test_a_control_group_without_a_row_stops_the_run(published_home):
    home = Home(published_home)
    run_id = reconciliation.required_run(home, "2022Q2")
    rows = reconciliation.controls(home, run_id)
    judged = reconciliation.judge_groups(rows, has_bulletin=True)
    assert set(judged.values()) == {0}
    for group in judged:
        left = [row for row in rows if row["control_group"] != group]
        assert reconciliation.judge_groups(left, has_bulletin=True)[group] == 1
        without = reconciliation.judge_groups(left, has_bulletin=False)[group]
        assert without == (group not in ("published", "bulletin_self"))


@pytest.mark.parametrize("column", ["owner", "severity", "tolerance", "compares", "explained_by"])
def test_a_control_that_leaves_something_unsaid_is_refused(column, tmp_path, monkeypatch):
    with reconciliation.CONTROLS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    rows[2][column] = " "
    path = tmp_path / "control.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    monkeypatch.setattr(reconciliation, "CONTROLS", path)
    with pytest.raises(InputError) as refused:
        reconciliation.load_controls()
    assert f"control.csv，第 4 行，列「{column}」" in str(refused.value)
    assert "raw_to_staging" in str(refused.value)


def test_each_kind_of_control_is_there_and_has_run(published_home):
    groups = {control["control_group"] for control in reconciliation.load_controls()}
    assert groups == {
        *("file_to_raw", "raw_to_staging", "staging_to_fact", "fact_to_mart", "unit_to_district"),
        *("breakdown_to_total", "bound", "rate", "index", "published", "bulletin_self"),
        *("quarter_to_quarter", "version_to_version", "plausibility"),
    }
    ran = read(published_home, "select distinct control_group from audit.reconciliation")
    assert {group for (group,) in ran} == groups
