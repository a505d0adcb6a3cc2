"""Shared by all tests: the project's command, run as people run it, and one published home."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest
from preloaded import run_command

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Route

PROJECT = Path(__file__).resolve().parent.parent
EXPORTS = PROJECT / "exports"
# These need environments of their own: `make test-bi` and `make test-spark` name their folders.
collect_ignore = ["bi", "spark"]
CHROMIUM_ARGUMENTS = [
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run"),
]
HOTLINE = Path(sys.executable).with_name("hotline")


@dataclass
class Ran:
    """How a command ended."""

    status: int
    out: str
    err: str


def hotline(
    *arguments: str | Path, home: Path, exports: Path = EXPORTS, preloaded: bool = True
) -> Ran:
    """Run the `hotline` command; `preloaded=False` starts it itself, as a person does."""
    environment = os.environ | {
        "HOTLINE_HOME": str(home),
        "HOTLINE_EXPORTS": str(exports),
        "COLUMNS": "200",
    }
    words = [str(argument) for argument in arguments]
    if preloaded:
        return Ran(*run_command(words, environment, seconds=300))
    done = subprocess.run(
        [HOTLINE, *words], env=environment, capture_output=True, text=True, timeout=300
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder, by relative path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def copy_exports(folder: Path) -> Path:
    """Copy the sample quarter and its rules, without other quarters that someone has put there."""
    shutil.copytree(EXPORTS, folder, ignore=shutil.ignore_patterns("20*Q*"))
    shutil.copytree(EXPORTS / "2022Q2", folder / "2022Q2")
    return folder


@contextmanager
def published(home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published copy as a reader opens it: under another name than its schema `marts`."""
    with duckdb.connect() as connection:
        path = home / "published" / "marts.duckdb"
        connection.execute(f"attach '{path}' as published (read_only)")
        connection.execute("use published")
        yield connection


def read(home: Path, sql: str) -> list[tuple]:
    """Rows of a query on the published copy."""
    with published(home) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture(scope="session")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """A home in which 2022Q2 was loaded once from the project's exports; never written again."""
    home = tmp_path_factory.mktemp("first") / "home"
    ran = hotline("run", "2022Q2", home=home, preloaded=False)
    assert ran.status == 0, ran.out + ran.err
    return home, ran


@pytest.fixture(scope="session")
def published_home(first_run: tuple[Path, Ran]) -> Path:
    return first_run[0]


@pytest.fixture
def home(published_home: Path, tmp_path: Path) -> Path:
    """A copy of the published home, for tests that run the job again."""
    return Path(shutil.copytree(published_home, tmp_path / "home", symlinks=True))


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    """A copy of the sample quarter and its rules, for tests that change them."""
    return copy_exports(tmp_path / "exports")


@pytest.fixture
def edit_tickets(exports: Path) -> Callable[[Callable[[list[list[str]]], None]], Path]:
    """Change the ticket export: the editor is given header and rows, and changes them in place."""
    import csv

    def edit(editor: Callable[[list[list[str]]], None]) -> Path:
        path = exports / "2022Q2" / "ticket.csv"
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
        editor(rows)
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            csv.writer(file).writerows(rows)
        return exports

    return edit


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """A headless Chromium; without one the tests that need it are skipped, with the reason."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium: apt-get install chromium fonts-noto-cjk")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture
def page(browser: "Browser") -> Iterator["Page"]:
    """A browser's page; at its end no request has left the machine, and nothing complained."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="zh-CN")
    left: list[str] = []
    complaints: list[str] = []

    def guard(route: "Route") -> None:
        if route.request.url.startswith(("file:", "data:", "blob:")):
            route.continue_()
        else:
            left.append(route.request.url)
            route.abort()

    def listen(message: "ConsoleMessage") -> None:
        if message.type == "error":
            complaints.append(message.text)

    context.route("**/*", guard)
    opened = context.new_page()
    opened.on("console", listen)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    context.close()
    assert left == []
    assert complaints == []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-snapshot", action="store_true", help="accept the asset graph")
    parser.addoption("--mutations", type=int, default=12, help="figures to change, one at a time")
    parser.addoption("--districts", type=int, default=25, help="districts for the attacker")
    parser.addoption("--inputs", type=int, default=60, help="inputs for each fuzzed reader")
    parser.addoption("--edits", type=int, default=20, help="random edits of a quarter's files")
    parser.addoption("--first-edit", type=int, default=0, help="the number of the first of them")
