"""The audit report of a quarter: a main page, a page per unit, and a workbook.

It shows what was compared with what, what differed and why, that the row counts balance, and the
source rows of every unit's figures. `evidence` reads the data.
"""

import shutil
from pathlib import Path
from typing import Any

from jinja2 import Environment

from orchestration.catalogue.measures import INDEX, channel_counts
from orchestration.checks.reconciliation import overall
from orchestration.common.data_notice import data_notice
from orchestration.common.settings import Home
from orchestration.common.workbook import write_workbook
from orchestration.publish.audit.evidence import (
    GROUP_LABELS,
    LISTED_ROWS,
    SEVERITY_LABELS,
    Evidence,
    Reader,
    Row,
    SourceRows,
    opened,
)
from orchestration.publish.audit.labels import chinese_labels
from orchestration.publish.audit.report_workbook import sheets
from orchestration.publish.pages.render import (
    Status,
    environment,
    reconciliation_status,
    render,
    replace_files,
    write_page,
)

TEMPLATES = Path(__file__).with_name("templates")
WORKBOOK = "audit.xlsx"
# Limits that keep the page usable in a browser; the workbook has every row.
LISTED_MATCHES = 5000
LISTED_RESTATEMENTS = 2000


def write_report(
    home: Home, quarter: str, exports: Path, stopped_run: str | None = None
) -> Path | None:
    """Write the report on a quarter's publication or on a stopped run; all files are built first.

    Args:
        home: the home whose published copy (after a stop: working warehouse) is read.
        quarter: such as 2022Q2.
        exports: where the quarter's notice about its data is.
        stopped_run: the run that was stopped; its report is kept out of `published/`.

    Returns:
        The main page; None if the run never reached its reconciliation.
    """
    target = home.audit_report(quarter, is_published=stopped_run is None)
    built = home.scratch / f"audit-{quarter}"
    shutil.rmtree(built, ignore_errors=True)
    with opened(home, quarter, stopped_run) as reader:
        evidence = reader.evidence()
        if evidence is None:
            return None
        _write_pages(reader, evidence, built, _common(home, evidence, exports, target))
        write_workbook(built / WORKBOOK, sheets(evidence, chinese_labels()))
    replace_files(built, target.parent)
    return target


def remove_stopped(home: Home, quarter: str) -> None:
    """Delete the report on a stopped run, after a later run that wasn't stopped."""
    shutil.rmtree(home.audit_report(quarter, is_published=False).parent, ignore_errors=True)


def _common(home: Home, evidence: Evidence, exports: Path, target: Path) -> dict[str, Any]:
    return {
        "quarter": evidence.quarter,
        "evidence": evidence,
        "labels": chinese_labels(),
        "groups": GROUP_LABELS,
        "severities": SEVERITY_LABELS,
        "notice": data_notice(exports, evidence.quarter),
        "documents": _documents(home, evidence, target.parent),
    }


def _documents(home: Home, evidence: Evidence, folder: Path) -> list[tuple[str, str]]:
    """Other documents as (label, link), with links relative to a folder.

    A publication's pages are linked even before they exist, because a run writes them after its
    report. A run deletes an outdated PDF.
    """
    pages = home.bulletin(evidence.quarter) / "index.html"
    known = {
        "本季度的通报 PDF": pages.with_name("bulletin.pdf"),
        "数据字典": home.docs / "dictionary" / "index.html",
        "Great Expectations 数据文档": home.docs / "expectations" / "index.html",
        "dbt 模型文档": home.docs / "dbt" / "index.html",
    }
    up = "../" * len(folder.relative_to(home.root).parts)
    found = [(label, path) for label, path in known.items() if path.is_file()]
    if evidence.is_published:
        found.insert(0, ("本季度的网页", pages))
    return [(label, up + path.relative_to(home.root).as_posix()) for label, path in found]


def _status(evidence: Evidence) -> Status:
    """The status line of the reconciliation; for a stopped run, also that nothing was published."""
    status = reconciliation_status(overall(evidence.rows))
    failed = sum(row["severity"] == "error" for row in evidence.failed_checks)
    if failed and status.tone == "good":
        status = status._replace(tone="bad", text=f"{failed} 项检查未过（{status.text}）")
    if evidence.is_published:
        return status
    return status._replace(tone="bad", text=f"停在关口，没有发布。{status.text}")


def _write_pages(reader: Reader, evidence: Evidence, folder: Path, common: dict[str, Any]) -> None:
    templates = environment(TEMPLATES)
    matches = [row for row in evidence.rows if row["status"] == "match"]
    rest = [row for row in evidence.rows if row["status"] != "match"]
    page = {
        "title": f"{evidence.quarter} 审计报告",
        "status": _status(evidence),
        "rest": rest,
        "matches": matches[:LISTED_MATCHES],
        "unlisted_matches": max(len(matches) - LISTED_MATCHES, 0),
        "restatements": evidence.restatements[:LISTED_RESTATEMENTS],
        "workbook": WORKBOOK,
    }
    write_page(folder / "index.html", render(templates, "report.html.j2", common | page))
    _write_unit_pages(reader, evidence, folder / "unit", templates, common)


def _write_unit_pages(
    reader: Reader,
    evidence: Evidence,
    folder: Path,
    templates: Environment,
    common: dict[str, Any],
) -> None:
    channels = channel_counts()
    marts = {prefix: reader.mart_rows(channel.mart) for prefix, channel in channels.items()}
    sources = {prefix: reader.source_rows(prefix) for prefix in channels}
    components = reader.mart_rows("index_component_unit_quarter")
    files = {row["file_sha256"]: row for row in evidence.files}
    status = _status(evidence)._replace(href="../index.html")
    for unit in evidence.units:
        code = unit["unit_code"]
        page = {
            "title": f"{unit['label']}：{evidence.quarter} 数字的来源",
            "status": status,
            "unit": unit,
            "files": files,
            "components": components.get(code, []),
            "sections": [
                _section(prefix, marts[prefix][code][0], sources[prefix].get(code, SourceRows()))
                for prefix in channels
                if code in marts[prefix]
            ],
            "listed_rows": LISTED_ROWS,
        }
        write_page(folder / f"{code}.html", render(templates, "unit.html.j2", common | page))


def _section(prefix: str, figures: Row, source: SourceRows) -> dict[str, Any]:
    """One channel of a unit: each measure, its published value, and the counts it is made of."""
    channel = channel_counts()[prefix]
    made_of = dict(channel.measures) | ({INDEX: ()} if INDEX in figures else {})
    counts = [names[0] for names in made_of.values() if len(names) == 1]
    return {
        "name": prefix.rstrip(".") or "hotline",
        "prefix": prefix,
        "label": channel.item,
        "counts": counts,
        "measures": [
            {"name": name, "value": figures[name], "counts": names}
            for name, names in made_of.items()
        ],
        "totals": {count: source.totals.get(count, 0) for count in counts},
        "rows": source.rows,
    }
