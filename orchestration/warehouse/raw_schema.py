"""Schema `raw`, the input of dbt: a run registers its scope, files, rules and lake views here.

What the models do with it doesn't belong here.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from orchestration.common.errors import InputError
from orchestration.common.quarters import Quarter
from orchestration.common.settings import Engine, Home, seeds_root
from orchestration.ingest.lake import LakeFile, all_files, current_files
from orchestration.lint.bulletin import Rules
from orchestration.lint.comparisons import control_rows
from orchestration.reading.columns import FILE_ORDER, LAKE_COLUMNS, canonical_columns
from orchestration.reading.contracts import Contract
from orchestration.reading.value_forms import written_rules
from orchestration.warehouse.connection import connect, insert_rows, query, quoted, time_on_record
from orchestration.warehouse.provenance import code_version

# The tables that `register_raw` writes into schema `raw`, besides the views on the lake.
SCOPE = (
    "run_scope",
    "source_file",
    "contract_value",
    "contract",
    "contract_bound",
    "bulletin_lint",
    "last_version_figure",
    "previous_open_item",
    "published_due",
)
# By fact table: the source, and the SQL expression that identifies an item that is due.
DUE_ITEMS = {
    "fct_ticket": ("ticket", "work_order_id"),
    "fct_letter": ("mailbox", "letter_id"),
    "fct_suggestion_assignment": ("suggestion", "suggestion_id || '/' || unit_code"),
}
# The columns that identify a mart's row within a quarter; a mart has one or two of them.
KEY_COLUMNS = ("unit_code", "mailbox", "component", "channel", "request_type", "category")
# Fact tables whose items may stay open past the end of a quarter, and their channels.
CHANNEL_FACTS = {
    "fct_ticket": "hotline",
    "fct_letter": "mailbox",
    "fct_suggestion_assignment": "suggestion",
}
SCOPE_COLUMNS = (
    "run_id varchar, quarter varchar, quarter_start date, quarter_end date, "
    "previous_quarter varchar, has_bulletin boolean, started_at timestamp, "
    "code_version varchar, reason varchar, basis_sha256 varchar"
)
FILE_COLUMNS = (
    "file_sha256 varchar, quarter varchar, source varchar, file_name varchar, byte_count bigint, "
    "encoding varchar, row_count bigint, counted_row_count bigint, received_at timestamp, "
    "superseded_by varchar"
)
NUMBER_TYPES = ("BIGINT", "INTEGER", "DECIMAL")


def check_engine(home: Home, engine: Engine) -> None:
    """Refuse to build a home with another engine than before: its facts are stored elsewhere.

    Raises:
        InputError: the other engine built the home's facts (tables with DuckDB, views with Spark).
    """
    kinds = query(
        home, "select distinct table_type from information_schema.tables where table_schema='facts'"
    )
    before = {"VIEW": "spark", "BASE TABLE": "duckdb"}
    if others := {before[row["table_type"]] for row in kinds} - {engine}:
        raise InputError(
            code="other_engine",
            file=home.warehouse.name,
            found=f"这个数据文件夹以前用 {'、'.join(others)} 建，这次要用 {engine}",
            expected="一个数据文件夹只用一种引擎，各季度的事实表才在一处",
            action="改正 HOTLINE_ENGINE，或用 --home 另建数据文件夹，把各季度重新装载",
        )


def register_raw(
    home: Home,
    quarter: Quarter,
    run_id: str,
    contracts: dict[str, Contract],
    published: Sequence[Path] = (),
    reason: str = "",
    basis_sha256: str = "",
    published_facts: Sequence[Path] = (),
) -> dict[str, int]:
    """Create schema `raw` for a run: its scope, the list of files, code values, views on the lake.

    Further tables have the comparisons of the quarter's bulletin with itself (`bulletin_lint`),
    what was published for the quarter and the one before (`last_version_figure`,
    `previous_open_item`), and what was due in other published quarters (`published_due`).
    Comparisons read nothing else of other quarters, because the working warehouse also contains
    results that were refused.

    dbt reads the quarter from `raw.run_scope`, not from a var, because a changed var makes dbt
    parse the whole project again.

    Args:
        home: the home whose lake is read.
        quarter: the run's quarter.
        run_id: the ID of the run.
        contracts: the contracts in force, by source.
        published: Parquet files of the last versions of this quarter and the one before.
        reason: why the run changes published figures, if it does.
        basis_sha256: the hash of everything that determines what is built.
        published_facts: Parquet files of the facts of other published quarters.

    Returns:
        The number of current rows by source.
    """
    files, current = all_files(home), current_files(home, str(quarter))
    with connect(home) as connection:
        connection.execute("create schema if not exists raw")
        has_bulletin = any(file.source == "bulletin" for file in current)
        started_at = time_on_record(connection, run_id)
        scope: list[Any] = [run_id, str(quarter), quarter.start, quarter.end]
        scope += [str(quarter.previous), has_bulletin, started_at]
        scope += [code_version(), reason or None, basis_sha256]
        _replace_table(connection, "run_scope", SCOPE_COLUMNS, [tuple(scope)])
        _replace_table(connection, "source_file", FILE_COLUMNS, [_file_row(file) for file in files])
        _register_contracts(connection, list(contracts.values()))
        _register_rows(connection, home, contracts, current)
        _replace_table(
            connection,
            "bulletin_lint",
            "quarter varchar, control_id varchar, side varchar, subject varchar, measure varchar, "
            "value decimal(18, 6)",
            _bulletin_lint(connection, quarter, contracts),
        )
        _register_published(connection, quarter, published)
        _register_published_due(connection, published_facts)
    return {
        source: sum(file.row_count for file in current if file.source == source)
        for source in contracts
    }


def _register_rows(
    connection: duckdb.DuckDBPyConnection,
    home: Home,
    contracts: Mapping[str, Contract],
    current: Sequence[LakeFile],
) -> None:
    """Create a view on the lake for each source; one without a contract has no rows."""
    for source in canonical_columns():
        files = [file for file in current if file.source == source and source in contracts]
        hashes = [file.file_sha256 for file in files]  # hexadecimal, so nothing to escape
        connection.execute(
            f"create or replace view raw.{source} as "  # noqa: S608 (our own names)
            f"select *, list_position({hashes}::varchar[], file_sha256) as {FILE_ORDER} "
            f"from ({raw_rows(home, source, contracts, files)})"
        )


def _file_row(file: LakeFile) -> tuple[Any, ...]:
    return (
        file.file_sha256,
        file.quarter,
        file.source,
        file.file_name,
        file.byte_count,
        file.encoding,
        file.row_count,
        file.counted_row_count,
        file.received_at,
        file.superseded_by,
    )


def _register_contracts(
    connection: duckdb.DuckDBPyConnection, contracts: Sequence[Contract]
) -> None:
    """Register what dbt needs of the contracts: codes of values, rules of a source, its bounds."""
    _replace_table(
        connection,
        "contract_value",
        "source varchar, column_name varchar, written_value varchar, code varchar",
        [
            (contract.source, column.name, written, code)
            for contract in contracts
            for column in contract.columns
            for written, code in column.values.items()
        ],
    )
    _replace_table(
        connection,
        "contract",
        "source varchar, rejected_tolerance decimal(9, 6), conflict_rule varchar, "
        "first_year integer, last_year integer, shortest_handling_minutes integer, rules varchar",
        [
            (
                contract.source,
                contract.rejected_tolerance,
                contract.conflict,
                *(contract.plausible_years or (None, None)),
                contract.shortest_handling_minutes,
                json.dumps(written_rules(contract), ensure_ascii=False),
            )
            for contract in contracts
        ],
    )
    _replace_table(
        connection,
        "contract_bound",
        "source varchar, measure varchar, tolerance decimal(18, 6), is_optional boolean",
        [row for contract in contracts for row in _bounds(contract)],
    )


def register_build(home: Home, run_id: str) -> None:
    """Assign data that an earlier run registered to the run that now builds from it."""
    with connect(home) as connection:
        started_at = time_on_record(connection, run_id)
        connection.execute(
            "update raw.run_scope set run_id = ?, started_at = ?", [run_id, started_at]
        )


def _register_published(
    connection: duckdb.DuckDBPyConnection, quarter: Quarter, files: Sequence[Path]
) -> None:
    """Register the numbers of published marts in long form, named as in the macro `mart_rows`.

    Also register the items of the previous quarter's published facts that weren't finished by its
    end.
    """
    connection.execute(
        "create or replace table raw.last_version_figure (mart varchar, quarter varchar, "
        "subject varchar, measure varchar, value decimal(18, 6))"
    )
    connection.execute(
        "create or replace table raw.previous_open_item (channel varchar, unit_code varchar, "
        "dispatched_at timestamp, finished_at timestamp)"
    )
    for path in files:
        relation = f"read_parquet('{quoted(path)}')"
        if path.stem in CHANNEL_FACTS:
            connection.execute(
                f"insert into raw.previous_open_item select '{CHANNEL_FACTS[path.stem]}', "  # noqa: S608 (our own names)
                f"unit_code, dispatched_at, finished_at from {relation} where quarter = ? "
                "and (finished_at is null or finished_at >= ?)",
                [str(quarter.previous), quarter.start],
            )
            continue
        if path.stem.startswith("fct_"):
            continue
        described = connection.execute(f"describe from {relation}").fetchall()
        types = {name: kind.split("(")[0] for name, kind, *_ in described}
        numbers = [name for name, kind in types.items() if kind in NUMBER_TYPES]
        prefix = "".join(f"{key} || '.' || " for key in types if key in KEY_COLUMNS[1:])
        subject = "unit_code" if "unit_code" in types else "'district'"
        cast = ", ".join(f"{name}::decimal(18, 6) as {name}" for name in numbers)
        connection.execute(
            f"insert into raw.last_version_figure select '{path.stem}', quarter, {subject}, "  # noqa: S608 (our own names)
            f"{prefix}measure, value from (select * replace ({cast}) from {relation}) "
            f"unpivot (value for measure in ({', '.join(numbers)}))"
        )


def _register_published_due(connection: duckdb.DuckDBPyConnection, facts: Sequence[Path]) -> None:
    """Register the items due in other quarters, as a view: there may be millions."""
    selects = ["select null::varchar as quarter, null::varchar as source, null::varchar as item_id"]
    selects[0] += " where false"
    for path in facts:
        source, item_id = DUE_ITEMS[path.stem]
        selects.append(
            f"select quarter, '{source}' as source, {item_id} as item_id "  # noqa: S608 (our own names)
            f"from read_parquet('{quoted(path)}', hive_partitioning = false) where is_due"
        )
    connection.execute(f"create or replace view raw.published_due as {' union all '.join(selects)}")


def _bounds(contract: Contract) -> Iterator[tuple[str, str, str, bool]]:
    """The limits that `control_plausibility` checks, by its measures: source, measure, tolerance.

    The last value says whether the column is optional.
    """
    yield contract.source, "conflicting_count", contract.conflicting_tolerance, False
    yield contract.source, "duplicate_count", contract.duplicate_tolerance, False
    yield contract.source, "out_of_scope_count", contract.out_of_scope_tolerance, False
    yield contract.source, "due_count", contract.change_tolerance, False
    for column in contract.columns:
        if column.personal is None:
            yield contract.source, column.name, column.empty_tolerance, column.optional


def _bulletin_lint(
    connection: duckdb.DuckDBPyConnection, quarter: Quarter, contracts: Mapping[str, Contract]
) -> list[tuple[Any, ...]]:
    """Both sides of the controls that compare the quarter's bulletin with itself."""
    records = connection.execute(
        "select document, table_name, table_row, printed_group, printed_name, printed_measure, "
        "printed_value from raw.bulletin where row_defect is null order by file_sha256, row_number"
    ).fetchall()
    if not records:
        return []
    rules = Rules.load(seeds_root(), contracts["bulletin"], quarter)
    return list(control_rows(records, rules, quarter))


def raw_rows(
    home: Home, source: str, contracts: Mapping[str, Contract], files: Sequence[LakeFile]
) -> str:
    """SQL for a source's rows in lake files, always with the canonical columns.

    A column that the site's contract or all files lack is null. A source without files has no rows
    and needs no contract.
    """
    columns = canonical_columns()[source]
    paths = [f"'{quoted(file.parquet(home))}'" for file in files]
    # Files written under an older contract may lack columns that the current one keeps.
    written = {name for file in files for name in pl.read_parquet_schema(file.parquet(home))}
    kept = written.intersection(contracts[source].kept_columns) if paths else written
    names = [name if name in kept else f"null::varchar as {name}" for name in columns]
    if paths:
        body = f"from read_parquet([{', '.join(paths)}], union_by_name = true)"
        return f"select {', '.join([*names, *LAKE_COLUMNS])} {body}"
    names += [f"null::{kind} as {name}" for name, kind in LAKE_COLUMNS.items()]
    return f"select {', '.join(names)} where false"


def _replace_table(
    connection: duckdb.DuckDBPyConnection, name: str, columns: str, rows: list[tuple[Any, ...]]
) -> None:
    connection.execute(f"create or replace table raw.{name} ({columns})")
    insert_rows(connection, f"raw.{name}", rows)
