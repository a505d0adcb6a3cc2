"""The charts of the quarter's page: their data, titles and descriptions. `charts` draws them."""

from collections.abc import Mapping
from itertools import cycle

from markupsafe import Markup

from orchestration.publish.disclosure import HIDDEN
from orchestration.publish.pages import charts
from orchestration.publish.pages.comparison import JUDGED, lost, ranked, standing
from orchestration.publish.pages.figures import Figures, shown
from orchestration.publish.pages.words import SiteSettings, Words

# The codes of a mart's rows for tickets without a category or a type; they are drawn in grey.
REST = ("other", "untyped")


def draw_all(figures: Figures, settings: SiteSettings) -> dict[str, str]:
    """The charts of the quarter's page as SVG, by name; one without bars is left out.

    A unit or a topic whose figure is hidden has no bar.
    """
    items = [row["component"] for row in figures.policy]
    colours = dict(zip(items, cycle(charts.PALETTE), strict=False))
    bars = {
        f"group-{group.code}": [
            charts.Bar(
                unit.code,
                {row["component"]: lost(row) for row in unit.components},
                shown(unit.hotline or {}, "composite_index"),
            )
            for unit in ranked(figures, settings, group)
            if standing(unit, settings) is JUDGED
        ]
        for group in figures.groups
    }
    drawn = {name: charts.draw(rows, colours) for name, rows in bars.items() if rows}
    topics = {"categories": figures.categories, "request-types": figures.request_types}
    for name, rows in topics.items():
        counted = [
            charts.Bar(
                row["code"],
                {"grey" if row["code"] in REST else "count": row["ticket_count"]},
                shown(row, "ticket_count"),
                None if (before := row.get("previous_count")) is HIDDEN else before,
            )
            for row in rows
            if row["ticket_count"] is not HIDDEN
        ]
        if any(sum(bar.parts.values()) for bar in counted):
            drawn[name] = charts.draw(counted, {"count": charts.PALETTE[2], "grey": charts.GREY})
    return drawn


def word_all(figures: Figures, drawn: Mapping[str, str], words: Words) -> dict[str, Markup]:
    """The drawn charts in one language, by name."""
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
