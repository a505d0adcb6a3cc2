"""Ingest a quarter and build it on the engine that `HOTLINE_ENGINE` names, without Dagster.

For a million tickets: only what an engine does differs, and the rest takes longer than it.
Usage: build_quarter.py HOME EXPORTS QUARTER
"""

import sys
import time
import uuid
from pathlib import Path

from orchestration.common.quarters import Quarter
from orchestration.common.settings import Home, contracts_root, engine
from orchestration.ingest.lake import ingest_source
from orchestration.reading.contracts import load_contracts
from orchestration.warehouse import spark
from orchestration.warehouse.dbt import build, parse_project
from orchestration.warehouse.raw_schema import register_raw


def main(home: Home, exports: Path, quarter: Quarter) -> None:
    """Build; exits with what failed, if anything."""
    contracts = load_contracts(contracts_root())
    home.scratch.mkdir(parents=True, exist_ok=True)
    for source in contracts:
        ingest_source(home, exports, quarter, contracts, source)
    register_raw(home, quarter, str(uuid.uuid4()), contracts)
    manifest = parse_project(engine())
    started = time.perf_counter()
    result = {"duckdb": build, "spark": spark.build}[engine()](home, manifest, lambda _: None)
    print(f"{engine()}: {time.perf_counter() - started:.0f} s")
    broken = [
        f"{entry['unique_id']}: {entry['message']}"
        for entry in result.run_results["results"]
        if entry["status"] in ("error", "fail")
    ]
    sys.exit("\n".join([*broken, *([str(result.exception)] if result.exception else [])]) or None)


if __name__ == "__main__":
    main(Home(Path(sys.argv[1]).resolve()), Path(sys.argv[2]), Quarter.parse(sys.argv[3]))
