"""Reads the published figures that the pages show, as they are in the marts, without computing."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from orchestration.checks.reconciliation import GroupSummary
from orchestration.common.quarters import Quarter
from orchestration.common.settings import Home
from orchestration.publish.bulletin.model import group_labels
from orchestration.publish.disclosure import HIDDEN, largest_first
from orchestration.publish.headline import percent
from orchestration.publish.pages.render import count, index
from orchestration.publish.public_marts import PublicMarts, unit_places
from orchestration.publish.publication_log import read_log
from orchestration.publish.small_counts import Row
from orchestration.publish.versions import manifests, published_manifest
from orchestration.warehouse.connection import query

# Quarters of a unit's history (three years): pages would otherwise grow with every quarter.
SHOWN_QUARTERS = 12
UNIT_MARTS = (
    "hotline_unit_quarter",
    "index_component_unit_quarter",
    "mailbox_unit_quarter",
    "mailbox_unit_mailbox_quarter",
    "suggestion_unit_quarter",
)


@dataclass(frozen=True)
class Group:
    """An evaluation group; `code` is empty for units that aren't evaluated on the hotline."""

    code: str
    label: str


@dataclass(frozen=True)
class Unit:
    """A unit's figures in a quarter; a channel in which it had nothing due is None or empty."""

    code: str
    name: str
    group: Group
    is_shared_name: bool
    total: Row
    hotline: Row | None
    components: list[Row]
    mailbox: Row | None
    mailboxes: list[Row]
    suggestion: Row | None
    history: list[Row]
    """Its last rows of `hotline_unit_quarter` up to this quarter, the oldest first."""


@dataclass(frozen=True)
class Publication:
    """The latest version of a quarter, and the row of the district."""

    quarter: Quarter
    version: int
    published_at: datetime
    district: Row
    reconciliation: GroupSummary
    """All controls of the last run that published the quarter."""


@dataclass(frozen=True)
class Figures:
    """Everything that the pages of a quarter show."""

    publications: list[Publication]
    """All published quarters, the oldest first."""
    publication: Publication
    previous: Publication | None
    policy: list[Row]
    """The scored items of the index policy, in its order."""
    groups: list[Group]
    units: list[Unit]
    channels: list[Row]
    categories: list[Row]
    """With their labels; most tickets first, the row of tickets without a category last."""
    request_types: list[Row]
    threshold: int | None
    """The least count of a unit or a topic that is shown; None: all are."""

    @property
    def quarter(self) -> Quarter:
        """The quarter that the pages are about."""
        return self.publication.quarter


def read_figures(home: Home, quarter: str) -> Figures:
    """Read a quarter in the run that published it.

    Names and order come from the working warehouse, which has the dated rules of the run's quarter.

    Raises:
        InputError: the quarter isn't published.
        LookupError: the working warehouse holds another quarter.
    """
    published_manifest(home, quarter)
    policy = query(
        home,
        "select * from dimensions.dim_index_item where quarter = ? order by display_order",
        [quarter],
    )
    if not policy:
        raise LookupError(f"the working warehouse doesn't stand at {quarter}")
    return _figures(home, quarter, PublicMarts(home, quarter), policy)


def shown(row: Row, measure: str) -> str:
    """A figure of a mart as the pages print it: `307`, `27.85%`, `95.0`; a dash if none."""
    value = row[measure]
    if value is HIDDEN:
        return str(HIDDEN)
    if measure.endswith(("rate", "share", "change", "weight")):
        return percent(value)
    if measure.endswith("index"):
        return index(value)
    return count(value)


def _figures(home: Home, quarter: str, marts: PublicMarts, policy: list[Row]) -> Figures:
    groups = {code: Group(code, label) for code, label in group_labels().items()}
    items = [item["component"] for item in policy]
    units = list(_units(marts, groups, unit_places(home, quarter), items))
    publications = _publications(home, marts)
    this = next(p for p in publications if str(p.quarter) == quarter)
    return Figures(
        publications=publications,
        publication=this,
        previous=next((p for p in publications if p.quarter == this.quarter.previous), None),
        policy=policy,
        groups=_in_order(groups, units),
        units=units,
        channels=marts.rows("channel_quarter"),
        categories=_labelled(home, marts, "hotline_category_quarter", "category", "other"),
        request_types=_labelled(
            home, marts, "hotline_request_type_quarter", "request_type", "untyped"
        ),
        threshold=marts.threshold,
    )


def _publications(home: Home, marts: PublicMarts) -> list[Publication]:
    latest = {entry["quarter"]: entry for entry in manifests(home)}
    reconciled = _reconciled(home)
    return [
        Publication(
            Quarter.parse(row["quarter"]),
            latest[row["quarter"]]["version"],
            datetime.fromisoformat(latest[row["quarter"]]["published_at"]),
            row,
            reconciled[row["quarter"]],
        )
        for row in marts.history("hotline_district_quarter")
    ]


def _reconciled(home: Home) -> dict[str, GroupSummary]:
    """The summary of all controls, by quarter, of the run whose build was published last."""
    last = {entry.quarter: entry.run_id for entry in read_log(home)}
    rows = query(
        home,
        "select quarter, count(*) as total, count(*) filter (where status = 'match') as matches, "
        "count(*) filter (where status = 'explained') as explained, "
        "count(distinct (subject, measure)) filter (where status = 'explained') as facts "
        "from audit.reconciliation where list_contains(?::varchar[], run_id) group by quarter",
        [list(last.values())],
    )
    return {
        row["quarter"]: GroupSummary(
            control_group="",
            total=row["total"],
            match=row["matches"],
            explained=row["explained"],
            broken=row["total"] - row["matches"] - row["explained"],
            blocking=0,  # otherwise the gate would have stopped it
            facts=row["facts"],
        )
        for row in rows
    }


def _in_order(groups: dict[str, Group], units: Iterable[Unit]) -> list[Group]:
    """The groups that have units on the hotline, in the settings' order, then others by code."""
    used = {unit.group for unit in units if unit.hotline}
    known = list(groups.values())
    return [group for group in known if group in used] + sorted(
        used - set(known), key=lambda group: group.code
    )


def _units(
    marts: PublicMarts, groups: dict[str, Group], places: dict[str, int], item_order: list[str]
) -> Iterable[Unit]:
    by_unit: dict[str, dict[str, list[Row]]] = {mart: {} for mart in UNIT_MARTS}
    for mart, found in by_unit.items():
        for row in marts.rows(mart):
            found.setdefault(row["unit_code"], []).append(row)
    history: dict[str, list[Row]] = {}
    for row in marts.history("hotline_unit_quarter"):
        history.setdefault(row["unit_code"], []).append(row)
    totals = marts.rows("unit_quarter")
    names = [row["unit_name"] for row in totals]
    for row in sorted(totals, key=lambda row: places[row["unit_code"]]):
        code, group = row["unit_code"], row["evaluation_group"] or ""
        hotline, components, mailbox, mailboxes, suggestion = (
            by_unit[mart].get(code, []) for mart in UNIT_MARTS
        )
        yield Unit(
            code=code,
            name=row["unit_name"],
            group=groups.get(group, Group(group, group)),
            is_shared_name=names.count(row["unit_name"]) > 1,
            total=row,
            hotline=hotline[0] if hotline else None,
            components=sorted(components, key=lambda one: item_order.index(one["component"])),
            mailbox=mailbox[0] if mailbox else None,
            mailboxes=mailboxes,
            suggestion=suggestion[0] if suggestion else None,
            history=[
                past
                for past in history.get(code, [])
                if Quarter.parse(past["quarter"]) <= Quarter.parse(row["quarter"])
            ][-SHOWN_QUARTERS:],
        )


def _labelled(home: Home, marts: PublicMarts, mart: str, key: str, rest: str) -> list[Row]:
    """A mart's rows with the labels of their codes; most tickets first, the code `rest` last."""
    known = {
        row[key]: row
        for row in query(home, f"select * from dimensions.dim_{key}")  # noqa: S608 (our own names)
    }
    rows = [row | {"code": row[key], "label": known[row[key]]["label"]} for row in marts.rows(mart)]
    return sorted(
        rows,
        key=lambda row: (
            row[key] == rest,
            largest_first(row["ticket_count"]),
            known[row[key]]["display_order"],
            row[key],
        ),
    )
