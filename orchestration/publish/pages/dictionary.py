"""The data dictionary as one Chinese page."""

from pathlib import Path

from orchestration.catalogue.tables import READER_FOLDERS, reader_tables
from orchestration.publish.pages.render import environment, render

SCHEMA_LABELS = {"marts": "集市：按季度的数字", "audit": "审计：来源、核对、检查、发布"}


def dictionary_page() -> str:
    """The page, made from the models' YAML alone, so that it changes only with the YAML."""
    schemas = [
        (schema, SCHEMA_LABELS[schema], [e for e in reader_tables().values() if e.schema == schema])
        for schema in READER_FOLDERS
    ]
    context = {"title": "数据字典", "status": None, "notice": "", "schemas": schemas}
    return render(
        environment(Path(__file__).with_name("templates")),
        "dictionary.html.j2",
        context,
        scripts=(),
    )
