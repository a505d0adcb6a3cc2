"""Compares units: whether a unit's index can be judged, and in which order units are listed."""

from decimal import Decimal
from typing import NamedTuple

from orchestration.publish.disclosure import HIDDEN
from orchestration.publish.pages.figures import Figures, Group, Unit
from orchestration.publish.pages.words import SiteSettings
from orchestration.publish.small_counts import Row


class Standing(NamedTuple):
    """Whether a unit's index can be judged: `judged`, `few` items, `withheld`, `unrated` (none)."""

    code: str
    chinese: str
    english: str


JUDGED = Standing("judged", "", "")
FEW = Standing("few", "样本太少", "Too few to judge")
WITHHELD = Standing("withheld", "不公布", "Withheld")
UNRATED = Standing("unrated", "不参评", "Not rated")


def standing(unit: Unit, settings: SiteSettings) -> Standing:
    """The standing of a unit on the hotline; a unit with few items isn't judged like the others."""
    if unit.hotline is None or not unit.hotline["is_rated"]:
        return UNRATED
    if unit.hotline["composite_index"] is HIDDEN:
        return WITHHELD
    fewest = min(row["denominator"] for row in unit.components)
    return JUDGED if fewest >= settings.judged_from else FEW


def ranked(figures: Figures, settings: SiteSettings, group: Group) -> list[Unit]:
    """A group's units: the judged, those with few items, those withheld, those not rated.

    The first two are sorted by index, as ranks are; the others are in the office's order.
    """
    order = (JUDGED, FEW, WITHHELD, UNRATED)
    found = [unit for unit in figures.units if unit.hotline and unit.group == group]
    places = {unit.code: place for place, unit in enumerate(found)}

    def key(unit: Unit) -> tuple[int, Decimal, int, int]:
        row = unit.hotline or {}
        how = standing(unit, settings)
        index, due = (
            (row["composite_index"], row["due_count"]) if how in (JUDGED, FEW) else (Decimal(), 0)
        )
        return (order.index(how), -index, -due, places[unit.code])

    return sorted(found, key=key)


def lost(component: Row) -> Decimal:
    """The points that a unit lost on a component: the most that it can give, less those it gave."""
    return Decimal(100 * component["weight"] - component["points"])
