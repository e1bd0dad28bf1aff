"""A PostgreSQL server on loopback."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from benchmarks.harness.server import free_port


class PostgreSQL:
    """Starts, stops, and ends the connections of others."""

    def __init__(self, folder: Path, pg_ctl: Path) -> None:
        self._user = "postgres" if os.geteuid() == 0 else None  # it does not run as root
        if self._user:
            shutil.chown(folder, self._user)
        self._folder, self._pg_ctl, self._port = folder, pg_ctl, free_port()
        self.uri = f"postgresql://me:secret@127.0.0.1:{self._port}/postgres"
        initdb = pg_ctl.resolve().with_name("initdb")
        self._run(initdb, "-D", self._data, "-U", "me", "-A", "trust")

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def start(self) -> None:
        """Again, too; it answers then."""
        settings = "-c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=500"
        options = f"{settings} -p {self._port} -k {self._folder}"
        self._control("-o", options, "-l", self._folder / "log", "-w", "start")

    def stop(self) -> None:
        """At once, whoever is connected."""
        self._control("-m", "immediate", "stop")

    def terminate(self, process: int) -> None:
        """The server's process of another connection, which is gone then."""
        with psycopg.connect(self.uri, autocommit=True) as connection:
            (gone,) = connection.execute(
                "SELECT pg_terminate_backend(%s, 60000)", (process,)
            ).fetchone()
        assert gone

    def _control(self, *arguments: object) -> None:
        self._run(self._pg_ctl, "-D", self._data, *arguments)

    def _run(self, *command: object) -> None:
        subprocess.run(
            [*map(str, command)],
            user=self._user,
            cwd=self._folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """At work until the block ends."""
    found = shutil.which("pg_ctl") or max(
        Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), default=None
    )
    if found is None:
        pytest.skip("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="lingmix-"))
    server = PostgreSQL(folder, Path(found))
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)
