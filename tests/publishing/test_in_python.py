"""Recorded runs in a notebook, and as MLflow serves them."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import numpy as np
import pytest
import requests
from mlflow.exceptions import MlflowException

import lingmix
from lingmix.errors import InputError
from lingmix.publishing.registry import EXAMPLE, described, register, save_served
from lingmix.tracking.lifecycle import COMPLETE, STATE
from tests.publishing.conftest import MAP

TEXTS = ["Which currency is used in Japan?", "Kürzer.", "Der Yen ist die Währung von Japan."]


@pytest.fixture(scope="module")
def encoder(trained):
    return lingmix.load(trained.recorded.id, uri=trained.recorded.client.tracking_uri)


def test_a_run_is_loaded_and_the_runs_are_a_frame(trained, encoder):
    uri = trained.recorded.client.tracking_uri
    frame = lingmix.runs("published", uri=uri)
    assert frame["run_id"].to_list() == [trained.recorded.id]
    assert frame[MAP][0] == trained.recorded.scores[MAP]
    queries, passages = encoder.queries(TEXTS), encoder.passages(TEXTS)
    assert queries.shape == passages.shape == (3, encoder.dimension)
    np.testing.assert_allclose(np.linalg.norm(queries, axis=1), 1, atol=1e-6)
    assert abs(queries - passages).max() > 1e-3
    assert (encoder.encode([], "query").shape, encoder.dimension) == ((0, 16), 16)


def test_the_store_is_that_of_the_folder_or_of_the_environment(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"multirun/mlflow.db yet"):
        lingmix.runs("published")
    monkeypatch.setenv("LINGMIX_TRACKING_URI", trained.recorded.client.tracking_uri)
    assert lingmix.runs("published").height == 1
    with pytest.raises(InputError, match=r"role: must be one of query, passage, got 'doc'"):
        lingmix.load(f"runs:/{trained.recorded.id}").encode(["a"], "doc")


@pytest.fixture(scope="module")
def served(exported, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("served") / "model"
    save_served(exported[0], path)
    return path


def test_the_example_of_the_model_is_encoded_as_the_encoder_does(served, encoder):
    model = mlflow.pyfunc.load_model(str(served))
    rows = model.predict(mlflow.models.Model.load(str(served)).load_input_example(str(served)))
    for text, role, row in zip(*EXAMPLE.values(), rows, strict=True):
        np.testing.assert_allclose(row, encoder.encode([text], role)[0], atol=1e-5)
    assert [*served.rglob("*.pkl")] == []


def test_the_registry_has_a_version_that_says_which_run_it_is_of(trained, exported):
    client = trained.recorded.client
    before = trained.recorded.run.data.to_dictionary()
    arguments = (client, trained.recorded, exported[0], "retriever")
    assert register(*arguments) == "models:/retriever/1"
    assert register(*arguments) == "models:/retriever/2"
    version = client.get_model_version("retriever", "2")
    assert (version.run_id, version.status) == (trained.recorded.id, "READY")
    assert version.tags == {
        "lingmix.run": trained.recorded.id,
        "lingmix.languages": "de, en",
        "lingmix.dimension": "16",
    }
    assert "Language bias" in version.description
    assert (
        'load_model("models:/retriever/1")' in client.get_registered_model("retriever").description
    )
    after = client.get_run(trained.recorded.id)
    assert after.data.to_dictionary() == before
    assert after.info.end_time == trained.recorded.run.info.end_time
    assert after.data.tags[STATE] == COMPLETE


def test_a_version_is_described_by_what_is_true_outside_its_folder():
    """MLflow has not the folder's figures, and shows tags and signature below the text."""
    parts = ["---\na: 1\n---\n\n# name\n\nFirst.\n", "Use\n\ncode", "Scores\n\n![a](a.png)\n"]
    parts += ["Not tested\n\n- much", "Training\n\n- long"]
    said = described("\n## ".join(parts))
    assert said == "First.\n\n## Scores\n\n\n## Not tested\n\n- much"


class Served:
    """`mlflow models serve`, on loopback."""

    def __init__(self, path: Path, log: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        command = ["models", "serve", "-m", path, "--env-manager", "local", "-h", "127.0.0.1"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", *command, "-p", str(port)],
            stdout=log.open("w"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        )
        while self.process.poll() is None:
            try:
                requests.get(f"{self.url}/ping", timeout=5).raise_for_status()
            except requests.RequestException:
                time.sleep(0.2)
            else:
                return
        raise AssertionError(log.read_text())

    def ask(self, records: list[dict]) -> tuple[int, dict]:
        asked = {"dataframe_records": records}
        answer = requests.post(f"{self.url}/invocations", json=asked, timeout=60)
        return answer.status_code, answer.json()


@pytest.fixture(scope="module")
def endpoint(served, tmp_path_factory):
    running = Served(served, tmp_path_factory.mktemp("log") / "serve.log")
    yield running
    os.killpg(running.process.pid, 15)
    running.process.wait()


def test_the_endpoint_tells_queries_from_passages(endpoint, encoder):
    rows = [{"text": text, "input_type": role} for text in TEXTS for role in ("query", "passage")]
    status, answer = endpoint.ask(rows)
    assert status == 200
    expected = [encoder.encode([row["text"]], row["input_type"])[0] for row in rows]
    np.testing.assert_allclose(answer["predictions"], expected, atol=1e-5)
    assert not np.allclose(answer["predictions"][0], answer["predictions"][1], atol=1e-3)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"text": "a", "input_type": "doc"}, "must be one of query, passage, got 'doc'"),
        ({"text": "a"}, "input_type"),
        ({"text": 7, "input_type": "query"}, "text"),
    ],
)  # fmt: skip
def test_a_wrong_request_gets_a_clear_error(endpoint, row, says):
    status, answer = endpoint.ask([row])
    assert status == 400
    assert says in answer["message"]


def test_a_wrong_input_type_raises_in_python_too(served):
    model = mlflow.pyfunc.load_model(str(served))
    with pytest.raises(MlflowException, match="input_type: must be one of query, passage"):
        model.predict([{"text": "a", "input_type": "queries"}])
