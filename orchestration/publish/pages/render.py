"""Static pages that need no server and no network: one template environment, one look.

A page is one file: its style sheets and scripts are inlined and allowed by their hashes, so that it
opens from disk under a strict Content-Security-Policy. The content of a page belongs to the package
that writes it; only the look of pages and the writing of files belong here.
"""

import base64
import hashlib
import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from orchestration.checks.reconciliation import GroupSummary
from orchestration.publish.headline import figure, number, percent

PAGES = Path(__file__).parent
NOTHING = "—"
# The label of each control status, on every page and in every workbook.
STATUS_LABELS = {
    "match": "相符",
    "explained": "已说明",
    "unexplained": "不符",
    "missing_expected": "缺应为",
    "missing_actual": "缺实为",
}


class Status(NamedTuple):
    """The line at the top of a page: `tone` is `good` or `bad`; an empty `href` means no link.

    `note` is shown beside it in a neutral tone.
    """

    tone: str
    text: str
    href: str = ""
    note: str = ""


def environment(*folders: Path) -> Environment:
    """The template environment: a package's own template folders first, then this package's."""
    found = Environment(
        loader=FileSystemLoader([*folders, PAGES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {
        "count": count,
        "percent": percent,
        "index": index,
        "number": number,
        "figure": lambda value, measure: figure(measure, value),
        "moment": moment,
    }
    found.globals["STATUS_LABELS"] = STATUS_LABELS
    return found


def render(
    templates: Environment,
    template: str,
    context: Mapping[str, Any],
    *,
    styles: Sequence[str] = ("style.css",),
    scripts: Sequence[str] = ("table.js",),
) -> str:
    """A complete page as text; the same context gives the same text.

    Args:
        templates: from `environment`.
        template: a template's name; it extends `base.html.j2`.
        context: at least `title`, `status` (`Status` or None) and `notice` (text, may be empty).
        styles: names of style sheets among the templates' folders, inlined in this order.
        scripts: names of scripts, likewise; data belong in `<script type="application/json">`.
    """
    sheets, code = (
        [_inlined(_text(templates, name)) for name in names] for names in (styles, scripts)
    )
    return templates.get_template(template).render(context, styles=sheets, scripts=code)


def write_page(path: Path, text: str) -> None:
    """Write a page atomically: a reader sees either the old page or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, encoding="utf-8", newline="\n")
    temporary.replace(path)


def replace_files(built: Path, target: Path) -> None:
    """Replace a folder's files with those of a finished folder, the topmost ones last.

    Files are replaced one by one, because exchanging a folder would leave a moment without it.
    """
    made = sorted((path for path in built.rglob("*") if path.is_file()), key=_depth, reverse=True)
    places = [target / path.relative_to(built) for path in made]
    for path, place in zip(made, places, strict=True):
        place.parent.mkdir(parents=True, exist_ok=True)
        path.replace(place)
    for path in sorted(target.rglob("*"), reverse=True):
        if path.is_file() and path not in places:
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    shutil.rmtree(built)


def _depth(path: Path) -> tuple[int, str]:
    return len(path.parts), path.as_posix()


def reconciliation_status(found: GroupSummary, href: str = "") -> Status:
    """The reconciliation in one line, for the top of a page; warnings are its note."""
    facts = f"（共 {found.facts} 处）" if found.facts < found.explained else ""
    counts = f"共 {found.total} 项，{found.match} 项相符，{found.explained} 项已说明{facts}"
    warned = found.broken - found.blocking
    note = f"{warned} 项变化较大或不寻常" if warned else ""
    if found.blocking:
        return Status("bad", f"对账未通过：{found.blocking} 项不符（{counts}）", href, note)
    return Status("good", f"对账通过：{counts}{'' if warned else '，没有不符'}", href, note)


def count(value: int | None) -> str:
    """A count as the bulletin prints it, without grouping."""
    return NOTHING if value is None else str(value)


def index(value: Decimal | None) -> str:
    """An index with the decimals that it is published with (`95.7`)."""
    return NOTHING if value is None else format(value, "f")


def moment(value: datetime | None) -> str:
    """A time to the minute."""
    return NOTHING if value is None else f"{value:%Y-%m-%d %H:%M}"


def _text(templates: Environment, name: str) -> str:
    if templates.loader is None:
        raise ValueError("an environment without a loader")
    return templates.loader.get_source(templates, name)[0]


def _inlined(text: str) -> tuple[Markup, str]:
    """One of our style sheets or scripts, and the hash by which the page's policy allows it."""
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Markup(text), f"'sha256-{digest}'"  # noqa: S704 (our own file, no value of a reader's)
