"""Runs recorded by a real MLflow server, which proxies artifacts, and by PostgreSQL."""

import json
import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from benchmarks.harness.server import Server, free_port
from hydra import compose, initialize_config_dir
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts

from lingmix.cli.config import CONF
from lingmix.commands.sync import sync
from lingmix.commands.train import train
from lingmix.tracking.lifecycle import STATE
from lingmix.tracking.per_query import per_query_files
from lingmix.tracking.system_metrics import SYSTEM
from tests.changes import once
from tests.conftest import QUICK
from tests.postgresql import postgresql
from tests.test_resume import CLOCKED
from tests.unreliable import GONE, Unreliable, unreliable

STEPS = 24
RUN = [
    *QUICK,
    f"trainer.max_steps={STEPS}",
    "trainer.val_check_interval=8",
    "encoder.scratch.layers=1",
    "checkpoint.every_steps=4",
]


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("server"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def server(running):
    """At work at the start of each test."""
    if not running.runs:
        running.start()
    return running


@pytest.fixture
def proxy(server) -> Iterator[Unreliable]:
    """Of the server, which it can hide."""
    with unreliable(server.uri) as proxy:
        yield proxy


class Run:
    def __init__(self, output_dir: Path, name: str, uri: str) -> None:
        self.output_dir, self.name, self.uri = output_dir, name, uri
        overrides = [f"output_dir={output_dir}", f"name={name}", f"tracking.uri='{uri}'", *RUN]
        with initialize_config_dir(str(CONF), version_base="1.3"):
            self.config = compose("train", overrides)

    def train(self, wait: float = 30.0) -> str:
        self.config.tracking.wait = wait
        return train(self.config)

    def sync(self, *overrides: str) -> str:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return sync(compose("sync", [f"output_dir={self.output_dir}", *overrides]))

    @property
    def folders(self) -> list[Path]:
        return [path.parent for path in self.output_dir.glob(f"runs/{self.name}/*/journal.jsonl")]

    @property
    def recorded(self):
        client = MlflowClient(self.uri)
        experiment = client.get_experiment_by_name(self.name)
        (run,) = client.search_runs([experiment.experiment_id])
        return run

    @property
    def history(self):
        client, run = MlflowClient(self.uri), self.recorded
        return {
            name: [
                (one.step, None if CLOCKED.search(name) else one.value)
                for one in client.get_metric_history(run.info.run_id, name)
            ]
            for name in run.data.metrics
            if not name.startswith(SYSTEM)
        }

    def assert_whole(self, alone) -> None:
        run = self.recorded
        assert run.info.status == "FINISHED"
        assert run.data.tags[STATE] == "complete"
        assert self.history == alone
        artifacts = MlflowClient(self.uri).list_artifacts(run.info.run_id)
        names = {one.path for one in artifacts}
        assert {"config.yaml", "scores.json", "per_query.parquet", "model"} <= names
        assert self.folders == []


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What a local file records of the run."""
    folder = tmp_path_factory.mktemp("alone")
    run = Run(folder, "alone", f"sqlite:///{folder}/mlflow.db")
    run.train()
    return run.history


@pytest.fixture
def run(tmp_path):
    """Of this test, at a store."""

    def made(uri: str) -> Run:
        return Run(tmp_path, tmp_path.name, uri)

    return made


def at_a_checkpoint(run: Run, work: Callable[[], object]) -> AbstractContextManager[None]:
    """Does the work as soon as the run has one."""
    return once(lambda: [*run.output_dir.glob("runs/*/*/state-*.ckpt")], work)


class Heard(logging.Handler):
    """Does the work when that is said."""

    def __init__(self, said: str, work: Callable[[], object]) -> None:
        super().__init__()
        self._said, self._work = said, work

    def emit(self, record: logging.LogRecord) -> None:
        if self._said in record.getMessage():
            self._work()


def test_a_server_has_the_run_with_its_artifacts(server, run, alone):
    ours = run(server.uri)
    ours.train()
    ours.assert_whole(alone)
    where = f"{ours.recorded.info.artifact_uri}/scores.json"
    scores = json.loads(Path(download_artifacts(where, tracking_uri=server.uri)).read_text())
    metrics = ours.recorded.data.metrics
    recorded = {name: score for name, score in scores.items() if name in metrics}
    assert "test/cldr_currency/monolingual/map" in recorded
    assert recorded.items() <= metrics.items()
    assert recorded.keys() < scores.keys()
    assert ours.recorded.info.artifact_uri.startswith("mlflow-artifacts:")


def test_the_scores_of_queries_are_fetched_from_a_server_once(server, run, tmp_path):
    ours = run(server.uri)
    ours.train()
    run_id, uri = ours.recorded.info.run_id, ours.recorded.info.artifact_uri
    cells = pl.DataFrame({"run_id": [run_id], "artifact_uri": [uri]})
    files = per_query_files(MlflowClient(server.uri), cells, tmp_path)
    assert files == {run_id: tmp_path / run_id / "per_query.parquet"}
    assert {*pl.scan_parquet(files[run_id]).select("set").unique().collect()["set"]} == {
        "cldr_currency",
        "cldr_geography",
    }
    nowhere = MlflowClient("http://127.0.0.1:9")
    assert per_query_files(nowhere, cells, tmp_path) == files
    assert [*tmp_path.rglob("*.parquet")] == [*files.values()]


@pytest.mark.chaos
def test_a_server_absent_from_beginning_to_end_misses_nothing_once_synced(
    proxy, run, alone, capsys, caplog
):
    proxy.arm(fault=GONE, at=1)
    ours = run(proxy.uri)
    told = ours.train(wait=0.5)
    assert "mAP" in told
    assert "records are pending in" in told
    assert f"`lingmix-sync output_dir={ours.output_dir}`" in told
    assert caplog.text.count("no MLflow server answers at") == 1
    with pytest.raises(SystemExit, match="1 runs have something left to send"):
        ours.sync()
    assert "no MLflow server answers" in capsys.readouterr().out
    proxy.repair()
    assert "nothing is left to send" in ours.sync()
    assert "sent (run" in capsys.readouterr().out
    ours.assert_whole(alone)


@pytest.mark.chaos
def test_the_same_command_sends_what_is_left_and_trains_no_more(proxy, run, alone):
    proxy.arm(fault=GONE, at=1)
    ours = run(proxy.uri)
    ours.train(wait=0.0)
    assert "complete already\n" in ours.train(wait=0.0)
    proxy.repair()
    assert ours.train().endswith("complete already")
    ours.assert_whole(alone)
    assert "complete already (run " in ours.train()


@pytest.mark.chaos
def test_a_server_killed_and_restarted_during_a_run_misses_nothing(server, run, alone):
    """It is there again as soon as its absence was met."""
    restarting = Heard("the run continues", server.start)
    logging.getLogger("lingmix").addHandler(restarting)
    ours = run(server.uri)
    try:
        with at_a_checkpoint(ours, server.kill):
            ours.train(wait=60.0)
    finally:
        logging.getLogger("lingmix").removeHandler(restarting)
    assert server.runs
    ours.assert_whole(alone)


@pytest.mark.chaos
def test_a_server_that_hangs_does_not_hold_up_the_run(server, run, alone):
    ours = run(server.uri)
    try:
        with at_a_checkpoint(ours, partial(server.tell, signal.SIGSTOP)):
            told = ours.train(wait=1.0)  # to its end, while the server still hangs
    finally:
        server.tell(signal.SIGCONT)
    assert "records are pending in" in told
    ours.train()
    ours.assert_whole(alone)


@pytest.fixture(scope="module")
def postgres():
    with postgresql() as server:
        yield server.uri


def test_postgresql_has_the_run_once(postgres, run, alone):
    ours = run(postgres)
    ours.train()
    ours.assert_whole(alone)
    assert ours.recorded.info.artifact_uri.startswith(ours.output_dir.as_uri())
    assert "secret" not in str(ours.recorded.data.params)


def test_a_database_that_is_away_misses_nothing_once_synced(postgres, run, alone, capsys):
    ours = run(f"postgresql://me:secret@127.0.0.1:{free_port()}/postgres")
    assert "records are pending in" in ours.train(wait=0.0)
    with pytest.raises(SystemExit):
        ours.sync()
    assert "set tracking.uri, with its password" in capsys.readouterr().out
    ours.sync(f"tracking.uri='{postgres}'")
    ours.uri = postgres
    ours.assert_whole(alone)
