"""Values as real offices write them: read rightly, or rejected with a reason, never guessed."""

import os
import subprocess

import polars as pl
import pytest
from conftest import HOTLINE, PROJECT, hashes, hotline, read

DATES = (
    "{y}/{m}/{d} {H}:{M:02}:{S:02}",
    "{y}年{m}月{d}日 {H}:{M:02}:{S:02}",
    "{y}-{m:02}-{d:02} {I}:{M:02}:{S:02} {p}",
    "\u3000{y}.{m}.{d}\u00a0{H}:{M:02}:{S:02} ",
)
FULL_WIDTH = str.maketrans("0123456789:-", "０１２３４５６７８９：－")


def rewritten(text, number):
    """A time written in one of several ways, by turns."""
    if not text:
        return ("", "NULL", "-", "无", "/", "\u3000")[number % 6]
    day, clock = text.split(" ")
    y, m, d = map(int, day.split("-"))
    H, M, S = map(int, clock.split(":"))  # noqa: N806 (strptime's names)
    if number % 5 == 4:
        return text.translate(FULL_WIDTH)
    return DATES[number % 5].format(
        y=y, m=m, d=d, H=H, M=M, S=S, I=(H - 1) % 12 + 1, p="PM" if H >= 12 else "am"
    )


def test_the_way_values_are_written_changes_no_figure(published_home, edit_tickets, tmp_path):
    def soil(rows):
        header = rows[0]
        times = [at for at, label in enumerate(header) if label.endswith(("时间", "期限"))]
        unit, result = header.index("承办单位"), header.index("回访结果")
        for number, row in enumerate(rows[1:]):
            for at in times:
                row[at] = rewritten(row[at], number + at)
            name = row[unit]
            row[unit] = (f"\ufeff{name}\u200b", f"{name[:2]}\u00a0{name[2:]}", name)[number % 3]
            row[result] = f"{row[result]}\u3000" if row[result] else "－"

    ran = hotline("run", "2022Q2", home=tmp_path / "home", exports=edit_tickets(soil))
    assert ran.status == 0, ran.out + ran.err
    clean, dirty = (home / "published" / "parquet" for home in (published_home, tmp_path / "home"))
    marts = {name: sha for name, sha in hashes(clean).items() if not name.startswith("fct_")}
    assert {name: sha for name, sha in hashes(dirty).items() if name in marts} == marts
    for path in clean.glob("fct_*/*/*.parquet"):
        facts = [pl.read_parquet(p) for p in (path, dirty / path.relative_to(clean))]
        # Names of units are resolved, times typed: only the file that they come from differs.
        assert facts[0].drop("file_sha256").equals(facts[1].drop("file_sha256")), path


@pytest.fixture
def bad_rows(edit_tickets):
    """Exports without a bulletin: four bad tickets, each in its own way, and a row of totals."""

    def spoil(rows):
        label = rows[0].index
        rows[10][label("交办时间")] = "4/1/2022 9:05"
        rows[20][label("是否返工")] = "也许"
        rows[30][label("办理期限")] = "无"
        rows[40].pop()
        rows.append(["合计", "2174"] + [""] * (len(rows[0]) - 2))

    exports = edit_tickets(spoil)
    (exports / "2022Q2" / "bulletin.csv").unlink()
    return exports


def tolerate(exports, share):
    contract = exports / "contracts" / "ticket.yml"
    text = contract.read_text(encoding="utf-8").partition("rejected_tolerance")[0]
    contract.write_text(f'{text}rejected_tolerance: "{share}"\n', encoding="utf-8")


@pytest.mark.slow
def test_rejected_rows_stop_the_run_or_warn_by_the_contracts_tolerance(bad_rows, tmp_path):
    """Four of 2175 rows: more than one in a thousand, less than two."""
    home = tmp_path / "home"
    tolerate(bad_rows, "0.001")
    ran = hotline("run", "2022Q2", home=home, exports=bad_rows)
    assert ran.status == 1, ran.out + ran.err
    assert ran.err.count("控制项不符") == 1 and "rejected_rows · ticket.csv" in ran.err

    tolerate(bad_rows, "0.002")
    ran = hotline("run", "2022Q2", home=home, exports=bad_rows)
    assert ran.status == 0, ran.out + ran.err
    assert read(
        home,
        "select row_number, column_name, reason_code, severity from audit.rejected_row order by 1",
    ) == [
        (11, "dispatched_at", "bad_timestamp", "warn"),
        (21, "is_reworked", "unknown_value", "warn"),
        (31, "deadline_at", "missing_value", "warn"),
        (41, "", "malformed_row", "warn"),
    ]
    assert read(
        home,
        "select actual::int, status, explanation from audit.reconciliation "
        "where control_id = 'rejected_rows' and subject = 'ticket.csv' order by checked_at",
    ) == [
        (4, "unexplained", None),
        (4, "explained", "来源共拒收 4 行（读到 2175 行），在契约容许的 0.002000 以内"),
    ]
    assert read(
        home,
        "select read_count, accepted_count, rejected_count, duplicate_count, out_of_scope_count "
        "from audit.row_balance where source = 'ticket'",
    ) == [(2175, 2170, 4, 0, 1)]


def test_the_models_unit_tests(home, tmp_path):
    """dbt's unit tests of value parsing, statuses and arithmetic, stated in the models' folders."""
    done = subprocess.run(
        [
            *(HOTLINE.with_name("dbt"), "--quiet", "test", "--select", "test_type:unit"),
            *("--project-dir", PROJECT / "dbt_project"),
            *("--profiles-dir", PROJECT / "dbt_project"),
            *("--target-path", tmp_path / "target", "--log-path", tmp_path / "target"),
        ],
        env=os.environ | {"HOTLINE_DATABASE": str(home / "hotline.duckdb")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
