from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest

from lingmix.tracking.lifecycle import begin_run, end_run, ending
from lingmix.tracking.store import bounded
from lingmix.tracking.store import client as store
from lingmix.tracking.store.client import experiment_of, open_store


@pytest.fixture(scope="package")
def client(tmp_path_factory):
    """One store for all: making a new one takes seconds."""
    return open_store(f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db")


@pytest.fixture
def experiment(client, tmp_path):
    return experiment_of(client, tmp_path.name, output_dir=tmp_path)


@contextmanager
def run_of(client, experiment, *, params, tags, name="run"):
    """The id of a run that ends as what happened to it, written without a journal."""
    run_id = begin_run(
        client, experiment=experiment, name=name, params=params, tags=tags, parent=None
    )
    try:
        yield run_id
    except BaseException as error:
        end_run(client, run_id, **ending(error))
        raise
    end_run(client, run_id, **ending(None))


class Trouble(BaseHTTPRequestHandler):
    """A server that says it is there, if its `trouble` begins later, and then is none."""

    def do_GET(self) -> None:
        if self.path == "/health" and self.server.later:
            self.send_response(200)
            self.end_headers()
            return
        match self.server.trouble:
            case "500":
                self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR)
            case "drip":
                with suppress(OSError):
                    while not self.server.over.wait(0.02):
                        self.wfile.write(b"H")
            case "hang":
                self.server.asked.set()
                self.server.over.wait(60)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def troubled(monkeypatch) -> Iterator[ThreadingHTTPServer]:
    monkeypatch.setattr(store, "ANSWER", 0.5)
    monkeypatch.setattr(store, "TRY", 0.5)
    monkeypatch.setattr(bounded, "CALL", 0.5)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with ThreadingHTTPServer(("127.0.0.1", 0), Trouble) as server:
        server.over, server.asked = Event(), Event()
        server.daemon_threads, server.block_on_close = True, False
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.over.set()
        server.shutdown()
