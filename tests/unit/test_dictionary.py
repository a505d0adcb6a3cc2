"""The data dictionary: every published table and column has its label, on the page and in SQL."""

from collections import defaultdict

import pytest
from conftest import published
from lxml import html

from orchestration.catalogue.tables import kind_of, made_of, reader_tables
from orchestration.checks.recount import recomputed
from orchestration.publish.pages.dictionary import dictionary_page


@pytest.fixture(scope="module")
def rows() -> dict[tuple[str, str], list[str]]:
    """The page's cells by table and column."""
    page = html.fromstring(dictionary_page())
    return {
        (section.get("aria-labelledby"), cells[0]): cells
        for section in page.iter("section")
        for row in section.iterfind(".//tbody/tr")
        if (cells := [cell.text_content().strip() for cell in row])
    }


def test_every_published_column_is_on_the_page_and_commented(rows, published_home):
    with published(published_home) as copy:
        columns = copy.execute(
            "select schema_name || '.' || table_name, column_name, comment from duckdb_columns() "
            "where database_name = 'published'"
        ).fetchall()
        tables = copy.execute(
            "select table_name from duckdb_tables() "
            "where database_name = 'published' and comment is null"
        ).fetchall()
    assert {(table, column): comment for table, column, comment in columns} == {
        place: cells[1] for place, cells in rows.items()
    }
    assert tables == []


def test_a_row_says_meaning_type_and_what_is_demanded(rows):
    mart = "marts.hotline_unit_quarter"
    assert rows[mart, "rework_rate"] == [
        *("rework_rate", "返工率：返工数÷应办理数；无应办理时为空", "decimal(5,4)", "可为空"),
    ]
    assert rows[mart, "unit_code"][3] == "不为空"
    control_id = rows["audit.reconciliation", "control_id"]
    assert control_id[3] == "不为空；见于 control 的 control_id"


def test_the_page_states_grain_and_key():
    page = html.fromstring(dictionary_page())
    (section,) = page.xpath("//section[@aria-labelledby='marts.unit_quarter']")
    text = section.text_content()
    assert "一行一个单位一个季度" in text
    assert "主键：quarter、unit_code" in text


def test_a_column_of_several_marts_is_called_the_same_in_all():
    said = defaultdict(set)
    for (schema, _), table in reader_tables().items():
        for column in table.columns:
            if schema == "marts":
                said[column.name].add((column.label, column.english, column.kind))
    assert {name: names for name, names in said.items() if len(names) > 1} == {}
    assert said["rework_rate"] == {("返工率", "Sent-back rate", "rate")}


def test_a_measure_behind_its_subject_is_of_the_columns_kind():
    kinds = {"completion.rate": "rate", "mailbox.due_count": "count", "composite_index": "index"}
    kinds |= {"quarter_on_quarter_change": "rate", "rank_in_group": "rank"}
    kinds |= {"appendix_1.on_time_count/due_count": "count", "rework_excess_count": "count"}
    assert {measure: kind_of(measure) for measure in kinds} == kinds


def test_every_figure_of_the_units_mart_is_recounted():
    assert recomputed() == (
        *("due_count", "handled_count", "on_time_count", "rework_count"),
        *("callback_count", "dissatisfied_count"),
        *("completion_rate", "on_time_rate", "rework_rate", "dissatisfaction_rate"),
        *("composite_index", "unit_code"),
    )
    assert made_of("hotline_unit_quarter", "rate", "index") == {
        "completion_rate": ("handled_count", "due_count"),
        "on_time_rate": ("on_time_count", "due_count"),
        "rework_rate": ("rework_count", "due_count"),
        "dissatisfaction_rate": ("dissatisfied_count", "callback_count"),
        "composite_index": recomputed()[:6],
    }
