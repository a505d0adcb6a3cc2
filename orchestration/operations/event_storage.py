"""Dagster's storage of events with its databases kept open, for a run that the command starts.

Dagster makes an engine and opens a database for each of a run's thousand reads and writes: its
statements are compiled anew each time, and SQLite, closed by the last that had it open, writes its
log back. One engine a database saves a tenth of a small quarter's CPU time (docs/performance.md).
The databases and what stands in them are the same; `hotline ui` and its daemon keep Dagster's own
storage. To do without, leave `KEPT_OPEN` out of the settings in `cli/runner.py`.
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
    """Dagster's storage of events in SQLite, with one engine a database until `dispose`."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._engines: dict[str, Engine] = {}
        super().__init__(*arguments, **named)

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> "KeptOpenStorage":
        """The storage that the settings describe."""
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
    """Let SQLite wait for the disk at checkpoints, not at each of a run's thousand commits.

    With its write-ahead log that costs no consistency: after a power cut the last events are gone.
    """
    connection.execute("pragma synchronous = normal")
