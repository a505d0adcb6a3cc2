"""The pages of a quarter as text: from its figures, nothing else. Writing them is `publish`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple, get_args

from jinja2 import Environment

from orchestration.headline import percent
from orchestration.pages.render import (
    NOTHING,
    Status,
    count,
    environment,
    index,
    reconciliation_status,
    render,
)
from orchestration.site import charts
from orchestration.site.figures import Figures, Publication, Row, Unit
from orchestration.site.interval import wilson
from orchestration.site.words import Language, SiteSettings, Words

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


class Standing(NamedTuple):
    """Whether a unit's index says something of it: `judged`, `few` items, or `unrated`: none."""

    code: str
    chinese: str
    english: str


JUDGED = Standing("judged", "", "")
FEW = Standing("few", "样本太少", "Too few to judge")
UNRATED = Standing("unrated", "不参评", "Not rated")


@dataclass(frozen=True)
class Site:
    """What the pages of one quarter are made from."""

    figures: Figures
    settings: SiteSettings
    notices: Mapping[str, Mapping[Language, str]]
    """What the exports say of themselves, by quarter; a quarter without a notice is left out."""
    documents: Sequence[str] = ()
    """Names of files in the quarter's folder that its page offers, such as bulletin.docx."""


def standing(unit: Unit, settings: SiteSettings) -> Standing:
    """How a unit on the hotline is shown: a unit with few items isn't put among the others."""
    if unit.hotline is None or not unit.hotline["is_rated"]:
        return UNRATED
    fewest = min(row["denominator"] for row in unit.components)
    return JUDGED if fewest >= settings.judged_from else FEW


def build_pages(site: Site) -> Iterator[tuple[str, str]]:
    """Every page of a quarter as (path in the folder of bulletins, text), the same each time."""
    templates = environment(TEMPLATES)
    templates.filters |= {"interval": _interval, "lost": lost, "points": _points}
    templates.globals |= {
        "standing": lambda unit: standing(unit, site.settings),
        "shown": shown,
        "change": _change,
        "trend": charts.trend,
        "colours": {
            row["component"]: f"c{n % len(charts.PALETTE) + 1}"
            for n, row in enumerate(site.figures.policy)
        },
        "HOTLINE_MEASURES": HOTLINE_MEASURES,
        "MAILBOX_MEASURES": MAILBOX_MEASURES,
        "SUGGESTION_MEASURES": SUGGESTION_MEASURES,
        "CHANNEL_MEASURES": CHANNEL_MEASURES,
        "HEADLINE": HEADLINE,
    }
    drawn = _drawn(site)
    for language in LANGUAGES:
        yield from _build(site, templates, Words(language, site.settings.english), drawn)


def _build(
    site: Site, templates: Environment, words: Words, drawn: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    figures, quarter = site.figures, site.figures.quarter
    newest = figures.publications[-1]

    def page(path: str, template: str, title: str, **context: Any) -> tuple[str, str]:
        name = path + words.suffix + ".html"
        up = "../" * path.count("/")
        other = path.rpartition("/")[2] + (".en" if words.language == "zh" else "") + ".html"
        common = {
            "title": title,
            "status": _status(figures.publication, words, f"{up}../audit/{quarter}/index.html"),
            "notice": site.notices.get(str(quarter), {}).get(words.language, ""),
            "language": words.language,
            "suffix": words.suffix,
            "t": words.choose,
            "term": words.term,
            "name": words.name,
            "quarter_name": words.quarter,
            "unit_label": lambda unit: _unit_label(unit, words),
            "group_label": lambda group: words.name(group.code, group.label),
            "figures": figures,
            "settings": site.settings,
            "other": other,
        }
        return name, render(templates, template, common | context, styles=STYLES)

    yield page(
        "index",
        "quarters.html.j2",
        words.choose("群众诉求办理情况", "Citizens' requests"),
        status=_status(
            newest, words, f"../audit/{newest.quarter}/index.html", f"{newest.quarter} "
        ),
        notice="\n".join(
            f"{quarter}　{notice[words.language]}" for quarter, notice in site.notices.items()
        ),
        reconciliation=lambda one: _status(one, words, f"../audit/{one.quarter}/index.html"),
    )
    title = words.choose("群众诉求办理情况", "how citizens' requests were handled")
    yield page(
        f"{quarter}/index",
        "quarter.html.j2",
        words.choose(f"{words.quarter(quarter)}{title}", f"{words.quarter(quarter)}: {title}"),
        charts=_worded(site, drawn, words),
        documents=site.documents,
        ranked={group.code: _ranked(site, group.code) for group in figures.groups},
    )
    for unit in figures.units:
        yield page(f"{quarter}/unit/{unit.code}", "unit.html.j2", _unit_label(unit, words), u=unit)


def shown(row: Row, measure: str) -> str:
    """A figure of a mart as the pages print it: `307`, `27.85%`, `95.0`; a dash where none is."""
    value = row[measure]
    if measure.endswith(("rate", "share", "change", "weight")):
        return percent(value)
    if measure.endswith("index"):
        return index(value)
    return count(value)


def lost(component: Row) -> Decimal:
    """The points that a component costs a unit: what its weight would give, less what it gave."""
    return Decimal(100 * component["weight"] - component["points"])


def _points(value: Decimal) -> str:
    return format(value.quantize(Decimal("0.01"), ROUND_HALF_UP), "f")


def _interval(row: Row) -> str:
    bounds = wilson(row["dissatisfied_count"], row["callback_count"])
    return NOTHING if bounds is None else "–".join(percent(bound) for bound in bounds)


def _change(measure: str, now: Row, before: Row) -> str:
    """The difference to the quarter before, signed; of rates in percentage points."""
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


def _status(publication: Publication, words: Words, href: str, about: str = "") -> Status:
    """The reconciliation of a publication in one line; `about` comes before it."""
    held = publication.reconciliation
    tone, text, _ = reconciliation_status([held])
    if words.language == "en":
        verdict = f"Reconciliation failed: {held.broken} differ" if held.broken else "Reconciled"
        text = (
            f"{verdict} ({held.total} controls, {held.match} match, {held.explained} explained, "
            f"{held.broken} unexplained)"
        )
    return Status(tone, about + text, href)


def _unit_label(unit: Unit, words: Words) -> str:
    """A unit's name; one that two units share says its group."""
    own = words.name(unit.code, unit.name)
    if not unit.is_shared_name or words.language == "en":
        return own
    return f"{own}（{unit.group.label}）" if unit.group.label else own


def _ranked(site: Site, group: str) -> list[Unit]:
    """A group's units: the judged by rank, then those with few items, then those with none."""
    order = {JUDGED: 0, FEW: 1, UNRATED: 2}
    found = [unit for unit in site.figures.units if unit.hotline and unit.group.code == group]
    places = {unit.code: place for place, unit in enumerate(found)}

    def key(unit: Unit) -> tuple[int, int, int, int]:
        row = unit.hotline or {}
        place = order[standing(unit, site.settings)]
        return (place, row["rank_in_group"] or 0, -row["due_count"], places[unit.code])

    return sorted(found, key=key)


def _drawn(site: Site) -> dict[str, str]:
    """The charts of the quarter's page, by name; one without bars is left out."""
    figures = site.figures
    items = [row["component"] for row in figures.policy]
    colours = dict(zip(items, cycle(charts.PALETTE), strict=False))
    bars = {
        f"group-{group.code}": [
            charts.Bar(
                unit.code,
                {row["component"]: lost(row) for row in unit.components},
                shown(unit.hotline or {}, "composite_index"),
            )
            for unit in _ranked(site, group.code)
            if standing(unit, site.settings) is JUDGED
        ]
        for group in figures.groups
    }
    drawn = {name: charts.draw(rows, colours) for name, rows in bars.items() if rows}
    topics = {"categories": figures.categories, "request-types": figures.request_types}
    for name, rows in topics.items():
        counted = [
            charts.Bar(
                row["code"],
                {"grey" if row["code"] in ("other", "untyped") else "count": row["ticket_count"]},
                shown(row, "ticket_count"),
                row.get("previous_count"),
            )
            for row in rows
        ]
        if any(row["ticket_count"] for row in rows):
            drawn[name] = charts.draw(counted, {"count": charts.PALETTE[2], "grey": charts.GREY})
    return drawn


def _worded(site: Site, drawn: Mapping[str, str], words: Words) -> dict[str, str]:
    figures = site.figures
    named = {unit.code: words.name(unit.code, unit.name) for unit in figures.units}
    topics = {
        row["code"]: words.name(row["code"], row["label"])
        for row in (*figures.categories, *figures.request_types)
    }
    t = words.choose
    titles = {
        "categories": (
            t("各类别件数", "Tickets by category"),
            t("每条为一个类别的件数，数字见表。", "A bar a category; the table has the figures."),
        ),
        "request-types": (
            t("各诉求类型件数", "Tickets by request type"),
            t("每条为一个类型的件数，数字见表。", "A bar a type; the table has the figures."),
        ),
    }
    for group in figures.groups:
        label = words.name(group.code, group.label)
        titles[f"group-{group.code}"] = (
            t(f"{label}：各单位失分的组成", f"{label}: what the units lost points on"),
            t(
                "每条为一个单位的失分，按评分项分色，末端为综合指标值，数字见表。",
                "A bar is the points that a unit lost, coloured by component, with its index at "
                "the end; the table has the figures.",
            ),
        )
    return {
        name: charts.worded(
            svg, f"chart-{name}", *titles[name], named if name.startswith("group-") else topics
        )
        for name, svg in drawn.items()
    }
