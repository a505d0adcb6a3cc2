"""Where a text is left: files as they are, byte by byte, and as what they hold.

Parquet and DuckDB are read as values, archives are unpacked, one within another too; everything is
also searched as bytes, in UTF-8, in UTF-16 and as JSON spells it, free pages of databases included.
"""

import gzip
import io
import json
import re
import tarfile
import zipfile

import duckdb
import polars as pl

WORDS = ("虚构人", "虚构路", "虚构内容")
# What every personal value of the sample carries: made up, and looking it.
MARKS = rf"{'|'.join(WORDS)}|(?<![0-9A-Fa-f])000-\d{{4}}-\d{{4}}"


def is_personal(text):
    return bool(re.search(MARKS, text))


def leaks(folder):
    """The files below a folder that hold a personal value of the sample, compressed or not."""
    # Dagster writes its events as JSON, which may spell a character out.
    spelt = "|".join(re.escape(json.dumps(word)[1:-1]) for word in WORDS)
    return _found(folder, re.compile(MARKS), re.compile(f"{MARKS}|{spelt}".encode()))


def holders(folder, *texts):
    """The files below a folder that hold any of some texts, looked at as what they are."""
    spellings = {
        spelling
        for text in texts
        for spelling in (
            *(text.encode(), json.dumps(text)[1:-1].encode()),
            *(text.encode("utf-16-le"), text.encode("gb18030")),
        )
    }
    return _found(
        folder,
        re.compile("|".join(map(re.escape, texts))),
        re.compile(b"|".join(map(re.escape, sorted(spellings)))),
    )


def matches(folder, pattern):
    """The files below a folder that hold a text that fits a pattern of ASCII."""
    return _found(folder, re.compile(pattern, re.ASCII), re.compile(pattern.encode()))


def contents(path):
    """Every text value of a Parquet or DuckDB file, one a line; nothing of another file."""
    if path.suffix == ".parquet":
        texts = pl.read_parquet(path).select(pl.col(pl.String))
        return "\n".join(value for column in texts for value in column.drop_nulls())
    if ".duckdb" in path.name and path.suffix != ".wal":
        return _database(path)
    return ""


def _found(folder, texts, in_bytes):
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and (
            in_bytes.search(str(path.relative_to(folder)).encode())
            or _holds(path.read_bytes(), in_bytes)
            or texts.search(contents(path))
        )
    ]


def _holds(data, pattern):
    """Whether bytes hold a pattern, or what they are an archive of does."""
    if pattern.search(data):
        return True
    if data[:2] == b"\x1f\x8b":
        try:
            return _holds(gzip.decompress(data), pattern)
        except (OSError, EOFError):
            return False
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return any(_holds(archive.read(name), pattern) for name in archive.namelist())
    if data[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            files = filter(None, map(archive.extractfile, archive.getmembers()))
            return any(_holds(file.read(), pattern) for file in files)
    return False


def _database(path):
    with duckdb.connect() as connection:
        connection.execute(f"attach '{path}' as searched (read_only)")
        columns = connection.execute(
            "select schema_name, table_name, column_name from duckdb_columns() "
            "where data_type like '%VARCHAR%' and database_name = 'searched' and not internal"
        ).fetchall()
        return "\n".join(
            str(text)
            for schema, table, column in columns
            for (text,) in connection.execute(
                f'select distinct "{column}" from searched."{schema}"."{table}" '
                f'where "{column}" is not null'
            ).fetchall()
        )
