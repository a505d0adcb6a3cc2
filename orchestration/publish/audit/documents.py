"""The tools' documents (Great Expectations' Data Docs, dbt docs), made to work offline.

The data dictionary is written along with them.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from orchestration.checks.frames import MART_SUITES, RAW_SUITES, mart_table, raw_table
from orchestration.common.settings import Home, contracts_root
from orchestration.publish.audit.report import TEMPLATES
from orchestration.publish.pages.dictionary import dictionary_page
from orchestration.publish.pages.render import PAGES, environment, render, replace_files, write_page
from orchestration.publish.published_tables import readers_parquet
from orchestration.reading.contracts import load_contracts
from orchestration.warehouse.dbt import static_docs

# What a Data Docs page loads from the network, and its scripts, which don't work without that.
ONLINE = re.compile(
    r"<script\b.*?</script>"
    r"|<(?:link|img)\b[^>]*\b(?:href|src)=\"(?:https?:)?//[^>]*>"
    r"|<footer\b.*?</footer>"
    r"|url\(['\"]?https?:[^)]*\)",
    re.DOTALL,
)
# Replaces the layout and the icons of the style sheets that the pages would load.
FRAME = (
    "body { max-width: 76rem; margin: 0 auto; padding: 1rem 1.25rem; }"
    '.fa-check-circle::before { content: "✓ 成立"; } .fa-times::before { content: "✗ 不成立"; }'
    '.fa-exclamation-triangle::before { content: "！出错"; } i { font-style: normal; }'
)


def write_documents(home: Home, quarter: str) -> list[Path]:
    """Write the tools' documents and the data dictionary into `published/docs/`, or nothing.

    Args:
        home: the home whose working warehouse and lake are described.
        quarter: the quarter whose tables the expectations are validated on.

    Returns:
        The first page of each document.
    """
    built = home.scratch / "docs"
    shutil.rmtree(built, ignore_errors=True)
    _write_expectations(home, quarter, built / "expectations")
    (built / "dbt").mkdir()
    shutil.copyfile(static_docs(home), built / "dbt" / "index.html")
    write_page(built / "dictionary" / "index.html", dictionary_page())
    replace_files(built, home.docs)
    return [home.docs / name / "index.html" for name in ("expectations", "dbt", "dictionary")]


def _write_expectations(home: Home, quarter: str, folder: Path) -> None:
    """Write Great Expectations' pages in our style, with our own first page: theirs needs a CDN."""
    # Imported here because it takes two seconds, and only this command needs it.
    from orchestration.checks.expectations import write_data_docs

    validated = write_data_docs(folder, _tables(home, quarter), quarter)
    look = (PAGES / "style.css").read_text(encoding="utf-8")
    style = f"<style>{look}{FRAME}</style></head>"
    for page in folder.rglob("*.html"):
        text = ONLINE.sub("", page.read_text(encoding="utf-8"))
        page.write_text(text.replace("</head>", style, 1), encoding="utf-8")
    rows = []
    for batch in validated:
        (page,) = folder.glob(f"validations/{batch.suite}/{batch.run_name}/*/*.html")
        rows.append((batch, page.relative_to(folder).as_posix()))
    text = render(
        environment(TEMPLATES),
        "expectations.html.j2",
        {"title": f"{quarter} 数据检查", "status": None, "notice": "", "rows": rows},
    )
    write_page(folder / "index.html", text)


def _tables(home: Home, quarter: str) -> Iterator[tuple[str, Iterator[pd.DataFrame]]]:
    contracts = load_contracts(contracts_root())
    tables = {source: raw_table(home, contracts, source, quarter) for source in RAW_SUITES}
    tables |= {mart: mart_table(readers_parquet(home, quarter, mart)) for mart in MART_SUITES}
    for name, table in tables.items():
        yield name, (batch.frame for batch in table.rows())
