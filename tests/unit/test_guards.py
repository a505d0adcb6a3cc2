"""Value guards: what doesn't look like its column isn't written, and the file is refused."""

import csv
import random

import polars as pl
import pytest
from conftest import EXPORTS
from personal import is_personal, leaks
from pydantic import ValidationError
from rewrite import rows_of, text, xlsx

from orchestration.common.errors import InputError
from orchestration.common.quarters import Quarter
from orchestration.common.settings import DBT_PROJECT, Home
from orchestration.ingest.guards import WITHHELD, Guards, plain, unit_aliases
from orchestration.ingest.lake import ingest_source
from orchestration.reading.contracts import Column, Contract, load_contracts

CONTRACTS = load_contracts(EXPORTS / "contracts")
QUARTER = Quarter(2022, 2)
SURNAMES, GIVEN = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨", "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂"


def name_of(number):
    pick = random.Random(number)
    return pick.choice(SURNAMES) + "".join(pick.choices(GIVEN, k=pick.choice([1, 2])))


def id_card(number):
    digits = f"430603{1950 + number % 50}{1 + number % 12:02}{1 + number % 28:02}{number % 1000:03}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(int(d) * w for d, w in zip(digits, weights, strict=True))
    return digits + "10X98765432"[total % 11]


# What people's columns hold, by kind; each as a function of the row's number.
PEOPLE = {
    "names": name_of,
    "titled names": lambda n: f"{SURNAMES[n % len(SURNAMES)]}{'先生' if n % 2 else '女士'}",
    "mobiles": lambda n: f"1{3 + n % 7}{n * 7919 % 10**9:09}",
    "mobiles with +86": lambda n: f"+86 139-{n % 10000:04}-{n * 31 % 10000:04}",
    "landlines": lambda n: f"0730-{8400000 + n}",
    "landlines in one": lambda n: f"0730{8400000 + n}",
    "full-width telephones": lambda n: "１３９" + f"{n:08}",
    "ID cards": id_card,
    "addresses": lambda n: f"云溪区路口镇虚构村{n}组",
    "telephone and name": lambda n: f"{name_of(n)} 138{n:08}",
}
SWAPPED = ("工单编号", "承办单位", "诉求类型", "交办时间", "回访时间", "单位类别", "是否返工")


def ingest(tmp_path, source, rows, name="ticket.csv", contract=None):
    folder = tmp_path / "exports" / str(QUARTER)
    folder.mkdir(parents=True)
    data = xlsx({"Sheet1": rows}) if name.endswith("xlsx") else text(rows).encode("utf-8-sig")
    (folder / name).write_bytes(data)
    contracts = {source: contract or CONTRACTS[source]}
    home = Home(tmp_path / "home")
    return home, ingest_source(home, tmp_path / "exports", QUARTER, contracts, source)


def lake(home, files):
    return pl.concat(pl.read_parquet(file.parquet(home)) for file in files)


@pytest.mark.parametrize("kind", PEOPLE)
@pytest.mark.parametrize("label", SWAPPED)
def test_people_under_another_header_are_refused_before_anything_is_written(kind, label, tmp_path):
    """Two header cells exchanged, a fifth of the callers known: as an office's export is."""
    header, *rows = rows_of("ticket")[:301]
    at, people = header.index(label), header.index("来电人")
    for number, row in enumerate(rows):
        row[people] = PEOPLE[kind](number) if number % 5 == 0 else ""
    header[at], header[people] = header[people], header[at]
    with pytest.raises(InputError) as refused:
        ingest(tmp_path, "ticket", [header, *rows])
    told = str(refused.value)
    assert refused.value.code == "unlikely_column"
    assert "60 行" in told and f"列「{label}」" in told and "第 2 行" in told
    assert not any(PEOPLE[kind](number) in told for number in range(0, 300, 5))
    assert not [path for path in (tmp_path / "home").rglob("*") if path.is_file()]


@pytest.mark.parametrize("source", ["ticket", "mailbox", "suggestion"])
def test_every_swap_of_a_personal_and_a_kept_column_of_the_sample_is_refused(source, tmp_path):
    """Each pair; the sample's own values, which are made up."""
    header, *rows = rows_of(source)[:201]
    columns = CONTRACTS[source].columns
    personal = [c.label for c in columns if c.personal and c.label in header]
    kept = [c.label for c in columns if not c.personal and c.label in header]
    pairs = [(p, k) for p in personal for k in kept]
    for number, pair in enumerate(pairs):
        a, b = map(header.index, pair)
        swapped = list(header)
        swapped[a], swapped[b] = swapped[b], swapped[a]
        with pytest.raises(InputError) as refused:
            ingest(tmp_path / str(number), source, [swapped, *rows])
        assert refused.value.code == "unlikely_column", pair
        assert not is_personal(str(refused.value))
    assert leaks(tmp_path / "0" / "home") == []


@pytest.mark.parametrize("name", ["ticket.csv", "ticket.xlsx"])
def test_a_few_cells_in_the_wrong_column_reject_their_rows_and_are_kept_nowhere(name, tmp_path):
    header, *rows = rows_of("ticket")[:101]
    put = {
        "工单编号": ["13912345678", "430603600101011", id_card(7), "赵伟", "000-0000-0001"],
        "承办单位": ["王小芳", "13912345678", "李会", "路口镇虚构村3组", "张三公司13912345678"],
        "诉求类型": ["陈静", "0730-8412345"],
        "办结时间": ["周敏", "139-1234-5678", "2022-04-01 联系赵伟"],
    }
    numbers = iter(range(2, 99))
    spoilt = {}
    for label, values in put.items():
        for value in values:
            number = next(numbers)
            rows[number - 2][header.index(label)] = value
            spoilt[number] = label
    home, files = ingest(tmp_path, "ticket", [header, *rows], name)
    found = lake(home, files)
    texts = {t for column in found.select(pl.col(pl.String)) for t in column.drop_nulls()}
    assert texts & {value for values in put.values() for value in values} == set()
    by_label = {c.label: c.name for c in CONTRACTS["ticket"].columns}
    for row in found.iter_rows(named=True):
        label = spoilt.get(row["row_number"])
        if label == "工单编号":
            assert row["row_defect"] in (
                "personal_value::work_order_id",
                "unlikely_value::work_order_id",
            )
            assert {row[c] for c in CONTRACTS["ticket"].kept_columns} == {None}
        else:
            assert row["row_defect"] is None
            withheld = [name for name, value in row.items() if value == WITHHELD]
            assert withheld == ([by_label[label]] if label else [])


def test_the_sample_and_odd_but_honest_values_pass_untouched(tmp_path):
    header, *rows = rows_of("ticket")[:101]
    put = {
        "工单编号": [
            "00000001",
            '="YX20220401000001"',
            "'20220314000001234",
            "ＹＸ２０２２",
            "7",
            "YX 2022 0401 0009",
            "20220401000009.0",
            "yx1-2",
        ],
        "承办单位": ["区人社居", "区应急局", " 区 人社局", "区民政局(区残联)", "交通委员会（筹）"],
        "诉求类型": ["投诉　", "无", "\u200b咨询"],
        "办结时间": ["2022年4月1日 下午2:05", "20220401", "44652.5", "2022-04-01T09:05:00+08:00"],
    }
    for at, (label, values) in enumerate(put.items()):
        for number, value in enumerate(values):
            rows[at * 20 + number][header.index(label)] = value
    home, files = ingest(tmp_path, "ticket", [header, *rows])
    found = lake(home, files)
    assert found["row_defect"].null_count() == 100
    texts = {t for column in found.select(pl.col(pl.String)) for t in column.drop_nulls()}
    assert texts >= {value for values in put.values() for value in values}


def test_a_kept_free_text_may_hold_no_telephone_and_no_id_card(tmp_path):
    contract = CONTRACTS["ticket"]
    columns = [
        c.model_copy(update={"personal": None}) if c.name == "request_text" else c
        for c in contract.columns
    ]
    contract = contract.model_copy(update={"columns": tuple(columns)})
    header, *rows = rows_of("ticket")[:51]
    at = header.index("诉求内容")
    texts = [
        "反映噪音，请回电13912345678",
        f"身份证{id_card(3)}办理社保",
        f"电话：0730－8412345，工单YX{202204010000013}",
        "联系 138 1234 5678 王",
        # Neither a telephone nor an ID card:
        "工单20220314000001转办",
        f"编号{id_card(3)[:-1]}{'1' if id_card(3)[-1] != '1' else '2'}有误",
        "施工许可证 YX13912345678",
        "共计1391234567890元",
    ]
    for row, value in zip(rows, texts, strict=False):
        row[at] = value
    home, files = ingest(tmp_path, "ticket", [header, *rows], contract=contract)
    defects = lake(home, files)["row_defect"].to_list()
    assert defects[:8] == ["personal_value::request_text"] * 4 + [None] * 4
    assert b"13912345678" not in b"".join(
        p.read_bytes() for p in home.root.rglob("*") if p.is_file() and p.suffix == ".json"
    )


def test_more_unknown_units_than_the_contract_allows_refuse_the_file(tmp_path):
    header, *rows = rows_of("ticket")[:101]
    at = header.index("承办单位")
    for row in rows[:50]:
        row[at] = "新设某某局"
    ingest(tmp_path / "half", "ticket", [header, *rows])
    rows[50][at] = "新设某某局"
    with pytest.raises(InputError, match=r"写有内容的 100 行中，51 行") as refused:
        ingest(tmp_path / "more", "ticket", [header, *rows])
    assert "新设" not in str(refused.value)
    wider = CONTRACTS["ticket"].model_copy(update={"unfit_tolerance": "0.6"})
    ingest(tmp_path / "wider", "ticket", [header, *rows], contract=wider)


def test_a_name_that_is_registered_later_comes_into_the_lake(tmp_path, monkeypatch):
    header, *rows = rows_of("ticket")[:101]
    rows[0][header.index("承办单位")] = "龙窖山瑶胞家园"
    home, (first,) = ingest(tmp_path, "ticket", [header, *rows])
    assert lake(home, [first])["unit_name"][0] == WITHHELD
    seeds = tmp_path / "seeds"
    seeds.mkdir()
    known = (DBT_PROJECT / "seeds" / "unit_alias.csv").read_text(encoding="utf-8")
    (seeds / "unit_alias.csv").write_text(
        f"{known}*,龙窖山瑶胞家园,,health,2018-01-01,,\n", "utf-8"
    )
    monkeypatch.setattr("orchestration.ingest.lake.seeds_root", lambda: seeds)
    (again,) = ingest_source(
        home, tmp_path / "exports", QUARTER, {"ticket": CONTRACTS["ticket"]}, "ticket"
    )
    assert lake(home, [again])["unit_name"][0] == "龙窖山瑶胞家园"
    assert again.received_at == first.received_at


@pytest.mark.parametrize("written", ["", "source,name\n*,甲局\n", None])
def test_without_a_list_of_units_nothing_is_read(written, tmp_path):
    if written is not None:
        (tmp_path / "unit_alias.csv").write_text(written, encoding="utf-8")
    if written == "":
        assert unit_aliases(tmp_path, "ticket") == frozenset()
        return
    with pytest.raises(InputError, match=r"\[bad_seed\]"):
        unit_aliases(tmp_path, "ticket")


def test_a_pattern_that_is_none_is_refused():
    column = Column(name="a", label="a", type="text", pattern="[")
    with pytest.raises((ValidationError, ValueError)):
        Contract(source="x", label="x", identity=("a",), columns=(column,))


def test_no_sample_alias_and_no_sample_unit_looks_like_a_person():
    guards = Guards(CONTRACTS["ticket"], "x", frozenset())
    with (DBT_PROJECT / "seeds" / "unit_alias.csv").open(encoding="utf-8") as file:
        names = [row["alias_name"] for row in csv.DictReader(file)]
    unlike = [name for name in names if not guards._endings.search(plain(name))]
    assert len(unlike) <= len(names) // 5, unlike
    people = [name_of(number) for number in range(2000)]
    assert [name for name in people if guards._endings.search(name)] == []
