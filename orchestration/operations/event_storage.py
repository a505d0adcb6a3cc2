"""Dagster's event storage with its databases kept open, for runs that the command starts.

Dagster creates an engine and opens a database for each of a run's thousand reads and writes. Each
time the statements are compiled again, and SQLite writes its log back when the last connection
closes. One engine per database saves a tenth of a small quarter's CPU time (docs/performance.md).
The databases and their contents are the same; `hotline ui` and its daemon use Dagster's own
storage. To disable this one, leave `KEPT_OPEN` out of the settings in `cli/runner.py`.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from sqlalchemy.engine import Connection, Engine

KEPT_OPEN = f"""\
event_log_storage:
  module: {__name__}
  class: KeptOpenStorage
  config:
    base_dir: {{folder}}
"""


class KeptOpenStorage(SqliteEventLogStorage):
    """Dagster's event storage in SQLite, with one engine per database until `dispose`."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._engines: dict[str, Engine] = {}
        super().__init__(*arguments, **named)

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> "KeptOpenStorage":
        """Create the storage that the settings describe."""
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            if shard not in self._engines:
                self._engines[shard] = self._open(shard)
            with self._engines[shard].begin() as connection:
                yield connection

    def _open(self, shard: str) -> Engine:
        engine = sa.create_engine(
            self.conn_string_for_shard(shard), connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS}
        )
        sa.event.listen(engine, "connect", _sync_at_checkpoints)
        self._initdb(engine)
        return engine

    def dispose(self) -> None:
        """Close the databases."""
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()
        super().dispose()


def _sync_at_checkpoints(connection: sqlite3.Connection, _record: object) -> None:
    """Make SQLite wait for the disk at checkpoints, not at each of a run's thousand commits.

    With the write-ahead log the database stays consistent; a power cut loses only the last events.
    """
    connection.execute("pragma synchronous = normal")
