"""A CSV into DuckDB with dlt, then a query. Run by the benchmark in an environment with dlt alone.

Arguments: the CSV, the database, the SQL on `ticket`, its columns as JSON (name: header). The last
line that is printed is the result as JSON.
"""

import json
import sys
from pathlib import Path
from typing import Any

import dlt
import duckdb
from dlt.sources.filesystem import filesystem, read_csv_duckdb


def main(csv: str, database: str, sql: str, columns: str) -> None:
    """Load, query, print."""
    export = Path(csv)
    names = {header: name for name, header in json.loads(columns).items()}

    def named(rows: Any) -> Any:
        # dlt would make its own names of Chinese headers, the same for several.
        headers = enumerate(rows.column_names)
        return rows.rename_columns([names.get(text, f"other_{at}") for at, text in headers])

    files = filesystem(bucket_url=export.parent.as_uri(), file_glob=export.name)
    # Arrow batches: its fastest way with a large file.
    rows = files | read_csv_duckdb(use_pyarrow=True, chunk_size=100_000, all_varchar=True)
    pipeline = dlt.pipeline(
        "bench",
        pipelines_dir=str(Path(database).parent / "dlt"),
        destination=dlt.destinations.duckdb(database),
        dataset_name="loaded",
    )
    pipeline.run(rows.add_map(named).with_name("ticket"), write_disposition="replace")
    with duckdb.connect(database) as connection:
        connection.execute("use loaded")
        print(json.dumps(connection.execute(sql).fetchall(), ensure_ascii=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
