"""The marts for the public: the bulletin and the pages read marts only through this module.

Rows come from the readers' Parquet, which holds the latest published version of every quarter. If
the site has a threshold for small counts, the figures that must be hidden are masked.
"""

from collections import defaultdict
from typing import Any

import duckdb

from orchestration.catalogue.tables import channel_of, mart_names
from orchestration.common.privacy import load_privacy_settings
from orchestration.common.settings import Home
from orchestration.publish.disclosure import HIDDEN, mask
from orchestration.publish.published_tables import readers_parquet
from orchestration.publish.small_counts import Row
from orchestration.warehouse.connection import query

Marts = dict[str, list[Row]]


class PublicMarts:
    """The marts of a published quarter and their history; rows are in a total order."""

    def __init__(self, home: Home, quarter: str) -> None:
        self._home = home
        self.threshold = load_privacy_settings().small_count_threshold
        """The least count of a unit or a topic that is shown; None: all are."""
        self._whole = self._read(quarter, mart_names())[quarter]
        self._shown = self._masked(self._whole)

    def rows(self, mart: str) -> list[Row]:
        """The quarter's rows of a mart."""
        return self._shown[mart]

    def total(self, mart: str) -> Row:
        """A mart's counts, summed over its rows; hidden if the district's totals are."""
        counts: defaultdict[str, Any] = defaultdict(int)
        for row in self._whole[mart]:
            for name, value in row.items():
                if name.endswith("_count"):
                    counts[name] += value
        channel = channel_of(mart)
        is_hidden = any(
            row["channel"] == channel and row["assignment_count"] is HIDDEN
            for row in self._shown["channel_quarter"]
        )
        return dict.fromkeys(counts, HIDDEN) if is_hidden else counts

    def history(self, mart: str) -> list[Row]:
        """A mart's rows of every published quarter, the oldest quarter first."""
        marts = mart_names() if self.threshold else [mart]
        found = self._read("*", marts)
        return [row for quarter in sorted(found) for row in self._masked(found[quarter])[mart]]

    def _masked(self, marts: Marts) -> Marts:
        return mask(marts, self.threshold) if self.threshold else marts

    def _read(self, quarters: str, marts: list[str]) -> dict[str, Marts]:
        """Rows by quarter and mart; `quarters` is one quarter or `*`."""
        found: defaultdict[str, Marts] = defaultdict(lambda: {mart: [] for mart in marts})
        with duckdb.connect() as connection:
            for mart in marts:
                cursor = connection.execute(
                    "from read_parquet(?, union_by_name => true, hive_partitioning => false) "
                    "order by all",
                    [str(readers_parquet(self._home, quarters, mart))],
                )
                names = [column[0] for column in cursor.description or []]
                for values in cursor.fetchall():
                    row: dict[str, Any] = dict(zip(names, values, strict=True))
                    found[row["quarter"]][mart].append(row)
        return found


def unit_places(home: Home, quarter: str) -> dict[str, int]:
    """The position of each unit in the office's list of units, by code."""
    rows = query(
        home,
        "select unit_code from dimensions.dim_unit where quarter = ? "
        "order by display_order nulls last, unit_code",
        [quarter],
    )
    return {row["unit_code"]: place for place, row in enumerate(rows)}
