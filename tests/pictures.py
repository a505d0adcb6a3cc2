"""Makes the README's pictures with the current code: `make pictures`.

    python tests/pictures.py HOME FOLDER

HOME is a home in which the sample quarter is published; FOLDER gets site.png, the quarter's page,
and graph.png, the run's groups of assets in Dagster. Needs Chromium and a Chinese font.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from conftest import CHROMIUM_ARGUMENTS
from playwright.sync_api import Browser, sync_playwright
from ui_server import running_ui

QUARTER = "2022Q2"
SHOWN_WITHIN = 60_000  # milliseconds
# The part of Dagster's page that has the graph, in pixels of the window below.
CANVAS = {"x": 560, "y": 325, "width": 906, "height": 370}


def picture_of_quarter(browser: Browser, home: Path, file: Path) -> None:
    """The top of the quarter's page, as far as the first units."""
    page = browser.new_page(viewport={"width": 1200, "height": 1380}, locale="zh-CN")
    page.goto((home / "published" / "bulletin" / QUARTER / "index.html").as_uri())
    page.screenshot(path=file)
    page.close()


def picture_of_graph(browser: Browser, home: Path, file: Path) -> None:
    """Dagster's graph of all assets, its groups closed."""
    page = browser.new_page(viewport={"width": 1500, "height": 1000}, locale="en-GB")
    with tempfile.TemporaryDirectory() as folder, running_ui(Path(folder), home) as address:
        page.goto(address + "asset-groups")
        page.get_by_text("reconciliation", exact=True).first.wait_for(timeout=SHOWN_WITHIN)
        page.wait_for_timeout(3000)  # the graph moves into place
        page.screenshot(path=file, clip=CANVAS)
    page.close()


def main() -> None:
    home, folder = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM_ARGUMENTS
        )
        picture_of_quarter(browser, home, folder / "site.png")
        picture_of_graph(browser, home, folder / "graph.png")
        browser.close()


if __name__ == "__main__":
    main()
