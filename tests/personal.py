"""Where a personal value of the sample is left: files as they are, and as what they hold."""

import json
import re
import zipfile

import duckdb
import polars as pl

WORDS = ("虚构人", "虚构路", "虚构内容")
MARKS = rf"{'|'.join(WORDS)}|(?<![0-9A-Fa-f])000-\d{{4}}-\d{{4}}"
"""What every personal value of the sample carries: made up, and looking it."""
# Dagster writes its events as JSON, which may spell a character out.
SPELT = "|".join(re.escape(json.dumps(word)[1:-1]) for word in WORDS)
BYTES = re.compile(f"{MARKS}|{SPELT}".encode())


def is_personal(text):
    return bool(re.search(MARKS, text))


def leaks(folder):
    """The files below a folder that hold a personal value, compressed or not."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return [path for path in files if BYTES.search(path.read_bytes()) or _holds(path)]


def _holds(path):
    if path.suffix == ".parquet":
        columns = pl.read_parquet(path).select(pl.col(pl.String)).iter_columns()
        return any(is_personal("\n".join(column.drop_nulls())) for column in columns)
    if path.suffix == ".duckdb":
        return _database_holds(path)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return any(BYTES.search(archive.read(name)) for name in archive.namelist())
    return False


def _database_holds(path):
    with duckdb.connect() as connection:
        connection.execute(f"attach '{path}' as searched (read_only)")
        columns = connection.execute(
            "select schema_name, table_name, column_name from duckdb_columns() "
            "where data_type = 'VARCHAR' and database_name = 'searched' and not internal"
        ).fetchall()
        return any(
            is_personal("\n".join(text for (text,) in texts))
            for schema, table, column in columns
            for texts in [
                connection.execute(
                    f'select distinct "{column}" from searched."{schema}"."{table}" '
                    f'where "{column}" is not null'
                ).fetchall()
            ]
        )
