"""What Dagster loads: the assembly of assets, checks, job, schedule, sensor and resources."""

import dagster as dg

from orchestration.defs.alerts import run_failed
from orchestration.defs.audit_report import audit_report
from orchestration.defs.automation import after_quarter_end, exports_changed, quarterly_job
from orchestration.defs.bulletin import published_bulletin
from orchestration.defs.checks import (
    mart_expectations,
    raw_expectations,
    recomputed,
    reconciliation_gate,
)
from orchestration.defs.dbt import dbt_models
from orchestration.defs.ingest import raw_assets, raw_scope
from orchestration.defs.postgres import published_postgres
from orchestration.defs.publish import published_marts
from orchestration.defs.resources import Workspace
from orchestration.defs.site import published_site
from orchestration.publish.tables.postgres import postgres_url

# Where no database is named there is nothing to publish to, and nothing for people to wonder about.
in_postgres = [published_postgres] if postgres_url() else []

defs = dg.Definitions(
    assets=[
        *raw_assets,
        raw_scope,
        dbt_models,
        published_marts,
        published_bulletin,
        published_site,
        audit_report,
        *in_postgres,
    ],
    asset_checks=[raw_expectations, mart_expectations, recomputed, reconciliation_gate],
    jobs=[quarterly_job],
    schedules=[after_quarter_end],
    sensors=[exports_changed, run_failed],
    # One step after another in one process: the working warehouse has one writer.
    executor=dg.in_process_executor,
    resources={"workspace": Workspace()},
)
