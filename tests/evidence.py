"""Evidence for tests that publish what no run has checked."""

from orchestration.checks.check_results import CheckResult
from orchestration.common.settings import Home
from orchestration.publish import gate


def record_as_passed(home: Home, quarter: str) -> None:
    """Record every result that the gate demands as passed, for the candidate as it is."""
    results = {name: CheckResult(name[1], name[0], "error", True, 0) for name in gate.required()}
    by_layer: dict[str, list[CheckResult]] = {}
    for result in results.values():
        by_layer.setdefault(result.layer, []).append(result)
    gate.record_raw(home, "test", quarter, by_layer.pop("raw"))
    rows, _ = gate.judge_controls(home, quarter)
    gate.record_controls(home, "test", quarter, rows, by_layer.pop("reconciliation"))
    for others in by_layer.values():
        gate.record(home, "test", quarter, others)
