"""Trace: a published figure leads to its source rows, a source row to the figures it is in.

What the rows should be is counted here from the raw exports, by conditions written out by hand.
"""

import csv
import hashlib
import io
import shutil
from datetime import datetime

import duckdb
import pytest
from conftest import EXPORTS, hotline, published
from python_calamine import CalamineWorkbook

from orchestration.catalogue.measures import COUNTS, marts
from orchestration.common.settings import Home
from orchestration.publish.audit.trace import trace_figure

FOLDER = EXPORTS / "2022Q2"


def in_quarter(text):
    return "2022-04-01" <= text < "2022-07-01"


def is_due(row):
    return in_quarter(row["交办时间"])


def is_handled(row):
    return is_due(row) and "" < row["办结时间"] < "2022-07-01"


def is_on_time(row):
    return is_handled(row) and row["办结时间"] <= row["办理期限"]


def is_rework(row):
    return is_due(row) and row["是否返工"] == "是"


# Labels as the bulletin, the pages and the audit report print them, and what is meant.
LABELS = {
    "返工数": "rework_count",
    "返工率": "rework_rate",
    "回访不满意数": "dissatisfied_count",
    "综合指标值": "composite_index",
    "应办理数": "due_count",
    "热线应办理数": "due_count",
    "已办结数": "mailbox.handled_count",
    "信箱应办理数": "mailbox.due_count",
    "mailbox.应办理数": "mailbox.due_count",
    "超期未办数": "suggestion.overdue_count",
    "Sent back": "rework_count",
    "Dissatisfied rate": "dissatisfaction_rate",
    "on time": "on_time_count",
}


@pytest.mark.parametrize(("label", "measure"), LABELS.items())
def test_a_printed_label_is_as_good_as_its_code(published_home, label, measure):
    home = Home(published_home)
    by_code, by_label = (
        trace_figure(home, "2022Q2", "区人社局", text, None) for text in (measure, label)
    )
    assert by_label == by_code


def test_the_command_takes_a_label_and_refuses_one_of_two_measures(published_home):
    about = ("trace", "2022Q2", "--unit", "区人社局", "--measure")
    by_code, by_label = (
        hotline(*about, text, "--csv", home=published_home) for text in ("rework_count", "返工数")
    )
    assert by_label.status == 0 and by_label.out == by_code.out != ""
    ran = hotline(*about, "Overdue", home=published_home)
    assert ran.status == 2
    for words in ("ambiguous_measure", "mailbox.overdue_count", "suggestion.overdue_count"):
        assert words in ran.err


def is_callback(row):
    return in_quarter(row["回访时间"])


def is_dissatisfied(row):
    return is_callback(row) and row["回访结果"] == "不满意"


MEASURES = {
    "due_count": {"due_count": is_due},
    "handled_count": {"handled_count": is_handled},
    "completion_rate": {"handled_count": is_handled, "due_count": is_due},
    "on_time_count": {"on_time_count": is_on_time},
    "on_time_rate": {"on_time_count": is_on_time, "due_count": is_due},
    "rework_count": {"rework_count": is_rework},
    "rework_rate": {"rework_count": is_rework, "due_count": is_due},
    "callback_count": {"callback_count": is_callback},
    "dissatisfied_count": {"dissatisfied_count": is_dissatisfied},
    "dissatisfaction_rate": {"dissatisfied_count": is_dissatisfied, "callback_count": is_callback},
    "composite_index": {
        "handled_count": is_handled,
        "due_count": is_due,
        "on_time_count": is_on_time,
        "rework_count": is_rework,
        "dissatisfied_count": is_dissatisfied,
        "callback_count": is_callback,
    },
}


def trace(home, *arguments, **options):
    return hotline("trace", "2022Q2", *arguments, home=home, **options)


def traced(home, unit, measure, *more):
    """[(file name, row number, business id)] by count."""
    ran = trace(home, "--unit", unit, "--measure", measure, "--csv", *more)
    assert ran.status == 0, ran.out + ran.err
    rows = {}
    for row in csv.DictReader(io.StringIO(ran.out)):
        path = FOLDER / row["file_name"]
        assert row["file_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        found = (path.name, int(row["row_number"]), row["business_id"])
        rows.setdefault(row.get("count", measure), []).append(found)
    return rows


@pytest.fixture(scope="module")
def tickets():
    """(row number as Excel shows it, row) of the raw export."""
    with (FOLDER / "ticket.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(enumerate(csv.DictReader(file), start=2))


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("unit", ["区人社局", "松杨湖街道办事处"])
def test_a_figure_leads_to_exactly_its_rows(unit, measure, published_home, tickets):
    expected = {
        count: [
            ("ticket.csv", number, row["工单编号"])
            for number, row in tickets
            if row["承办单位"].strip() == unit and condition(row)
        ]
        for count, condition in MEASURES[measure].items()
    }
    assert traced(published_home, unit, measure) == expected
    if measure == "dissatisfaction_rate":
        due = sum(row["承办单位"].strip() == unit and is_due(row) for _, row in tickets)
        assert (len(expected["callback_count"]) > due) == (unit == "松杨湖街道办事处")


def test_a_letter_leads_to_its_row_in_the_workbook(published_home):
    sheet = CalamineWorkbook.from_path(str(FOLDER / "mailbox.xlsx")).get_sheet_by_index(0)
    header, *rows = sheet.to_python()
    expected = []
    for number, cells in enumerate(rows, start=2):
        row = dict(zip(header, cells, strict=True))
        if row["承办单位"].strip() == "区城管局" and in_quarter(str(row["交办时间"])):
            expected.append(("mailbox.xlsx", number, row["信件编号"]))
    found = traced(published_home, "区城管局", "mailbox.due_count")
    assert found == {"mailbox.due_count": expected}
    assert expected


def test_an_assignment_leads_to_its_row(published_home):
    with (FOLDER / "suggestion.csv").open(encoding="gb18030", newline="") as file:
        rows = list(enumerate(csv.DictReader(file), start=2))
    expected = [
        ("suggestion.csv", number, row["建议编号"])
        for number, row in rows
        if row["承办单位"].strip() == "交警云溪大队"
        and datetime(2022, 4, 1)
        <= datetime.strptime(row["交办时间"], "%Y/%m/%d %H:%M")
        < datetime(2022, 7, 1)
    ]
    found = traced(published_home, "交警云溪大队", "suggestion.due_count")
    assert found == {"suggestion.due_count": expected}
    assert expected


def test_the_district_and_a_name_of_two_units(published_home, tickets):
    district = traced(published_home, "全区", "satisfaction_rate")
    assert len(district["callback_count"]) == 2049
    assert len(district["satisfied_count"]) == 2049 - 388
    asked = trace(published_home, "--unit", "区公安分局", "--measure", "due_count")
    assert asked.status == 2
    assert "--group" in asked.err
    for group, label in (("A", "综合评价A类单位"), ("other", "其他单位")):
        found = traced(published_home, "区公安分局", "due_count", "--group", group)
        expected = sum(
            row["承办单位"].strip() == "区公安分局" and row["单位类别"] == label and is_due(row)
            for _, row in tickets
        )
        assert len(found["due_count"]) == expected > 0


def test_people_see_the_figure_the_rows_and_the_file(published_home):
    ran = trace(published_home, "--unit", "human_resources", "--measure", "rework_rate")
    assert ran.status == 0, ran.err
    sha256 = hashlib.sha256((FOLDER / "ticket.csv").read_bytes()).hexdigest()
    for text in ("3.09%", "分子 rework_count", "共 8 行，已发布 8", "共 259 行", sha256, "相符"):
        assert text in ran.out
    ran = trace(published_home, "--unit", "区人社局", "--measure", "composite_index")
    assert ran.status == 0, ran.err
    for text in ("97.2", "19.3822", "rework_count 8", "hotline trace 2022Q2 --unit"):
        assert text in ran.out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--unit", "区人社居", "--measure", "due_count"], ["unknown_unit", "区人社局"]),
        (["--unit", "区人社局", "--measure", "rework"], ["unknown_measure", "rework_count"]),
        (
            ["--unit", "区人社局", "--group", "other", "--measure", "due_count"],
            ["unknown_unit", "other"],
        ),
        (["--row", "tickets.csv:5"], ["unknown_row", "ticket.csv"]),
        (["--row", "ticket.csv:1"], ["unknown_row"]),
        (["--unit", "区人社局"], ["usage", "--measure"]),
    ],
)
def test_what_is_not_known_is_refused_with_a_hint(arguments, named, published_home):
    ran = trace(published_home, *arguments)
    assert ran.status == 2
    for text in named:
        assert text in ran.err


def test_an_unpublished_quarter_is_refused(published_home):
    arguments = ("--unit", "区人社局", "--measure", "due_count")
    for quarter in ("2022Q3", "2022Q9"):
        ran = hotline("trace", quarter, *arguments, home=published_home)
        assert ran.status == 2
        assert quarter in ran.err


def test_the_published_copy_and_the_originals_are_enough(published_home, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(published_home / "published", elsewhere / "published")
    for measure in ("rework_rate", "composite_index"):
        assert traced(elsewhere, "区人社局", measure) == traced(published_home, "区人社局", measure)
    ran = trace(elsewhere, "--unit", "区人社局", "--measure", "rework_rate")
    assert "3.09%" in ran.out and "相符" in ran.out
    assert cells(elsewhere, "ticket.csv:2") == cells(published_home, "ticket.csv:2")
    assert [path.name for path in elsewhere.iterdir()] == ["published"], "tracing only reads"


def test_it_says_whether_the_original_is_still_there(published_home, exports):
    arguments = ("--unit", "区人社局", "--measure", "rework_count")
    path = exports / "2022Q2" / "ticket.csv"
    path.write_bytes(path.read_bytes() + b"\n")
    changed = trace(published_home, *arguments, exports=exports)
    path.unlink()
    gone = trace(published_home, *arguments, exports=exports)
    assert (changed.status, gone.status) == (0, 0)
    assert "已改动" in changed.out
    assert "找不到" in gone.out


def test_a_published_figure_that_was_altered_is_told(home):
    with duckdb.connect() as connection:
        connection.execute(f"attach '{home / 'published' / 'marts.duckdb'}' as altered")
        connection.execute(
            "update altered.marts.hotline_unit_quarter "
            "set rework_count = 7, composite_index = 97.3 where unit_code = 'human_resources'"
        )
    ran = trace(home, "--unit", "区人社局", "--measure", "rework_count")
    assert ran.status == 1
    assert "已发布 7，追溯到 8 行" in ran.err
    ran = trace(home, "--unit", "区人社局", "--measure", "composite_index")
    assert ran.status == 1
    assert "各项得分合计 97.2" in ran.err


def cells(home, place):
    """{(table, subject, measure): value} as printed."""
    ran = trace(home, "--row", place)
    assert ran.status == 0, ran.err
    lines = [line.strip("│").split("│") for line in ran.out.splitlines() if "2022Q2 │" in line]
    return {
        (table.strip(), subject.strip(), measure.strip()): value.strip()
        for _, table, subject, measure, value, _ in lines
    }


def test_a_row_leads_to_every_cell_it_is_in(published_home):
    # Row 2: dispatched in March, called back in April, dissatisfied.
    found = cells(published_home, "ticket.csv:2")
    unit = ("hotline_unit_quarter", "songyanghu_subdistrict")
    assert found[(*unit, "dissatisfied_count")] == "16"
    assert found["hotline_district_quarter", "全区", "callback_count"] == "2049"
    assert found["channel_quarter", "hotline", "satisfaction_rate"] == "81.06%"
    assert (*unit, "due_count") not in found
    assert not [key for key in found if key[0] == "hotline_request_type_quarter"]
    # A row of an assignment is in its unit's cells and its channel's, and in no other unit's.
    found = cells(published_home, "suggestion.csv:2")
    assert {key[:2] for key in found} == {
        ("suggestion_unit_quarter", "traffic_police"),
        ("unit_quarter", "traffic_police"),
        ("channel_quarter", "suggestion"),
    }
    assert not cells(published_home, "bulletin.csv:2")


def test_the_measures_described_are_the_marts(published_home):
    """Each described count, taken from the published facts, is what its mart shows: no cell less.

    The only columns that no row is counted in are names, rules, and what follows from others.
    """
    items = [("handled_count", "due_count"), ("on_time_count", "due_count")]
    items += [("rework_count", "due_count"), ("dissatisfied_count", "callback_count")]
    names = ("completion", "on_time", "rework", "dissatisfaction")
    described, checked = {}, 0
    with published(published_home) as connection:
        for mart in marts(dict(zip(names, items, strict=True))):
            described.setdefault(mart.table, set()).update(mart.measures, mart.keys)
            for measure, counts in mart.measures.items():
                if len(counts) > 1 or measure in ("share", "quarter_on_quarter_change"):
                    continue
                if mart.of_next_quarter:
                    continue
                fact, flag = COUNTS[counts[0]]
                path = published_home / "published" / "parquet" / fact / "*" / "*.parquet"
                item_id = "suggestion_id" if fact == "fct_suggestion_assignment" else "row_number"
                number = f"count(distinct {item_id})" if "distinct" in measure else "count(*)"
                counted = connection.execute(
                    f"select {', '.join([*mart.keys.values(), number])} "
                    f"from read_parquet('{path}') where {flag} group by all"
                ).fetchall()
                keys = mart.keys or {"1": "1"}
                fixed = [f"{k} = {v}" for k, v in mart.keys.items() if v.startswith("'")]
                shown = connection.execute(
                    f"select {', '.join([*keys, measure])} from marts.{mart.table} "
                    f"where {measure} > 0 {''.join(' and ' + condition for condition in fixed)}"
                ).fetchall()
                assert sorted(row[-len(mart.keys) - 1 :] for row in shown) == sorted(counted), (
                    mart.table,
                    measure,
                )
                checked += 1
        columns = connection.execute(
            "select table_name, column_name from duckdb_columns() where schema_name = 'marts' "
            "and database_name = 'published'"
        ).fetchall()
    assert checked > 30
    left = {column for table, column in columns if column not in described[table]}
    assert left <= {
        *("quarter", "unit_name", "evaluation_group", "policy_version", "weight", "unit_count"),
        *("is_rated", "rank_in_group"),
    }
