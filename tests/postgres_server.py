"""A real PostgreSQL server for tests, started from Debian's package and thrown away."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

PASSWORD = "not p@ss:word/"  # has to be quoted in a URL
QUOTED = "not%20p%40ss%3Aword%2F"
BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))


class Server:
    """A server on a port of its own: `office` may all, `analyst` is a reader, `clerk` nobody."""

    def __init__(self, port: int) -> None:
        self.port = port

    def url(self, database: str, user: str = "office", password: str = QUOTED) -> str:
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def create(self, database: str) -> str:
        with self.connected("postgres") as connection:
            connection.execute(f"create database {database}")
        return database

    @contextmanager
    def connected(self, database: str, user: str = "office") -> Iterator[psycopg.Connection]:
        with psycopg.connect(self.url(database, user), autocommit=True) as connection:
            yield connection


@contextmanager
def running_server() -> Iterator[Server]:
    """Start a server for the block; without Debian's package the test is skipped and says so."""
    if not BINARIES:
        pytest.skip("no PostgreSQL server below /usr/lib/postgresql: apt-get install postgresql")
    binaries = BINARIES[-1].parent
    # The server refuses to be root, and the user that it is must reach its folder.
    other = {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="hotline-postgres-", dir="/tmp"))
    (folder / "password").write_text(PASSWORD)
    if other:
        for path in (folder, folder / "password"):
            shutil.chown(path, *other.values())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def run(*command: str | Path) -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/", **other)

    data, log = folder / "data", folder / "log"
    try:
        run(
            *(binaries / "initdb", "-D", data, "-U", "office", "-A", "scram-sha-256"),
            *("--pwfile", folder / "password", "-E", "UTF8", "--locale", "C", "-N"),
        )
        settings = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        run(binaries / "pg_ctl", "-D", data, "-l", log, "-o", settings, "-w", "start")
        server = Server(port)
        with server.connected("postgres") as connection:
            connection.execute("create role bi_reader nologin")
            connection.execute(f"create role analyst login password '{PASSWORD}' in role bi_reader")
            connection.execute(f"create role clerk login password '{PASSWORD}'")
        yield server
        run(binaries / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
