"""Builds the pages of a quarter as text, from its figures alone. `publish` writes them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, get_args

from jinja2 import Environment
from markupsafe import Markup

from orchestration.publish.bulletin.content import withheld
from orchestration.publish.disclosure import HIDDEN, largest_first
from orchestration.publish.headline import percent
from orchestration.publish.pages import charts
from orchestration.publish.pages.comparison import WITHHELD, lost, ranked, standing
from orchestration.publish.pages.figures import Figures, Publication, Unit, shown
from orchestration.publish.pages.interval import wilson
from orchestration.publish.pages.pictures import draw_all, word_all
from orchestration.publish.pages.render import (
    NOTHING,
    Status,
    environment,
    reconciliation_status,
    render,
)
from orchestration.publish.pages.words import Language, SiteSettings, Words
from orchestration.publish.small_counts import Row

TEMPLATES = Path(__file__).with_name("templates")
STYLES = ("style.css", "site.css")
LANGUAGES: tuple[Language, ...] = get_args(Language)
# The district's figures at the top of the quarter's page.
HEADLINE = (
    "due_count",
    "completion_rate",
    "on_time_rate",
    "rework_rate",
    "satisfaction_rate",
    "composite_index",
)
HOTLINE_MEASURES = (
    "due_count",
    "handled_count",
    "completion_rate",
    "on_time_count",
    "on_time_rate",
    "rework_count",
    "rework_rate",
    "callback_count",
    "dissatisfied_count",
    "dissatisfaction_rate",
    "composite_index",
)
MAILBOX_MEASURES = ("due_count", "handled_count", "on_time_count", "overdue_count")
SUGGESTION_MEASURES = ("due_count", "on_time_count", "overdue_count")
CHANNEL_MEASURES = (
    "distinct_item_count",
    "assignment_count",
    "handled_count",
    "on_time_count",
    "satisfaction_rate",
)


@dataclass(frozen=True)
class Site:
    """The input of the pages of one quarter."""

    figures: Figures
    settings: SiteSettings
    notices: Mapping[str, Mapping[Language, str]]
    """What the exports say of themselves, by quarter; a quarter without a notice is left out."""
    documents: Sequence[str] = ()
    """Names of files in the quarter's folder that its page offers, such as bulletin.docx."""


def build_pages(site: Site) -> Iterator[tuple[str, str]]:
    """Every page of a quarter as (path in the folder of bulletins, text), always the same."""
    templates = environment(TEMPLATES)
    templates.filters |= {
        "interval": _interval,
        "lost": _lost,
        "most_due": _most_due,
    }
    templates.tests["hidden"] = lambda value: value is HIDDEN
    templates.globals |= {
        "standing": lambda unit: standing(unit, site.settings),
        "shown": shown,
        "change": _change,
        "trend": charts.trend,
        "colours": {
            row["component"]: f"c{n % len(charts.PALETTE) + 1}"
            for n, row in enumerate(site.figures.policy)
        },
        "figures": site.figures,
        "settings": site.settings,
        "HOTLINE_MEASURES": HOTLINE_MEASURES,
        "MAILBOX_MEASURES": MAILBOX_MEASURES,
        "SUGGESTION_MEASURES": SUGGESTION_MEASURES,
        "CHANNEL_MEASURES": CHANNEL_MEASURES,
        "HEADLINE": HEADLINE,
    }
    drawn = draw_all(site.figures, site.settings)
    for language in LANGUAGES:
        words = Words(language, site.settings.english)
        builder = _Builder(site, templates, words)
        yield builder.quarters()
        yield builder.quarter(word_all(site.figures, drawn, words))
        for unit in site.figures.units:
            yield builder.unit(unit)


@dataclass(frozen=True)
class _Builder:
    """Builds the pages of one language as (path, text)."""

    site: Site
    templates: Environment
    words: Words

    def quarters(self) -> tuple[str, str]:
        """The list of quarters, with the status of the newest quarter and the notices of all."""
        newest = self.site.figures.publications[-1]
        notices = self.site.notices.items()
        return self._page(
            "index",
            "quarters.html.j2",
            self.words.choose("群众诉求办理情况", "Citizens' requests"),
            status=self._status(newest, "", f"{newest.quarter} "),
            notice="\n".join(f"{name}　{told[self.words.language]}" for name, told in notices),
            reconciliation=lambda one: self._status(one, ""),
        )

    def quarter(self, pictures: Mapping[str, Markup]) -> tuple[str, str]:
        """The quarter's page with its charts."""
        figures, settings = self.site.figures, self.site.settings
        name = self.words.quarter(figures.quarter)
        return self._page(
            f"{figures.quarter}/index",
            "quarter.html.j2",
            self.words.choose(
                f"{name}群众诉求办理情况", f"{name}: how citizens' requests were handled"
            ),
            charts=pictures,
            documents=self.site.documents,
            ranked={group.code: ranked(figures, settings, group) for group in figures.groups},
            withheld_count={
                group.code: sum(
                    standing(unit, settings) is WITHHELD
                    for unit in figures.units
                    if unit.group == group
                )
                for group in figures.groups
            },
        )

    def unit(self, unit: Unit) -> tuple[str, str]:
        """A unit's page."""
        path = f"{self.site.figures.quarter}/unit/{unit.code}"
        return self._page(path, "unit.html.j2", self._unit_label(unit), u=unit)

    def _page(self, path: str, template: str, title: str, **own: Any) -> tuple[str, str]:
        """A page; its `own` context overrides the context that all pages get."""
        words, publication = self.words, self.site.figures.publication
        other = Words("en" if words.language == "zh" else "zh", {})
        context = {
            "title": title,
            "status": self._status(publication, "../" * path.count("/")),
            "notice": self.site.notices.get(str(publication.quarter), {}).get(words.language, ""),
            "language": words.language,
            "suffix": words.suffix,
            "other": f"{path.rpartition('/')[2]}{other.suffix}.html",
            "t": words.choose,
            "term": words.term,
            "name": words.name,
            "quarter_name": words.quarter,
            "unit_label": self._unit_label,
            "group_label": lambda group: words.name(group.code, group.label),
            "withheld_note": self._withheld_note(),
        }
        text = render(self.templates, template, context | own, styles=STYLES)
        return f"{path}{words.suffix}.html", text

    def _status(self, publication: Publication, up: str, about: str = "") -> Status:
        """The reconciliation of a publication in one line; `up` leads to the bulletins' folder.

        If small counts are hidden, no page links to the audit report, which shows them all.
        """
        held = publication.reconciliation
        is_open = self.site.figures.threshold is None
        href = f"{up}../audit/{publication.quarter}/index.html" if is_open else ""
        status = reconciliation_status(held, href)
        if self.words.language == "en":
            facts = f" ({held.facts} facts)" if held.facts < held.explained else ""
            counts = f"{held.total} controls, {held.match} match, {held.explained} explained{facts}"
            note = f"{held.broken} large or unusual changes" if held.broken else ""
            status = status._replace(
                text=f"Reconciled ({counts}{'' if note else ', 0 unexplained'})", note=note
            )
        return status._replace(text=about + status.text)

    def _withheld_note(self) -> str:
        """The meaning of the mark for hidden figures; empty if all figures are shown."""
        threshold = self.site.figures.threshold
        if threshold is None:
            return ""
        return self.words.choose(
            withheld(threshold),
            f"{HIDDEN}: a count below {threshold}, or a figure that would give one away, is not "
            "published; totals that are shown include it.",
        )

    def _unit_label(self, unit: Unit) -> str:
        """A unit's name, with its group if two units share the name."""
        own = self.words.name(unit.code, unit.name)
        if not unit.is_shared_name or own != unit.name or not unit.group.label:
            return own
        return self.words.choose(f"{own}（{unit.group.label}）", f"{own} ({unit.group.label})")


def _most_due(units: Sequence[Unit], channel: str) -> list[Unit]:
    """Units by the number of items due in a channel, the largest first."""
    return sorted(units, key=lambda unit: largest_first(getattr(unit, channel)["due_count"]))


def _lost(component: Row) -> str:
    if component["points"] is HIDDEN:
        return str(HIDDEN)
    rounded = lost(component).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return format(rounded + 0, "f")  # never "-0.00"


def _interval(row: Row) -> str:
    count, total = row["dissatisfied_count"], row["callback_count"]
    if count is HIDDEN or total is HIDDEN:
        return str(HIDDEN)
    bounds = wilson(count, total)
    return NOTHING if bounds is None else "–".join(percent(bound) for bound in bounds)


def _change(measure: str, now: Row, before: Row) -> str:
    """The signed difference from the previous quarter; for rates, in percentage points."""
    if HIDDEN in (now[measure], before[measure]):
        return NOTHING
    if now[measure] is None or before[measure] is None:
        return NOTHING
    difference = now[measure] - before[measure]
    size = abs(difference)
    sign = "+" if difference > 0 else "−" if difference < 0 else ""
    return sign + (
        percent(size).removesuffix("%")
        if measure.endswith("rate")
        else format(size, "f" if isinstance(size, Decimal) else "d")
    )
