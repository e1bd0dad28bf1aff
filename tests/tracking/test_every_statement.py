"""Whichever single statement a database misses, it ends up with what an undisturbed run leaves.

Statements are counted in a run left alone, and nothing depends on time. LINGMIX_CHAOS_ROUNDS says
how many of them meet every fault, all from 8 on. What is left to do is done by `lingmix-sync` after
a fault at an odd statement, by the same command after one at an even statement.
"""

import difflib
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import pytest
from filelock import FileLock
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from sqlalchemy import Connection

from lingmix.cli.config import CONF, Config, resolved
from lingmix.commands.sync import sync
from lingmix.tracking.identity import identify
from lingmix.tracking.outbox import sender
from lingmix.tracking.store import bounded, contention
from lingmix.tracking.store import client as store
from lingmix.tracking.store.client import open_store
from tests.conftest import QUICK
from tests.postgresql import PostgreSQL, postgresql
from tests.rounds import tried
from tests.stored import stored
from tests.tracking.statements import Statements, counted
from tests.tracking.whole_run import command

SETTINGS = [*QUICK, "tracking.system_metrics=null", "tracking.code=tested", "tracking.wait=0.5"]
PATIENT = 120.0


@pytest.fixture(scope="module")
def statements() -> Iterator[Statements]:
    with counted() as statements:
        yield statements


@pytest.fixture(scope="module")
def database() -> Iterator[PostgreSQL]:
    with postgresql() as server:
        open_store(server.uri)
        yield server


@pytest.fixture(autouse=True)
def impatient(monkeypatch) -> None:
    """A store that is gone or locked is given up sooner."""
    monkeypatch.setattr(bounded, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(bounded, "STARTUP", 15.0)
    monkeypatch.setattr(store, "STARTUP", 15.0)
    monkeypatch.setattr(contention, "PATIENCE", 2.0)
    monkeypatch.setattr(sender, "BEGIN_TIMEOUT", 0.5)


@cache
def composed() -> tuple[Config, dict[str, str], DictConfig]:
    """A training, its identity, and a sync."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = resolved(compose("train", SETTINGS))
        return config, identify(config), compose("sync")


class Place:
    """A configuration of an experiment of its own at a store."""

    def __init__(self, folder: Path, name: str, uri: str) -> None:
        here = {"name": name, "output_dir": str(folder / name)}
        base, self._identity, syncing = composed()
        self.name, self.uri, self._folder = name, uri, folder
        self._config = {**base, **here, "tracking": {**base["tracking"], "uri": uri}}
        self._sync = OmegaConf.merge(syncing, here, {"tracking": {"uri": uri}})

    def command(self, trained: Callable[[], None] = lambda: None) -> bool:
        return command(self._config, self._identity, trained=trained)

    def sync(self) -> None:
        sync(self._sync)

    def patient_command(self) -> bool:
        """Its end waits for a store that is slow."""
        tracking = {**self._config["tracking"], "wait": PATIENT}
        return command({**self._config, "tracking": tracking}, self._identity)

    @property
    def stored(self) -> str:
        return stored(self.uri, self.name).replace(str(self._folder), "folder")


def quiet() -> None:
    """Waits for threads that would end with the process of a run."""
    for thread in threading.enumerate():
        if thread.name in ("sender", "call"):
            thread.join(120)
            assert not thread.is_alive()


def lost(database: PostgreSQL, connection: Connection) -> None:
    """The statement never arrives."""
    database.terminate(process_of(connection))


def unheard(database: PostgreSQL, connection: Connection) -> None:
    """It is done and its answer is lost."""
    process = process_of(connection)
    connection.connection.dbapi_connection.commit()
    database.terminate(process)
    connection.exec_driver_sql("SELECT 1")


def gone(database: PostgreSQL, connection: Connection) -> None:
    """No statement arrives from this one on, whoever asks."""
    database.stop()


def process_of(connection: Connection) -> int:
    return connection.connection.dbapi_connection.info.backend_pid


@pytest.fixture(scope="module")
def undisturbed(database, statements, tmp_path_factory) -> tuple[str, list[str]]:
    """What is stored, and the statements of it."""
    place = Place(tmp_path_factory.mktemp("alone"), "undisturbed", database.uri)
    statements.repair()
    place.patient_command()
    asked = [*statements.asked]
    return place.stored, asked


FAULTS = (lost, unheard, gone)


def statements_of(fault: Callable, asked: list[str]) -> list[int]:
    """An answer that is lost differs from a statement that is only at the end of a transaction."""
    numbers = [at for at, one in enumerate(asked, 1) if fault is not unheard or one == "COMMIT"]
    return tried(numbers, way=FAULTS.index(fault))


@pytest.mark.chaos
@pytest.mark.parametrize("fault", FAULTS)
def test_postgresql_has_the_run_whichever_statement_it_misses(
    fault, database, statements, undisturbed, tmp_path
):
    expected, asked = undisturbed
    numbers, wrong = statements_of(fault, asked), []
    for at in numbers:
        name = f"{fault.__name__}-{at:03d}"
        place = Place(tmp_path, name, f"{database.uri}?application_name={name}")
        statements.arm(partial(fault, database), at=at)
        place.command()
        quiet()
        statements.repair()
        if fault is gone:
            database.start()
        wrong += differences(place, expected, at=at)
    assert_equal("PostgreSQL", fault.__name__, count=len(numbers), wrong=wrong)


def differences(place: Place, expected: str, *, at: int) -> list[str]:
    """After what is left to do was done."""
    if at % 2:
        place.sync()
    elif place.patient_command():
        return [f"{place.name}: trained anew"]
    lines = difflib.unified_diff(expected.splitlines(), place.stored.splitlines(), n=0, lineterm="")
    return [f"{place.name}: {line}" for line in lines][:9]


def assert_equal(store: str, fault: str, *, count: int, wrong: list[str]) -> None:
    sys.stderr.write(f"{store}, {fault}: {count} tried, {len(wrong)} lines differ\n")
    assert wrong == []


class Lock:
    """Another connection's, on a file of SQLite: of all of it, as soon as it can be had."""

    def __init__(self, path: Path) -> None:
        self._path, self._turn = path, threading.Lock()
        self._waiting: threading.Thread | None = None
        self._other: sqlite3.Connection | None = None

    def take(self) -> None:
        """At once, or when the transaction that is under way is over."""
        with self._turn:
            self._other = sqlite3.connect(
                self._path, timeout=0, isolation_level=None, check_same_thread=False
            )
            try:
                self._other.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError:
                self._other.execute("PRAGMA busy_timeout = 60000")
                self._waiting = threading.Thread(
                    target=self._other.execute, args=("BEGIN EXCLUSIVE",)
                )
                self._waiting.start()

    def release(self) -> None:
        with self._turn:
            if self._waiting:
                self._waiting.join()
            if self._other:
                self._other.rollback()
                self._other.close()
            self._waiting = self._other = None


def read_only(connection: Connection) -> None:
    connection.connection.dbapi_connection.execute("PRAGMA query_only = ON")


def writable(connection: Connection) -> None:
    connection.connection.dbapi_connection.execute("PRAGMA query_only = OFF")


class SQLite(NamedTuple):
    """A store that no run was ever recorded in, what an undisturbed run leaves in a copy of it, and
    how many statements write that."""

    empty: Path
    expected: str
    writes: int

    def place(self, folder: Path, name: str, *, disk: Path | None = None) -> Place:
        """At a copy of its own, `NAME.db`, on that disk."""
        path = (disk or folder) / f"{name}.db"
        shutil.copy(self.empty, path)
        return Place(folder, name, f"sqlite:///{path}")


@pytest.fixture(scope="module")
def sqlite(statements, tmp_path_factory) -> SQLite:
    folder = tmp_path_factory.mktemp("sqlite")
    empty = folder / "empty.db"
    open_store(f"sqlite:///{empty}")
    place = SQLite(empty, "", 0).place(folder, "undisturbed")
    statements.repair()
    place.patient_command()
    writes = len(statements.writes)
    return SQLite(empty, place.stored, writes)


@pytest.mark.chaos
@pytest.mark.parametrize("held", ["while it trains", "for ever"])
def test_sqlite_has_the_run_whichever_write_finds_it_locked(
    held, sqlite, statements, tmp_path, monkeypatch
):
    monkeypatch.setattr(bounded, "STARTUP", 2.0)
    every = held == "while it trains"
    numbers = tried(range(sqlite.writes + 1)) if every else [0, 1, sqlite.writes // 2]
    wrong = []
    for at in numbers:
        place = sqlite.place(tmp_path, f"locked-{at:03d}")
        lock = Lock(tmp_path / f"{place.name}.db")
        if at == 0:
            lock.take()
        statements.arm(lambda _: lock.take(), at=at, writes=True)  # noqa: B023 - called in here
        if held == "while it trains":
            place.command(trained=lock.release)
        else:
            place.command()
        statements.repair()
        lock.release()
        quiet()
        wrong += differences(place, sqlite.expected, at=at)
    assert_equal("SQLite", f"locked {held}", count=len(numbers), wrong=wrong)


@pytest.mark.chaos
def test_sqlite_has_the_run_whichever_write_is_the_first_that_is_refused(
    sqlite, statements, tmp_path
):
    numbers, wrong = tried(range(1, sqlite.writes + 1), way=1), []
    for at in numbers:
        place = sqlite.place(tmp_path, f"read-only-{at:03d}")
        statements.arm(read_only, at=at, writes=True, onwards=True)
        place.command()
        quiet()
        statements.arm(writable, at=1, onwards=True)
        wrong += differences(place, sqlite.expected, at=at)
    assert_equal("SQLite", "read-only", count=len(numbers), wrong=wrong)


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(path: Path) -> None:
    """All that is left of its disk."""
    with path.open("ab", buffering=0) as file:
        for size in (65_536, 512):
            with suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass


@pytest.mark.chaos
def test_sqlite_has_the_run_whichever_write_finds_its_disk_full(
    sqlite, statements, small_disk, tmp_path
):
    numbers, wrong = tried(range(1, sqlite.writes + 1), way=2), []
    for at in numbers:
        place = sqlite.place(tmp_path, f"full-{at:03d}", disk=small_disk)
        statements.arm(lambda _: fill(small_disk / "filler"), at=at, writes=True, onwards=True)
        place.command()
        quiet()
        statements.repair()
        (small_disk / "filler").unlink()
        wrong += differences(place, sqlite.expected, at=at)
    assert_equal("SQLite", "disk full", count=len(numbers), wrong=wrong)


def test_a_store_that_another_process_opens_without_end_holds_up_no_run(
    sqlite, tmp_path, monkeypatch
):
    """The lock of its creation is another's; the file is not there."""
    monkeypatch.setattr(store, "STARTUP", 0.5)
    path = tmp_path / "mlflow.db"
    place = Place(tmp_path, "creation", f"sqlite:///{path}")
    with FileLock(f"{path}.lock"):
        assert place.command()
        quiet()
    shutil.copy(sqlite.empty, path)
    assert differences(place, sqlite.expected, at=1) == []
