"""Reads the data of the audit report from one run: controls, balances, files, versions, rows.

Nothing is computed here: every figure is a cell of schema `audit` or `marts`, or a count of the
source rows behind one. For a publication, everything but the rules comes from the published copy.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import duckdb

from orchestration.catalogue.measures import (
    BUSINESS_ID,
    COUNTS,
    INDEX,
    SATISFACTION,
    channel_counts,
)
from orchestration.checks.reconciliation import GroupSummary, summarise
from orchestration.common.settings import Home
from orchestration.publish.audit.published import DISTRICT
from orchestration.publish.bulletin.model import group_labels
from orchestration.publish.publication_log import last_publication
from orchestration.publish.published_tables import readers_parquet, use_copy
from orchestration.warehouse.connection import connect, quoted

Row = dict[str, Any]
# The most source rows per channel on a unit's page; `hotline trace --csv` gives all of them.
LISTED_ROWS = 1000
# What each control group compares, in the order of the data flow; a new group shows its code.
GROUP_LABELS = {
    "file_to_raw": "文件 → 原始层",
    "raw_to_staging": "原始层 → 暂存层（行数平衡）",
    "staging_to_fact": "暂存层 → 事实表",
    "fact_to_mart": "事实表 → 集市",
    "unit_to_district": "各单位之和 → 全区",
    "breakdown_to_total": "分项之和 → 合计",
    "bound": "部分不超过整体",
    "rate": "比率重算",
    "index": "综合指标值重算",
    "published": "集市 → 通报数字",
    "bulletin_self": "通报自身一致",
    "quarter_to_quarter": "本季度 → 上季度",
    "version_to_version": "已发布的上一版 → 现在的集市",
    "plausibility": "让位的行、空列、应办理数 → 契约的界限、其他已发布季度",
}
# Controls that don't hold come first.
STATUS_ORDER = {"explained": 1, "match": 2}
SEVERITY_LABELS = {"error": "阻断", "warn": "警示"}
TOPICS = ("ticket_count", "share", "quarter_on_quarter_change")
PLACES = {
    "district": DISTRICT,
    "hotline": "热线",
    "mailbox": "信箱",
    "suggestion": "微建议",
    "suggestion_year": "去年微建议",
    "appendix_1": "附件1",
    "appendix_2": "附件2",
    "appendix_3": "附件3",
    "fct_ticket": "工单事实表",
    "fct_callback": "回访事实表",
    "fct_letter": "信件事实表",
    "fct_suggestion_assignment": "微建议交办事实表",
}


@dataclass(frozen=True)
class Evidence:
    """The results of one run for a quarter; each list is in a fixed order."""

    quarter: str
    is_published: bool
    run_id: str
    rows: list[Row]
    summaries: list[GroupSummary]
    controls: list[Row]
    discrepancies: list[Row]
    balances: list[Row]
    files: list[Row]
    rejections: list[Row]
    publications: list[Row]
    restatements: list[Row]
    checks: list[Row]
    failed_checks: list[Row]
    units: list[Row]


@dataclass(frozen=True)
class SourceRows:
    """The source rows behind a unit's counts in a channel.

    `rows` holds (file's SHA-256, row number, business id, names of the row's counts), at most
    `LISTED_ROWS`; `totals` holds the number of all rows of each count.
    """

    rows: list[tuple[str, int, str, frozenset[str]]] = field(default_factory=list)
    totals: dict[str, int] = field(default_factory=dict)


class Reader:
    """Reads the evidence of a quarter; see `opened`."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        rules: str,
        quarter: str,
        stopped_run: str | None,
        published_run: str,
    ) -> None:
        self._published_run = published_run
        self._connection = connection
        self._rules = rules
        self._quarter = quarter
        self._stopped_run = stopped_run
        self._is_published = stopped_run is None

    def evidence(self) -> Evidence | None:
        """The run's results for the quarter; None if it reconciled nothing."""
        run_id = self._stopped_run or self._published_run
        units = self._units()
        rows = self._control_rows(run_id, {unit["unit_code"]: unit["label"] for unit in units})
        if not rows:
            return None
        return Evidence(
            quarter=self._quarter,
            is_published=self._is_published,
            run_id=run_id,
            rows=rows,
            summaries=sorted(summarise(rows), key=lambda group: _place(group.control_group)),
            controls=self._controls(rows),
            discrepancies=self._discrepancies(rows),
            balances=self._all(
                "select balance.*, file_name from audit.row_balance as balance "
                "join audit.source_file using (file_sha256, quarter, source) "
                "where quarter = $quarter and superseded_by is null order by source, file_name"
            ),
            files=self._all(
                "select * from audit.source_file where quarter = $quarter "
                "order by superseded_by is not null, source, file_name, received_at"
            ),
            rejections=self._all(
                "select file_name, reason_code, severity, count(*) as row_count "
                # A workbook may hold several sources; `distinct` keeps one name per hash.
                "from audit.rejected_row join (select distinct file_sha256, file_name "
                "from audit.source_file where quarter = $quarter and superseded_by is null) "
                "using (file_sha256) group by all order by all"
            ),
            publications=self._told("publication", "version desc"),
            restatements=self._told(
                "restatement", "version desc, table_name, unit_code, measure, old_value"
            ),
            checks=self._all(
                "select layer, severity, count(*) as total, "
                "count(*) filter (where passed) as passed from audit.check_result "
                "where run_id = $run_id group by all order by all",
                run_id=run_id,
            ),
            failed_checks=self._all(
                "select check_name, layer, severity, failing_count from audit.check_result "
                "where run_id = $run_id and not passed order by severity, layer, check_name",
                run_id=run_id,
            ),
            units=units,
        )

    def mart_rows(self, mart: str) -> dict[str, list[Row]]:
        """The quarter's rows of a mart by unit."""
        by_unit: dict[str, list[Row]] = {}
        found = self._all(f"select * from marts.{mart} where quarter = $quarter order by all")  # noqa: S608 (our own names)
        for row in found:
            by_unit.setdefault(row["unit_code"], []).append(row)
        return by_unit

    def source_rows(self, channel: str) -> dict[str, SourceRows]:
        """The source rows behind the counts of a channel, by unit."""
        names: dict[str, list[str]] = {}
        for name, count in COUNTS.items():
            if name.rpartition(".")[0] == channel.rstrip("."):
                names.setdefault(count.fact, []).append(name)
        found: dict[str, dict[tuple[str, int, str], set[str]]] = {}
        totals: dict[str, dict[str, int]] = {}
        for fact, counts in names.items():
            flags = [COUNTS[name].flag for name in counts]
            place = f"file_sha256, row_number, {BUSINESS_ID[fact]}"
            # Each fact's first rows in the order of the merged list, so that its start is complete.
            for unit, first in self._tuples(
                f"select unit_code, min(row({place}, {', '.join(flags)}), {LISTED_ROWS}) "  # noqa: S608 (our own names)
                f"from {fact} where {' or '.join(flags)} group by unit_code"
            ):
                for sha256, number, business_id, *held in first:
                    key = (sha256, number, business_id)
                    own = found.setdefault(unit, {}).setdefault(key, set())
                    own.update(name for name, is_held in zip(counts, held, strict=True) if is_held)
            sums = ", ".join(f"count(*) filter (where {flag})" for flag in flags)
            for unit, *numbers in self._tuples(
                f"select unit_code, {sums} from {fact} group by all"  # noqa: S608 (our own names)
            ):
                totals.setdefault(unit, {}).update(zip(counts, numbers, strict=True))
        return {
            unit: SourceRows(
                [(*key, frozenset(held)) for key, held in sorted(rows.items())][:LISTED_ROWS],
                totals[unit],
            )
            for unit, rows in found.items()
        }

    def _units(self) -> list[Row]:
        """The quarter's units; the label of a shared name has the group added."""
        units = self._all(
            "select *, count(*) over (partition by unit_name) > 1 as is_shared_name "
            "from marts.unit_quarter where quarter = $quarter "
            "order by evaluation_group nulls last, total_due_count desc, unit_code"
        )
        labels = group_labels()
        for unit in units:
            group = unit["evaluation_group"]
            unit["group_label"] = labels.get(group, group) or "不参加热线评价"
            unit["label"] = unit["unit_name"]
            if unit["is_shared_name"]:
                unit["label"] += f"（{unit['group_label']}）"
        return units

    def _control_rows(self, run_id: str, units: Mapping[str, str]) -> list[Row]:
        """Each control of the run with what it compares, what explains it, how to trace it."""
        rows = self._all(
            "select found.*, compares, control.owner, discrepancy_id, "  # noqa: S608 (our own names)
            "known.evidence, known.owner as discrepancy_owner, recorded_on, expires_on, mart "
            "from audit.reconciliation as found "
            f"left join {self._rules}.control as control using (control_id) "
            f"left join {self._rules}.known_discrepancy as known "
            "on found.status = 'explained' and known.quarter = found.quarter "
            "and known.control_id = found.control_id and known.subject = found.subject "
            "and known.measure = found.measure "
            f"left join (select control_id, min(mart) as mart from {self._rules}.published_measure "
            "group by all) as shown on shown.control_id = found.control_id "
            "where found.run_id = $run_id and found.quarter = $quarter "
            "order by found.control_id, found.subject, found.measure",
            run_id=run_id,
        )
        rows.sort(
            key=lambda row: (STATUS_ORDER.get(row["status"], 0), _place(row["control_group"]))
        )
        topics = {
            row["code"]: row["label"]
            for row in self._all(
                f"select request_type as code, label from {self._rules}.request_type "  # noqa: S608 (our own names)
                f"union all select category, label from {self._rules}.category"
            )
        }
        for row in rows:
            # A category may have a unit's code.
            is_topic = row["measure"].rpartition(".")[2] in TOPICS
            row["unit"] = row["subject"] if row["subject"] in units and not is_topic else ""
            known = {**PLACES, **units, **(topics if is_topic else {})}
            row["subject_label"] = known.get(row["subject"], row["subject"])
            row["trace"] = _trace(row) if self._is_published else ""
        return rows

    def _controls(self, rows: Sequence[Row]) -> list[Row]:
        """Every control with its counts by status in the run; a control may have no rows."""
        controls = self._all(
            f"select * from {self._rules}.control order by control_id"  # noqa: S608 (our own names)
        )
        controls.sort(key=lambda control: _place(control["control_group"]))
        by_control = summarise([row | {"control_group": row["control_id"]} for row in rows])
        found = {summary.control_group: summary for summary in by_control}
        nothing = GroupSummary("", 0, 0, 0, 0, 0, 0)
        return [
            control | {"found": found.get(control["control_id"], nothing)} for control in controls
        ]

    def _discrepancies(self, rows: Sequence[Row]) -> list[Row]:
        known = self._all(
            f"select * from {self._rules}.known_discrepancy where quarter = $quarter "  # noqa: S608 (our own names)
            "order by discrepancy_id"
        )
        used = {row["discrepancy_id"] for row in rows}
        return [row | {"is_used": row["discrepancy_id"] in used} for row in known]

    def _told(self, table: str, order: str) -> list[Row]:
        """The quarter's rows of a table that the first publication creates; none before that."""
        if not self._all(
            "select 1 from duckdb_tables() where database_name = current_database() "
            "and schema_name = 'audit' and table_name = $table",
            table=table,
        ):
            return []
        return self._all(f"select * from audit.{table} where quarter = $quarter order by {order}")  # noqa: S608 (our own names)

    def _all(self, sql: str, **parameters: str) -> list[Row]:
        known = {"quarter": self._quarter} | parameters
        used = {name: value for name, value in known.items() if f"${name}" in sql}
        cursor = self._connection.execute(sql, used)
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def _tuples(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql).fetchall()


@contextmanager
def opened(home: Home, quarter: str, stopped_run: str | None = None) -> Iterator[Reader]:
    """A reader of the published copy, or of the working warehouse after a stopped run.

    The rules (controls, known discrepancies, labels) are those of the working warehouse.
    """
    is_published = stopped_run is None
    with connect(home) as connection:
        working = home.warehouse.stem
        if is_published:
            use_copy(connection, home)
        for fact in BUSINESS_ID:
            source = f"(from {working}.facts.{fact} where quarter = '{quarter}')"
            if is_published:
                source = f"read_parquet('{quoted(readers_parquet(home, quarter, fact))}')"
            connection.execute(f"create or replace temp view {fact} as from {source}")
        last = last_publication(home, quarter)
        published_run = last.run_id if last else ""
        yield Reader(connection, f"{working}.rules", quarter, stopped_run, published_run)


def _place(group: str) -> tuple[int, str]:
    """A control group's position in the data flow; a new group comes last."""
    known = list(GROUP_LABELS)
    return (known.index(group) if group in known else len(known), group)


def _trace(row: Row) -> str:
    """The command that lists the rows behind a control's figure; empty if there is none."""
    about = row["mart"] or row["control_id"]
    measure = row["measure"].replace("_excess_count", "_count")  # the count that is too large
    channels = channel_counts()
    prefix = next((prefix for prefix in channels if prefix and prefix.rstrip(".") in about), "")
    if row["subject"] == "district":
        unit, known = DISTRICT, {*channels[""].measures, *SATISFACTION, INDEX}
    else:
        unit, known = row["unit"], {*channels[prefix].measures, *(() if prefix else (INDEX,))}
    if not unit or measure not in known:
        return ""
    return f"hotline trace {row['quarter']} --unit {unit} --measure {prefix}{measure}"
