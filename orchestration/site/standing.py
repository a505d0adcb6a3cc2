"""How a unit stands: whether its index says something of it, and where it is listed."""

from decimal import Decimal
from typing import NamedTuple

from orchestration.site.figures import Figures, Group, Row, Unit
from orchestration.site.words import SiteSettings


class Standing(NamedTuple):
    """Whether a unit's index says something of it: `judged`, `few` items, or `unrated`: none."""

    code: str
    chinese: str
    english: str


JUDGED = Standing("judged", "", "")
FEW = Standing("few", "样本太少", "Too few to judge")
UNRATED = Standing("unrated", "不参评", "Not rated")


def standing(unit: Unit, settings: SiteSettings) -> Standing:
    """How a unit on the hotline is shown: a unit with few items isn't put among the others."""
    if unit.hotline is None or not unit.hotline["is_rated"]:
        return UNRATED
    fewest = min(row["denominator"] for row in unit.components)
    return JUDGED if fewest >= settings.judged_from else FEW


def ranked(figures: Figures, settings: SiteSettings, group: Group) -> list[Unit]:
    """A group's units: the judged by rank, then those with few items, then those with none."""
    order = (JUDGED, FEW, UNRATED)
    found = [unit for unit in figures.units if unit.hotline and unit.group == group]
    places = {unit.code: place for place, unit in enumerate(found)}

    def key(unit: Unit) -> tuple[int, int, int, int]:
        row = unit.hotline or {}
        place = order.index(standing(unit, settings))
        return (place, row["rank_in_group"] or 0, -row["due_count"], places[unit.code])

    return sorted(found, key=key)


def lost(component: Row) -> Decimal:
    """The points that a component costs a unit: what its weight would give, less what it gave."""
    return Decimal(100 * component["weight"] - component["points"])
