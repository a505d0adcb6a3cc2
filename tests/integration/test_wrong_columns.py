"""People's values under another header, through the command: nothing of them is left anywhere."""

import pytest
from conftest import hotline
from personal import holders

from orchestration.common.settings import Home
from orchestration.operations.places import place_of

SURNAMES, GIVEN = "赵钱孙李周吴郑王冯陈", "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平"
NAMES = [f"{a}{b}{c}" for a in SURNAMES for b in GIVEN[:8] for c in GIVEN[8:14]]
MOBILES = [f"139{n * 7919 % 10**8:08}" for n in range(1, 408)]


def people(rows):
    """Four hundred and seven callers have a name and a telephone that look like real ones."""
    name, telephone = (rows[0].index(label) for label in ("来电人", "联系电话"))
    for number, row in enumerate(rows[1:]):
        is_known = number < len(MOBILES)
        row[name] = NAMES[number] if is_known else ""
        row[telephone] = MOBILES[number] if is_known else ""


@pytest.mark.parametrize("swap", [("工单编号", "联系电话"), ("承办单位", "来电人")])
def test_swapped_headers_leave_nothing(swap, edit_tickets, tmp_path):
    def spoil(rows):
        people(rows)
        a, b = map(rows[0].index, swap)
        rows[0][a], rows[0][b] = rows[0][b], rows[0][a]

    home = tmp_path / "home"
    ran = hotline("run", "2022Q2", home=home, exports=edit_tickets(spoil))
    assert ran.status == 2, ran.out + ran.err
    assert "[unlikely_column] 文件 ticket.csv" in ran.err and "407 行" in ran.err
    assert not any(value in ran.out + ran.err for value in (*NAMES, *MOBILES))
    assert holders(home, *NAMES[:407], *MOBILES) == []
    assert not (home / "published").exists()
    files = [path for path in home.rglob("*") if path.is_file()]
    assert not [path for path in files if place_of(Home(home), path) is None]


def test_a_few_swapped_cells_are_told_by_row_and_left_nowhere(edit_tickets, tmp_path):
    told = {}

    def spoil(rows):
        people(rows)
        header = rows[0]
        for row, (label, other) in {
            21: ("工单编号", "联系电话"), 32: ("承办单位", "来电人"), 43: ("诉求类型", "来电人"),
            54: ("办结时间", "联系电话"), 65: ("回访结果", "来电人"),
        }.items():  # fmt: skip
            a, b = header.index(label), header.index(other)
            rows[row - 1][a], rows[row - 1][b] = rows[row - 1][b], rows[row - 1][a]
            told[row] = rows[row - 1][a]

    home = tmp_path / "home"
    exports = edit_tickets(spoil)
    (exports / "2022Q2" / "bulletin.csv").unlink()
    ran = hotline("run", "2022Q2", home=home, exports=exports)
    assert ran.status == 1, ran.out + ran.err
    for code, row, column in (
        ("personal_value", 21, "work_order_id"), ("unknown_unit", 32, "unit_name"),
        ("unknown_value", 43, "request_type"), ("bad_timestamp", 54, "finished_at"),
        ("unknown_value", 65, "callback_result"),
    ):  # fmt: skip
        assert f"[{code}] 文件 ticket.csv，第 {row} 行，列 {column}" in ran.err, ran.err
    assert "共 1 行的单位不像单位名称" in ran.err
    assert not any(value in ran.out + ran.err for value in told.values())
    assert holders(home, *told.values()) == []
