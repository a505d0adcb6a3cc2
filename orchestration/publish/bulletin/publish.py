"""Publishes the bulletin's files: they are made together, and replaced only if they differ."""

from pathlib import Path

from orchestration.common.errors import InputError
from orchestration.common.lock import writer
from orchestration.common.settings import Home, bulletin_root
from orchestration.publish.audit.report import write_report
from orchestration.publish.bulletin.content import describe
from orchestration.publish.bulletin.document import TEMPLATES, to_docx, to_pdf
from orchestration.publish.bulletin.model import load_office
from orchestration.publish.bulletin.spreadsheet import to_xlsx

NAME = "bulletin"


def publish_bulletin(home: Home, exports: Path, quarter: str) -> list[Path]:
    """Write a published quarter's bulletin as .docx and .xlsx, in the run that published it.

    A PDF made from an earlier document is deleted, so that a PDF always matches the document.

    Returns:
        The files; none if the site has no `bulletin.yml` and therefore makes no bulletin.

    Raises:
        InputError: the site's settings or its template can't be used; no file was changed.
    """
    office = load_office(bulletin_root() / "bulletin.yml")
    if office is None:
        return []
    content = describe(home, exports, quarter, office)
    folder = home.bulletin(quarter)
    document, workbook = folder / f"{NAME}.docx", folder / f"{NAME}.xlsx"
    files = {document: to_docx(content, template()), workbook: to_xlsx(content)}
    changed = {p: data for p, data in files.items() if not p.exists() or p.read_bytes() != data}
    for made in (folder, home.scratch):
        made.mkdir(parents=True, exist_ok=True)
    for path, data in changed.items():
        (home.scratch / path.name).write_bytes(data)
    if document in changed and (pdf := document.with_suffix(".pdf")).exists():
        pdf.unlink()
        write_report(home, quarter, exports)  # the report had a link to the PDF
    for path in changed:
        (home.scratch / path.name).replace(path)
    return list(files)


def print_bulletin(home: Home, quarter: str) -> tuple[Path, bool]:
    """Make the PDF of a published bulletin, unless the document has one already.

    Returns:
        The PDF, and whether it was made now.

    Raises:
        InputError: there is no such bulletin, or LibreOffice is missing or fails.
    """
    document = home.bulletin(quarter) / f"{NAME}.docx"
    target = document.with_suffix(".pdf")
    if not document.exists():
        raise InputError(
            code="no_bulletin",
            found=f"{quarter} 还没有通报",
            expected="运行过、并且站点有 bulletin.yml 的季度",
            action=f"先运行 hotline run {quarter}",
        )
    with writer(home, "pdf"):
        if target.exists():
            return target, False
        to_pdf(document, target)
    return target, True


def template() -> Path:
    """The Word template: the site's own if it has one, else the project's."""
    own = bulletin_root() / "bulletin.docx"
    return own if own.exists() else TEMPLATES / "bulletin.docx"
