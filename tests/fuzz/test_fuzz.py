"""Whatever stands in a file: it is read, or refused by a typed message, in a bounded time.

`make test` tries a few hundred inputs (`--inputs`), `make test-fuzz` 10,000 for each reader.
"""

import gzip
import time
from pathlib import Path

import pytest
from bulletins import Style, html, published, sheets, tab_led_text, tab_row_text, word, workbook
from conftest import EXPORTS
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from mutate import files, settings
from personal import is_personal
from rewrite import ods, rows_of, text, xls, xlsx

from orchestration.common.errors import InputError
from orchestration.publish.bulletin.model import load_office
from orchestration.publish.pages.words import load_settings
from orchestration.reading.contracts import load_contracts
from orchestration.reading.documents import read_document
from orchestration.reading.exports import find_parts, open_table
from orchestration.reading.layouts import load_layouts
from orchestration.reading.value_forms import written_rules

# Of processor time for one input; the slowest file of the samples takes a twentieth.
SECONDS = 5.0
CONTRACTS = load_contracts(EXPORTS / "contracts")
LAYOUTS = load_layouts(EXPORTS / "layouts")
TICKETS = rows_of("ticket")[:12]
CSV = text(TICKETS)
ROWS = {"appendix_1": 8, "appendix_2": 4, "appendix_3": 4}
FIGURES = [row for row in published() if int(row[2]) <= ROWS.get(row[1], 1000)]
PLAIN, MERGED = Style(), Style(header_rows=3, units_across=2, wrap="rows")

TEXTS = [
    ("a.csv", CSV.encode("utf-8-sig")),
    ("a.csv", CSV.encode("gb18030")),
    ("a.csv", CSV.encode("utf-16")),
    ("a.tsv", text(TICKETS, "\t").encode()),
    ("a.csv", text(rows_of("suggestion")[:8]).encode()),
    ("bulletin.csv", (EXPORTS / "2022Q2" / "bulletin.csv").read_bytes()[:2000]),
    ("a.csv.gz", gzip.compress(CSV.encode(), mtime=0)),
]
WORKBOOKS = [
    ("a.xlsx", xlsx({"Sheet1": TICKETS, "空": []})),
    ("a.xlsx", xlsx({"一": TICKETS[:6], "二": [TICKETS[0], *TICKETS[6:]]}, dates=True)),
    ("a.xlsx", xlsx({"Sheet1": rows_of("mailbox")[:8]})),
    ("a.ods", ods({"Sheet1": TICKETS})),
    ("a.xls", xls(TICKETS)),
]
DOCUMENTS = [
    ("a.docx", word(FIGURES, PLAIN)),
    ("a.docx", word(FIGURES, MERGED)),
    ("a.html", html(FIGURES, PLAIN).encode()),
    ("a.html", html(FIGURES, MERGED).encode("gb18030")),
    ("a.txt", tab_led_text(FIGURES, PLAIN).encode()),
    ("a.txt", tab_row_text(FIGURES, PLAIN).encode("utf-16")),
    ("a.xlsx", workbook(FIGURES, MERGED, as_numbers=True)),
    ("a.ods", ods(sheets(FIGURES))),
]


def samples(*paths):
    return [(path.name, path.read_bytes()) for path in paths]


def read_export(path):
    for part in find_parts(path, CONTRACTS):
        table = open_table(path, part, CONTRACTS[part.source])
        for frame in table.frames:
            frame.collect()
        table.counted()


def read_bulletin(path):
    read_document(path, LAYOUTS, "2022Q2")


def read_contracts(path):
    for contract in load_contracts(path.parent).values():
        written_rules(contract)


def read_layouts(path):
    load_layouts(path.parent)


def read_settings(path):
    (load_office if path.name == "bulletin.yml" else load_settings)(path)


TARGETS = {
    "text": (files(TEXTS), read_export),
    "workbook": (files(WORKBOOKS), read_export),
    "bulletin": (files(DOCUMENTS), read_bulletin),
    "contract": (settings(samples(*(EXPORTS / "contracts").glob("*.yml"))), read_contracts),
    "layout": (settings(samples(*(EXPORTS / "layouts").glob("*.yml"))), read_layouts),
    "settings": (settings(samples(*(EXPORTS / "bulletin").glob("*.yml"))), read_settings),
}


@pytest.mark.parametrize("target", TARGETS)
def test_only_typed_errors_come_out(target, request, tmp_path, capsys):
    inputs, read = TARGETS[target]
    tally = {"read": 0, "refused": 0}

    @hypothesis_settings(
        max_examples=request.config.getoption("--inputs"),
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(inputs)
    def fuzz(made):
        name, data = made
        path = Path(tmp_path / name)
        path.write_bytes(data)
        began = time.process_time()
        try:
            read(path)
            tally["read"] += 1
        except InputError as error:
            tally["refused"] += 1
            assert not is_personal(str(error))
        finally:
            path.unlink()
        assert time.process_time() - began < SECONDS

    fuzz()
    with capsys.disabled():
        print(f"\n{target}: {tally['read']} read, {tally['refused']} refused")
