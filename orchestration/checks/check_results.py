"""The append-only table `audit.check_result`: every check of every run, passes included."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from orchestration.catalogue.tables import reader_tables
from orchestration.common.settings import Home, expectation_suites
from orchestration.warehouse.connection import connect, insert_rows, is_built, query, time_on_record
from orchestration.warehouse.provenance import code_version

# The layer of the checks that are groups of controls.
RECONCILIATION = "reconciliation"
Severity = Literal["error", "warn"]


@dataclass(frozen=True)
class CheckResult:
    """The result of one check. `failing_count` counts rows; it is 1 if a check isn't about rows.

    `rows` holds the first failing rows as (file name, row number), if the check knows them.
    """

    check_name: str
    layer: str
    severity: Severity
    passed: bool
    failing_count: int
    rows: tuple[tuple[str, int], ...] = ()


def record(
    home: Home,
    run_id: str,
    quarter: str,
    input_sha256: str,
    checked_sha256: str,
    results: Iterable[CheckResult],
) -> None:
    """Append results to `audit.check_result`; `gate` defines what the two hashes cover."""
    with connect(home) as connection:
        connection.execute("create schema if not exists audit")
        connection.execute(reader_tables()["audit", "check_result"].create_statement)
        now = time_on_record(connection, run_id)
        rows = [
            (
                run_id,
                quarter,
                result.check_name,
                result.layer,
                result.severity,
                result.passed,
                result.failing_count,
                input_sha256,
                code_version(),
                now,
                checked_sha256,
            )
            for result in results
        ]
        insert_rows(connection, "audit.check_result", rows)


# The demands of checks that are neither dbt tests nor expectations.
OWN = {
    "no_unmapped_unit": "所有单位名称都在别名表 unit_alias 中",
    "restated_without_reason": "与上一版不同时以 --reason 说明原因",
}


def meanings(manifest: Mapping[str, Any]) -> dict[str, str]:
    """What each check demands, in Chinese, by name: dbt tests, expectations and `OWN`.

    A dbt test has the description in the YAML, else a phrase on what its generic test demands of
    which table.
    """
    words = {
        node["name"]: node["description"] or _demand(node, manifest)
        for node in manifest["nodes"].values()
        if node.get("resource_type") == "test"
    }
    for suite, path in expectation_suites().items():
        for expectation in json.loads(path.read_text(encoding="utf-8"))["expectations"]:
            meta = expectation["meta"]
            words[f"{suite}.{meta['id']}"] = meta["reason"]
    return words | OWN


def _demand(node: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    test = node.get("test_metadata") or {}
    terms = test.get("kwargs", {})
    owner = manifest["nodes"].get(node.get("attached_node"), {})
    label = re.split("[，；：。]", owner.get("description", ""))[0]
    table = f"{owner.get('name', '')}（{label}）"
    key = "、".join(terms.get("columns") or terms.get("key") or [])
    column = terms.get("column_name", "")
    return {
        "unique_combination": f"{table}中 {key} 相同的只有一行",
        "periods_do_not_overlap": f"{table}中{key or '各行'}的有效期不重叠，也不早于开始就结束",
        "relationships": f"{table}的 {column} 都在 {terms.get('to')} 中",
        "accepted_values": f"{table}的 {column} 只取 {terms.get('values')}",
        "not_null": f"{table}的 {column} 不为空",
        "weights_sum_to_one": f"{table}中各方案的权重之和为 1",
        "holds": f"{table}的每一行满足 {terms.get('expression')}",
    }.get(test.get("name", ""), "")


def from_dbt(run_results: Mapping[str, Any], manifest: Mapping[str, Any]) -> list[CheckResult]:
    """The results of the dbt tests in a `run_results.json`, in its order.

    A test that didn't run because something upstream failed counts as failed: a check that never
    ran can't allow a publication.
    """
    results = []
    for entry in run_results["results"]:
        node = manifest["nodes"].get(entry["unique_id"], {})
        if node.get("resource_type") != "test":
            continue
        passed = entry["status"] == "pass"
        results.append(
            CheckResult(
                check_name=node["name"],
                layer="dbt",
                severity="warn" if node["config"]["severity"].lower() == "warn" else "error",
                passed=passed,
                failing_count=0 if passed else int(entry["failures"] or 1),
            )
        )
    return results


def failures(home: Home, run_id: str) -> list[dict[str, Any]]:
    """The blocking checks that failed in a run, by name."""
    if not is_built(home, "audit.check_result"):
        return []
    return query(
        home,
        "select check_name, layer, failing_count from audit.check_result "
        "where run_id = ? and not passed and severity = 'error' order by layer, check_name",
        [run_id],
    )


def latest(home: Home, quarter: str, checked: Sequence[str]) -> list[dict[str, Any]]:
    """The last result of each check of a quarter on data with one of the given hashes."""
    if not is_built(home, "audit.check_result"):
        return []
    return query(
        home,
        "select layer, check_name, severity, passed, checked_sha256 from audit.check_result "
        "where quarter = ? and list_contains(?::varchar[], checked_sha256) "
        "qualify row_number() over (partition by layer, check_name, checked_sha256 "
        "order by checked_at desc, rowid desc) = 1",
        [quarter, list(checked)],
    )
