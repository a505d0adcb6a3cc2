"""Publishes the site: the pages of the run's quarter, and the list of quarters."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from orchestration.common.data_notice import NOTICE_ENGLISH, data_notice
from orchestration.common.settings import Home, bulletin_root
from orchestration.publish.pages.figures import read_figures
from orchestration.publish.pages.render import replace_files, write_page
from orchestration.publish.pages.views import Site, build_pages
from orchestration.publish.pages.words import Language, load_settings

DOCUMENTS = ("bulletin.docx", "bulletin.pdf", "bulletin.xlsx")
UNITS = "unit"


def write_site(home: Home, exports: Path, quarter: str) -> Path:
    """Write the pages of a published quarter, in the run that published it.

    All pages are built before the first is put in place. The units' pages come first, then the
    quarter's page, and the list of quarters last.

    Args:
        home: its published Parquet holds the figures.
        exports: where the quarter's notice about its data is.
        quarter: such as 2022Q2.

    Returns:
        The quarter's page.

    Raises:
        InputError: the quarter isn't published, or `site.yml` can't be used; nothing was changed.
        LookupError: the working warehouse holds another quarter.
    """
    target = home.bulletin(quarter)
    figures = read_figures(home, quarter)
    site = Site(
        figures=figures,
        settings=load_settings(bulletin_root() / "site.yml"),
        notices=_notices(exports, [str(one.quarter) for one in figures.publications]),
        documents=[name for name in DOCUMENTS if (target / name).is_file()],
    )
    built = home.scratch / f"site-{quarter}"
    shutil.rmtree(built, ignore_errors=True)
    pages = dict(build_pages(site))
    for path, text in pages.items():
        write_page(built / path, text)
    replace_files(built / quarter / UNITS, target / UNITS)
    for path in sorted(pages, key=lambda path: path.count("/"), reverse=True):
        if path.count("/") < 2:
            (built / path).replace(target.parent / path)
    shutil.rmtree(built)
    return target / "index.html"


def _notices(exports: Path, quarters: Sequence[str]) -> dict[str, dict[Language, str]]:
    """The notice on each quarter's exports by language; in Chinese if there is none in English."""
    notices: dict[str, dict[Language, str]] = {}
    for quarter in quarters:
        if chinese := data_notice(exports, quarter):
            english = data_notice(exports, quarter, NOTICE_ENGLISH)
            notices[quarter] = {"zh": chinese, "en": english or chinese}
    return notices
