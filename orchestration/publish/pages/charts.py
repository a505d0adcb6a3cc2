"""The pages' charts: specified in Vega-Lite, drawn once as SVG, then labelled in each language.

A chart is drawn with codes for names and without measuring text, so that its bytes don't depend on
the machine's fonts. It computes only lengths: every figure that it prints is passed in as text, and
the table beside it has them all. Floats are used only for the lengths of bars.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from lxml import etree
from markupsafe import Markup

from orchestration.publish.pages.render import index

# Distinct for colour-blind readers too, with a contrast of at least 3:1 against white; repeated in
# site.css as .c1 to .c6.
PALETTE = ("#5f6f7f", "#a86f00", "#2a6f97", "#b3261e", "#5b3a8e", "#14603a")
INK, SOFT, GREY = "#1c2733", "#51606f", "#9aa5b1"
NAME_WIDTH, PLOT_WIDTH, FIGURE_WIDTH, ROW_HEIGHT, AXIS_HEIGHT = 168, 190, 62, 21, 26
# The room for a name, in characters. A longer name ends with an ellipsis; the table has all of it.
ROOM = 24
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
BARE = {"domain": False, "ticks": False}
SVG = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True)
class Bar:
    """One row of a chart: its code, the lengths of its parts, the figure at its end."""

    code: str
    parts: Mapping[str, Decimal | int]
    figure: str
    mark: int | None = None
    """Where a tick stands, such as the count of the quarter before."""


def draw(bars: Sequence[Bar], colours: Mapping[str, str]) -> str:
    """Horizontal bars, stacked from parts, as SVG in which codes stand for names.

    Args:
        bars: the bars from top to bottom.
        colours: the colour of each part, in the order of stacking.
    """
    import vl_convert  # imported here because only a run that writes pages needs it

    chart = {
        "$schema": SCHEMA,
        "layer": _layers(bars, colours),
        "width": PLOT_WIDTH,
        "height": ROW_HEIGHT * len(bars),
        "autosize": {"type": "none"},
        "padding": {"left": NAME_WIDTH, "right": FIGURE_WIDTH, "top": 2, "bottom": AXIS_HEIGHT},
        "config": {
            "aria": False,
            "font": "sans-serif",
            "background": "transparent",
            "axis": {"labelFontSize": 13, "labelColor": SOFT},
            "axisY": {"labelColor": INK},
            "view": {"stroke": None},
        },
    }
    return str(vl_convert.vegalite_to_svg(chart))


def _layers(bars: Sequence[Bar], colours: Mapping[str, str]) -> list[dict[str, Any]]:
    """The bars, the figure at the end of each, and a mark on those that have one."""
    rows = [
        {"bar": bar.code, "part": part, "order": order, "length": float(bar.parts.get(part, 0))}
        for bar in bars
        for order, part in enumerate(colours)
    ]
    ends = [
        {"bar": bar.code, "end": float(sum(bar.parts.values())), "text": bar.figure} for bar in bars
    ]
    marks = [{"bar": bar.code, "mark": bar.mark} for bar in bars if bar.mark is not None]
    y = {
        "field": "bar",
        "type": "nominal",
        "sort": [bar.code for bar in bars],
        "title": None,
        "axis": BARE | {"labelPadding": 8, "labelLimit": 0, "labelOverlap": False},
    }
    lengths = {"tickCount": 5, "format": "~f", "labelFlush": False, "gridColor": "#e3e8ed"}
    scale = {"domain": list(colours), "range": list(colours.values())}
    layers: list[dict[str, Any]] = [
        {
            "data": {"values": rows},
            "mark": {"type": "bar", "height": 13},
            "encoding": {
                "y": y,
                "x": {
                    "field": "length",
                    "type": "quantitative",
                    "title": None,
                    "axis": BARE | lengths,
                },
                "color": {"field": "part", "type": "nominal", "legend": None, "scale": scale},
                "order": {"field": "order", "type": "quantitative"},
            },
        },
        {
            "data": {"values": ends},
            "mark": {"type": "text", "align": "left", "dx": 6, "fontSize": 13, "color": INK},
            "encoding": {
                "y": y,
                "x": {"field": "end", "type": "quantitative"},
                "text": {"field": "text", "type": "nominal"},
            },
        },
    ]
    if marks:
        layers.append(
            {
                "data": {"values": marks},
                "mark": {"type": "tick", "thickness": 2, "height": 17, "color": INK},
                "encoding": {"y": y, "x": {"field": "mark", "type": "quantitative"}},
            }
        )
    return layers


def worded(
    drawn: str, identity: str, title: str, description: str, names: Mapping[str, str]
) -> Markup:
    """A drawn chart as an inline image with a title and a description.

    Args:
        drawn: from `draw`.
        identity: unique on the page; the ids of title and description begin with it.
        title: what the chart shows.
        description: what can be seen in it; figures belong in the table.
        names: names in the page's language by code.
    """
    root = etree.fromstring(drawn.encode())
    for text in root.iter(f"{SVG}text"):
        if text.text:
            text.text = _fitted(names.get(text.text, text.text))
    width, height = root.get("width"), root.get("height")
    etree.strip_attributes(root, "aria-roledescription", "aria-hidden", "role", "class")
    for attribute in tuple(root.attrib):
        del root.attrib[attribute]
    root.attrib.update(
        {
            "viewBox": f"0 0 {width} {height}",
            "role": "img",
            "class": "chart",
            "aria-labelledby": f"{identity}-title",
            "aria-describedby": f"{identity}-desc",
        }
    )
    for position, (tag, words) in enumerate((("title", title), ("desc", description))):
        element = etree.Element(f"{SVG}{tag}", id=f"{identity}-{tag}")
        element.text = words
        root.insert(position, element)
    # lxml has escaped the text; no name is inserted as markup.
    return Markup(etree.tostring(root, encoding="unicode"))  # noqa: S704


def trend(history: Sequence[Mapping[str, Any]], identity: str, title: str) -> Markup:
    """The index over quarters as a line. There is one per unit, so it is drawn without Vega-Lite.

    Args:
        history: a unit's rows of `hotline_unit_quarter`, the oldest first, at least two.
        identity: unique on the page.
        title: what the line shows.
    """
    values = [(row["quarter"], row["composite_index"]) for row in history]
    width, height, margin = 420, 130, 34
    lowest = min(value for _, value in values)
    spread = max(value for _, value in values) - lowest or Decimal(1)
    step = Decimal(width - 2 * margin) / (len(values) - 1)
    # Labels must not touch each other: at most eight of them.
    every = -(-len(values) // 8)
    points = [
        (
            f"{margin + step * place:.1f}",
            f"{height - 40 - (value - lowest) / spread * (height - 75):.1f}",
            quarter if (len(values) - 1 - place) % every == 0 else "",
            index(value),
        )
        for place, (quarter, value) in enumerate(values)
    ]
    line = " ".join(f"{x},{y}" for x, y, _, _ in points)
    pieces: list[Markup] = [
        Markup(
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}" role="img" '
            'class="chart" aria-labelledby="{}"><title id="{}">{}</title>'
            '<polyline points="{}" fill="none" stroke="{}" stroke-width="2"/>'
        ).format(width, height, identity, identity, title, line, PALETTE[2])
    ]
    pieces += [
        Markup(
            '<circle cx="{x}" cy="{y}" r="4" fill="{colour}"/>'
            '<text x="{x}" y="{y}" dy="-10" text-anchor="middle" font-size="13">{figure}</text>'
            '<text x="{x}" y="{bottom}" text-anchor="middle" font-size="12" fill="{soft}">'
            "{quarter}</text>"
        ).format(
            x=x,
            y=y,
            colour=PALETTE[2],
            soft=SOFT,
            figure=figure if quarter else "",
            bottom=height - 10,
            quarter=quarter,
        )
        for x, y, quarter, figure in points
    ]
    return Markup("").join([*pieces, Markup("</svg>")])


def _fitted(name: str) -> str:
    """A name that fits beside the bars; a full-width character takes two places."""
    taken = 0
    for position, character in enumerate(name):
        taken += 1 if character.isascii() else 2
        if taken > ROOM:
            return name[: position - 1] + "…"
    return name
