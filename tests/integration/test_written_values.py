"""The same data written or delivered in another way: the same figures, or a stop."""

import csv
import shutil
from itertools import cycle, permutations

import polars as pl
import pytest
from conftest import EXPORTS, PROJECT, hashes, hotline, read

from orchestration.common.quarters import Quarter
from orchestration.common.settings import Home
from orchestration.ingest.lake import current_files, ingest_source
from orchestration.reading.contracts import load_contracts
from orchestration.warehouse.connection import connect
from orchestration.warehouse.raw_schema import register_raw

WAYS = (
    '="{}"',
    "'{}",
    "\u202a{}\u202c",
    "{}\u00ad",
    "\u200f{}\u3000",
    "\u2019{}\ufeff",
    '"{}"',
)
FULL_WIDTH = str.maketrans("0123456789YX", "０１２３４５６７８９ＹＸ")


def rows_of(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def write(path, rows):
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(rows)


@pytest.mark.slow
def test_a_resend_in_another_way_of_writing_is_nothing_new(published_home, exports, tmp_path):
    """Each number in one of eight ways; then ten tickets handed to a second unit, too.

    The contract names the unit among what identifies a row, so these ten are rows of their own.
    """
    folder = exports / "2022Q2"
    (folder / "bulletin.csv").unlink()
    header, *tickets = rows_of(folder / "ticket.csv")
    number, unit = header.index("工单编号"), header.index("承办单位")
    again = []
    for way, row in zip(cycle((*WAYS, "")), tickets, strict=False):
        written = way.format(row[number]) if way else row[number].translate(FULL_WIDTH)
        again.append([*row[:number], written, *row[number + 1 :]])
    write(folder / "ticket-again.csv", [header, *again])
    contract = exports / "contracts" / "ticket.yml"
    text = contract.read_text(encoding="utf-8")
    text = text.replace("[work_order_id]", "[work_order_id, unit_name]")
    contract.write_text(f'{text}duplicate_tolerance: "0.6"\n', "utf-8")  # the whole file again
    home = tmp_path / "home"

    ran = hotline("run", "2022Q2", home=home, exports=exports)
    assert ran.status == 0, ran.out + ran.err
    same = [home / "published" / "parquet" for home in (published_home, home)]
    one, other = (
        {n: sha for n, sha in hashes(folder).items() if n.startswith("hotline_")} for folder in same
    )
    assert one and one == other

    due = [row for row in tickets if row[header.index("交办时间")] >= "2022-04-01"][:10]
    names = [row[unit].strip() for row in tickets]
    for row in due:
        handed = list(row)
        group = header.index("单位类别")
        handed[unit], handed[group] = next(
            (name, other[group])
            for name, other in zip(names, tickets, strict=True)
            if name != row[unit].strip() and other[group] != row[group]
        )
        again.append(handed)
    write(folder / "ticket-again.csv", [header, *again])
    ran = hotline("run", "2022Q2", "--reason", "转办", home=home, exports=exports)
    assert ran.status == 0, ran.out + ran.err
    assert read(home, "select due_count from marts.hotline_district_quarter") == [(2178,)]
    assert read(
        home,
        "select distinct_item_count, assignment_count from marts.channel_quarter "
        "where channel = 'hotline'",
    ) == [(2168, 2178)]


SITE = PROJECT / "tests" / "sites" / "city311"


def test_lateness_is_decided_on_instants_by_models_and_recount(tmp_path, monkeypatch):
    """On 2022-11-06 New York's clocks show the hour from one to two twice.

    2 was closed within it and in time though the clock reads earlier than its opening; 3 was closed
    in the second hour against a deadline in the first: late; 4 the other way round: in time; 5 at
    the very instant of its deadline, written with another offset: in time.
    """
    site = tmp_path / "site"
    shutil.copytree(SITE, site)
    shutil.rmtree(site / "exports" / "2022Q2")
    contract = site / "contracts" / "ticket.yml"
    lines = contract.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not line.startswith(("timestamp_formats", "time_zone"))]
    zone = ['timestamp_formats: ["%Y-%m-%dT%H:%M:%S"]', "time_zone: America/New_York"]
    contract.write_text("\n".join([*kept, *zone]), encoding="utf-8")
    folder = site / "exports" / "2022Q4"
    folder.mkdir()
    header = ["case_enquiry_id", "open_dt", "target_dt", "closed_dt", "ontime", "reason"]
    times = [
        ("2022-11-06T01:50:00-04:00", "2022-11-06T02:30:00-05:00", "2022-11-06T01:10:00-05:00"),
        ("2022-11-06T00:30:00-04:00", "2022-11-06T01:55:00-04:00", "2022-11-06T01:30:00-05:00"),
        ("2022-11-06T00:30:00-0400", "2022-11-06T01:10:00-05", "2022-11-06T05:50:00Z"),
        ("2022-11-06T00:30:00-04:00", "2022-11-06T06:10:00Z", "2022-11-06T01:10:00-05"),
    ]
    rows = [
        [str(at), opened, target, closed, "?", "Trees", "Parks", "x"]
        for at, (opened, target, closed) in enumerate(times, 2)
    ]
    write(folder / "cases.csv", [[*header, "department", "submitted_by"], *rows])
    monkeypatch.setenv("HOTLINE_SITE", str(site))
    ran = hotline("run", "2022Q4", home=tmp_path / "home", exports=site / "exports")
    assert ran.status == 0, ran.out + ran.err
    (path,) = (tmp_path / "home" / "published" / "parquet" / "fct_ticket").rglob("*.parquet")
    facts = pl.read_parquet(path).sort("work_order_id").select("work_order_id", "is_on_time")
    assert facts.rows() == [("2", True), ("3", False), ("4", True), ("5", True)]
    assert read(
        tmp_path / "home", "select due_count, on_time_count from marts.hotline_district_quarter"
    ) == [(4, 3)]


@pytest.mark.parametrize("order", list(permutations(("a.csv", "b.csv", "c.csv"))))
def test_the_order_of_arrival_changes_nothing(order, tmp_path):
    """A home to which the files came one by one reads the rows as a fresh one does."""
    contracts = load_contracts(EXPORTS / "contracts")
    quarter = Quarter.parse("2022Q2")
    header, *tickets = rows_of(EXPORTS / "2022Q2" / "ticket.csv")
    folder = tmp_path / "exports" / "2022Q2"
    folder.mkdir(parents=True)

    def state(home):
        register_raw(home, quarter, "run", contracts)
        with connect(home) as connection:
            return connection.execute(
                "select file_order, row_number, file_sha256, is_reworked from raw.ticket "
                "order by all"
            ).fetchall()

    grown, fresh = Home(tmp_path / "grown"), Home(tmp_path / "fresh")
    for name in order:
        changed = [*tickets[0][:9], {"a": "是", "b": "否", "c": "是"}[name[0]], *tickets[0][10:]]
        write(folder / name, [header, changed, tickets[ord(name[0]) - 90]])
        ingest_source(grown, folder.parent, quarter, contracts, "ticket")
    ingest_source(fresh, folder.parent, quarter, contracts, "ticket")
    assert state(grown) == state(fresh)
    names = [file.file_name for file in current_files(grown, str(quarter))]
    assert names == sorted(order), "whatever engine reads them"


def test_a_source_whose_contract_was_taken_away_has_no_rows(tmp_path):
    contracts = load_contracts(EXPORTS / "contracts")
    home, quarter = Home(tmp_path / "home"), Quarter.parse("2022Q2")
    for source in contracts:
        ingest_source(home, EXPORTS, quarter, contracts, source)
    del contracts["suggestion"]
    register_raw(home, quarter, "run", contracts)
    with connect(home) as connection:
        counts = connection.execute(
            "select (select count(*) from raw.ticket), (select count(*) from raw.suggestion)"
        ).fetchone()
    assert counts == (2174, 0)
