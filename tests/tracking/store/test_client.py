import multiprocessing
import socket
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Barrier, Thread

import pytest
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput

from lingmix.errors import InputError
from lingmix.tracking.flat_config import leaves
from lingmix.tracking.store import client as store
from lingmix.tracking.store.bounded import UnavailableError
from lingmix.tracking.store.client import experiment_of, open_store, require_reachable
from tests.commands import PRELOADED


def _open(uri: str, folder) -> str:
    return experiment_of(open_store(uri), "shared", output_dir=folder)


def test_many_processes_can_open_a_fresh_store_together(tmp_path):
    uri = f"sqlite:///{tmp_path}/new/mlflow.db"
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    with context.Pool(4) as pool:
        ids = pool.starmap(_open, [(uri, tmp_path)] * 4)
    assert len(set(ids)) == 1
    assert MlflowClient(uri).get_experiment(ids[0]).artifact_location.startswith("file://")


def test_runs_that_begin_together_log_the_same_new_data_sets(client, experiment):
    together = Barrier(8, timeout=20)

    def log(_: int) -> list[str]:
        store = open_store(client.tracking_uri)
        run_id = store.create_run(experiment).info.run_id
        for name in ("one", "two", "three"):
            together.wait()
            store.log_inputs(run_id, [DatasetInput(Dataset(name, "digest", "local", "here"))])
        return [one.dataset.name for one in store.get_run(run_id).inputs.dataset_inputs]

    with ThreadPoolExecutor(8) as pool:
        assert all(set(names) == {"one", "two", "three"} for names in pool.map(log, range(8)))


def test_a_server_that_does_not_answer_is_named_without_its_password():
    with pytest.raises(InputError, match=r"no MLflow server answers at http://\*\*\*@127") as found:
        open_store("http://me:secret@127.0.0.1:9")
    assert "secret" not in str(found.value)


@pytest.mark.parametrize("uri", ["nonsense://x", "sqlite:////proc/no/such.db"])
def test_a_store_that_cannot_be_opened_is_named(uri):
    with pytest.raises(InputError, match=f"tracking.uri: the store {uri}"):
        open_store(uri)


def tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as store:
        return {name for (name,) in store.execute("select name from sqlite_master")}


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ("ffffffffffff", r"is of a newer MLflow than the \S+ here; install that one, or choose"),
        ("c3d6457b6d8a", "is of an older MLflow than the .*run `mlflow db upgrade sqlite:///"),
    ],
)
def test_a_store_of_another_mlflow_is_refused_as_it_is(client, tmp_path, version, told):
    """MLflow itself makes the tables that it misses, or moves all to its own version."""
    path = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(path)) as store:
        with closing(sqlite3.connect(client.tracking_uri.removeprefix("sqlite:///"))) as whole:
            whole.backup(store)
        store.execute("update alembic_version set version_num = ?", [version])
        store.execute("alter table webhooks rename to hooks")
        store.commit()
    before = tables(path)
    with pytest.raises(InputError, match=told) as refused:
        open_store(f"sqlite:///{path}")
    assert "\n" not in str(refused.value)
    assert tables(path) == before


@pytest.fixture
def answering() -> Iterator[HTTPServer]:
    """A server, or a proxy before it, with one answer to all."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(self.server.status)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_server_that_wants_the_password_is_there_and_one_behind_a_proxy_may_be_away(answering):
    uri = f"http://me:secret@127.0.0.1:{answering.server_port}"
    for answering.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND):
        require_reachable(uri)
    answering.status = HTTPStatus.BAD_GATEWAY
    with pytest.raises(UnavailableError, match="Bad Gateway"):
        require_reachable(uri)


def test_a_deleted_experiment_is_not_written_to(client, tmp_path):
    client.delete_experiment(experiment_of(client, "gone", output_dir=tmp_path))
    with pytest.raises(InputError, match="'gone' was deleted"):
        experiment_of(client, "gone", output_dir=tmp_path)


def test_leaves_are_dotted_and_lists_of_plain_values_stay_whole():
    config = {"a": {"b": 1, "c": [1, 2]}, "d": [{"e": 3}, {"e": 4}], "f": None}
    assert leaves(config) == {"a.b": 1, "a.c": [1, 2], "d.0.e": 3, "d.1.e": 4, "f": None}


@pytest.mark.parametrize("later", [False, True], ids=["at once", "later"])
@pytest.mark.parametrize("trouble", ["500", "drip", "hang"])
def test_a_server_that_fails_drips_or_hangs_is_away_before_long(troubled, trouble, later):
    troubled.trouble, troubled.later = trouble, later
    with pytest.raises(UnavailableError, match=r"^tracking.uri: ") as told:
        open_store(f"http://127.0.0.1:{troubled.server_port}")
    assert "\n" not in str(told.value)
    assert told.value.__cause__ is not None


def test_a_database_that_takes_the_call_and_says_nothing_is_away_before_long(monkeypatch):
    pytest.importorskip("psycopg")
    monkeypatch.setattr(store, "CALL", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        uri = f"postgresql+psycopg://me:secret@127.0.0.1:{silent.getsockname()[1]}/db"
        with pytest.raises(InputError, match=r"me:\*\*\*@127.* cannot be opened \(no answer"):
            open_store(uri)


@pytest.mark.parametrize(
    "password", ["a b", "a#b", "a/b", "p@w", "50%", "a'b", 'a"b', "a:b", "?x=y&z", "a[b", "пароль"]
)
@pytest.mark.parametrize("form", ["postgresql://me:{}@127.0.0.1:9/db", "http://me:{}@127.0.0.1:9"])
def test_no_password_is_ever_told_and_none_ends_in_a_trace(password, form, caplog):
    with pytest.raises(InputError) as told:
        open_store(form.format(password))
    assert "***" in str(told.value)
    assert password not in str(told.value)
    assert "\n" not in str(told.value)


def test_a_password_in_the_query_is_not_told():
    with pytest.raises(InputError) as told:
        open_store("postgresql://127.0.0.1:9/db?user=me&password=a b#c")
    assert "?user=me&password=***" in str(told.value)
    assert "a b#c" not in str(told.value)
