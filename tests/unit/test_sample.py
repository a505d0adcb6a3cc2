"""The sample exports: their totals are the published figures, and a second run gives the same.

Counts are made here with plain csv and pandas, from the files alone, not with the generator's code.
"""

import csv
import zipfile
from collections import Counter
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pandas as pd
import pytest
import yaml

from orchestration.common.data_notice import NOTICE, NOTICE_ENGLISH
from orchestration.sample import reconstruct, synthesise

ROOT = Path(__file__).resolve().parents[2]
SEEDS = ROOT / "dbt_project" / "seeds"
CONTRACTS = ROOT / "exports" / "contracts"
QUARTER = ROOT / "exports" / "2022Q2"
BULLETIN = QUARTER / "bulletin.csv"
START, END = pd.Timestamp("2022-04-01"), pd.Timestamp("2022-07-01")
GROUPS = {"综合评价A类单位": "A", "其他单位": "other"}

Figures = dict[str, int | str]


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def resolve(source: str, name: str, group: str = "") -> str:
    """The one unit that a written name means; fails if it is none or several."""
    (unit,) = {
        row["unit_code"]
        for row in read(SEEDS / "unit_alias.csv")
        if row["source"] in ("*", source)
        and row["alias_name"] == name.strip()
        and row["evaluation_group"] in ("", GROUPS.get(group, ""))
    }
    return unit


def percent(part: int, whole: int) -> str:
    """A rate as the bulletin prints it; 0% where there is nothing."""
    if not whole:
        return "0%"
    exact = Decimal(100 * int(part)) / Decimal(whole)
    text = str(exact.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP))
    return text.rstrip("0").rstrip(".") + "%"


def load(path: Path, encoding: str = "utf-8-sig") -> pd.DataFrame:
    if path.suffix == ".xlsx":
        frame = pd.read_excel(path, engine="calamine")
    else:
        frame = pd.read_csv(path, dtype=str, encoding=encoding)
    times = [label for label in frame if label.endswith("时间") or label.endswith("期限")]
    return frame.assign(**{label: pd.to_datetime(frame[label]) for label in times})


def due_in(frame: pd.DataFrame) -> pd.Series:
    return frame["交办时间"].ge(START) & frame["交办时间"].lt(END)


def hotline_figures(frame: pd.DataFrame) -> Figures:
    """The nine counts and rates of appendix 1, from the tickets of a unit or of the district."""
    due = due_in(frame)
    handled = due & frame["办结时间"].lt(END)
    on_time = handled & (frame["办结时间"] <= frame["办理期限"])
    reworked = due & frame["是否返工"].eq("是")
    called = frame["回访时间"].ge(START) & frame["回访时间"].lt(END)
    unhappy = called & frame["回访结果"].eq("不满意")
    total = int(due.sum())
    return {
        "应办理数": total,
        "办理数": int(handled.sum()),
        "办结率": percent(handled.sum(), total),
        "按期办理数": int(on_time.sum()),
        "按期办结率": percent(on_time.sum(), total),
        "返工数": int(reworked.sum()),
        "返工率": percent(reworked.sum(), total),
        "回访不满意数": int(unhappy.sum()),
        "回访不满意率": percent(unhappy.sum(), int(called.sum())),
    }


def printed(table: str) -> Iterator[tuple[dict[str, str], str]]:
    """Each figure of a table, and whose it is: a unit code, or `total`."""
    source = {"appendix_1": "ticket", "appendix_2": "bulletin"}.get(table, "suggestion")
    for row in read(BULLETIN):
        if row["table"] == table:
            name = row["printed_name"]
            total = name.startswith("合计")
            yield row, "total" if total else resolve(source, name, row["printed_group"])


@pytest.fixture(scope="module")
def tickets() -> pd.DataFrame:
    frame = load(QUARTER / "ticket.csv")
    written = zip(frame["承办单位"], frame["单位类别"], strict=True)
    units = {pair: resolve("ticket", *pair) for pair in set(written)}
    return frame.assign(
        unit=[units[pair] for pair in zip(frame["承办单位"], frame["单位类别"], strict=True)]
    )


def test_made_again_it_is_the_same(tmp_path: Path) -> None:
    reconstruct(BULLETIN, SEEDS, CONTRACTS, tmp_path)
    for name in ("ticket.csv", "suggestion.csv", "bulletin.csv", NOTICE, NOTICE_ENGLISH):
        assert (tmp_path / name).read_bytes() == (QUARTER / name).read_bytes(), name

    def members(path: Path) -> dict[str, bytes]:
        with zipfile.ZipFile(path) as book:
            return {item: book.read(item) for item in book.namelist()}

    # A workbook is a zip, whose packed bytes depend on the machine's zlib; what is in it doesn't.
    assert members(tmp_path / "mailbox.xlsx") == members(QUARTER / "mailbox.xlsx")
    first = (tmp_path / "mailbox.xlsx").read_bytes()
    reconstruct(BULLETIN, SEEDS, CONTRACTS, tmp_path)
    assert (tmp_path / "mailbox.xlsx").read_bytes() == first


def test_every_hotline_count_and_rate_is_the_published_one(tickets: pd.DataFrame) -> None:
    found = {str(unit): hotline_figures(rows) for unit, rows in tickets.groupby("unit")}
    found["total"] = hotline_figures(tickets)
    nothing = hotline_figures(tickets[:0])
    compared = Counter[str]()
    for row, unit in printed("appendix_1"):
        if row["measure"] != "综合指标值":  # made from the others; a matter of the marts
            assert str(found.get(unit, nothing)[row["measure"]]) == row["printed_value"], row
            compared[unit] += 1
    assert set(compared.values()) == {9} and len(compared) == 55 + 1
    assert set(found) <= set(compared)


def test_callbacks(tickets: pd.DataFrame) -> None:
    called = tickets["回访时间"].notna()
    assert called.sum() == 2049
    assert (called == tickets["回访结果"].notna()).all()
    assert tickets.loc[called, "回访时间"].between(START, END, inclusive="left").all()
    assert (tickets["回访时间"] > tickets["办结时间"])[called].all()
    due = due_in(tickets)
    carried = tickets[~due]
    assert (carried["办结时间"] < START).all() and carried["回访时间"].notna().all()
    more = tickets[called].groupby("unit").size() - tickets[due].groupby("unit").size()
    assert more[more > 0].to_dict() == {
        "agriculture_rural": 2,
        "highway_maintenance": 1,
        "public_security_other": 1,
        "songyanghu_subdistrict": 2,
    }
    assert len(carried) == 6


@pytest.mark.parametrize(
    ("seed", "label", "rest"), [("request_type", "诉求类型", 137), ("category", "诉求类别", 770)]
)
def test_types_and_categories(tickets: pd.DataFrame, seed: str, label: str, rest: int) -> None:
    codes = read(SEEDS / f"{seed}.csv")
    counted = [row for row in read(BULLETIN) if row["measure"] == "件数"]
    text = {row["printed_name"]: row["printed_value"] for row in counted}
    counts = tickets.loc[due_in(tickets), label].fillna(codes[-1]["label"]).value_counts()
    published = {row["label"]: int(text[row["bulletin_label"]]) for row in codes[:-1]}
    assert counts.to_dict() == {**published, codes[-1]["label"]: rest}


def test_ids_order_and_times(tickets: pd.DataFrame) -> None:
    assert tickets["工单编号"].is_unique
    ordered = tickets.sort_values(["交办时间", "工单编号"], kind="stable")
    assert ordered.index.equals(tickets.index)
    for label in ("交办时间", "办结时间", "回访时间"):
        assert not tickets[label].ge(END).any()
    assert (tickets["办结时间"] > tickets["交办时间"]).all()


def test_names_give_the_alias_table_work(tickets: pd.DataFrame) -> None:
    written = set(tickets["承办单位"])
    assert {"云溪街道办事处", "云溪街道"} <= written
    blank = tickets["承办单位"] != tickets["承办单位"].str.strip()
    assert 0 < blank.sum() < len(tickets) // 10
    assert tickets["承办单位"].str.endswith("\u3000").any()
    assert "云溪街道" in set(load(QUARTER / "mailbox.xlsx")["承办单位"])


def test_letters_are_the_published_ones() -> None:
    letters = load(QUARTER / "mailbox.xlsx")
    assert letters["信件编号"].is_unique
    assert set(letters["信箱类别"]) == {"市长信箱", "区长信箱"}
    finished = due_in(letters) & letters["办结时间"].lt(END)
    on_time = finished & (letters["办结时间"] <= letters["办理期限"])
    units = letters["承办单位"].map(lambda name: resolve("mailbox", name))
    compared = 0
    for row, unit in printed("appendix_2"):
        mine = (units == unit) | (unit == "total")
        chosen = {"应办理数": due_in(letters), "已办结数": finished, "按期办结": on_time}
        assert (chosen[row["measure"]] & mine).sum() == int(row["printed_value"]), row
        compared += 1
    assert compared == 72
    satisfied = letters["群众评价"].isin(["满意", "基本满意"]).sum()
    assert (satisfied, len(letters), percent(satisfied, len(letters))) == (52, 61, "85.25%")


def test_suggestions_are_the_published_ones() -> None:
    rows = load(QUARTER / "suggestion.csv", "gb18030")
    assert rows["建议编号"].nunique() == 14
    assert not rows.duplicated(["建议编号", "承办单位"]).any()
    on_time = due_in(rows) & (rows["办结时间"] <= rows["办理期限"]) & rows["办结时间"].lt(END)
    units = rows["承办单位"].map(lambda name: resolve("suggestion", name))
    compared = 0
    for row, unit in printed("appendix_3"):
        mine = (units == unit) | (unit == "total")
        chosen = {"应办理数": due_in(rows), "按期办理数": on_time}
        assert (chosen[row["measure"]] & mine).sum() == int(row["printed_value"]), row
        compared += 1
    assert compared == 26


def test_late_and_unfinished_tickets_come_out_too(tmp_path: Path) -> None:
    changed = {"办理数": "300", "按期办理数": "290"}
    rows = read(BULLETIN)
    for row in rows:
        if (row["table"], row["row"]) == ("appendix_1", "1"):
            row["printed_value"] = changed.get(row["measure"], row["printed_value"])
    with (tmp_path / "bulletin.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    reconstruct(tmp_path / "bulletin.csv", SEEDS, CONTRACTS, tmp_path)
    frame = load(tmp_path / "ticket.csv")
    mine = frame[frame["承办单位"].str.strip().isin(["云溪街道办事处", "云溪街道"])]
    found = hotline_figures(mine)
    assert [found[m] for m in ("应办理数", "办理数", "按期办理数")] == [307, 300, 290]
    assert found["回访不满意率"] == "27.85%"
    assert mine.loc[mine["办结时间"].isna(), "回访时间"].isna().all()


def check_personal(path: Path, source: str, encoding: str = "utf-8-sig") -> None:
    contract = yaml.safe_load((CONTRACTS / f"{source}.yml").read_text(encoding="utf-8"))
    frame = load(path, encoding)
    assert list(frame) == [column["label"] for column in contract["columns"]]
    for column in contract["columns"]:
        cells = frame[column["label"]].dropna()
        if column.get("personal"):
            assert cells.str.startswith(("虚构", "000-")).all(), column["name"]
        if column.get("values"):
            assert set(cells) <= set(column["values"]), column["name"]


def test_headers_values_and_fictitious_people() -> None:
    check_personal(QUARTER / "ticket.csv", "ticket")
    check_personal(QUARTER / "mailbox.xlsx", "mailbox")
    check_personal(QUARTER / "suggestion.csv", "suggestion", "gb18030")


def test_synthetic_exports(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        synthesise(2000, "2022Q2", SEEDS, CONTRACTS, tmp_path / folder)
    for name in ("ticket.csv", "mailbox.csv", "suggestion.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    synthesise(2000, "2022Q2", SEEDS, CONTRACTS, tmp_path / "c", seed=1)
    assert (tmp_path / "c" / "ticket.csv").read_bytes() != (
        tmp_path / "a" / "ticket.csv"
    ).read_bytes()

    frame = load(tmp_path / "a" / "ticket.csv")
    assert due_in(frame).sum() == 2000
    assert frame["工单编号"].is_unique
    for name, group in set(zip(frame["承办单位"], frame["单位类别"], strict=True)):
        resolve("ticket", name, group)
    found = hotline_figures(frame)
    assert int(found["按期办理数"]) < int(found["办理数"]) < 2000
    assert int(found["返工数"]) > 0 and int(found["回访不满意数"]) > 0
    assert (frame["回访时间"].ge(START) & ~due_in(frame)).sum() == len(frame) - 2000 > 0
    check_personal(tmp_path / "a" / "ticket.csv", "ticket")
    check_personal(tmp_path / "a" / "mailbox.csv", "mailbox")
    check_personal(tmp_path / "a" / "suggestion.csv", "suggestion", "gb18030")
    suggestion = load(tmp_path / "a" / "suggestion.csv", "gb18030")
    assert not suggestion.duplicated(["建议编号", "承办单位"]).any()
    for source in ("mailbox", "suggestion"):
        encoding = "gb18030" if source == "suggestion" else "utf-8-sig"
        for name in set(load(tmp_path / "a" / f"{source}.csv", encoding)["承办单位"]):
            resolve(source, name)
