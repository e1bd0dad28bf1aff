"""Many processes at one fresh SQLite store."""

import multiprocessing
import os
import signal
import sqlite3
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Param
from mlflow.exceptions import MlflowException

from lingmix.tracking.history import complete_runs
from lingmix.tracking.identity import HASH
from lingmix.tracking.outbox.sender import open_outbox
from lingmix.tracking.store import contention
from lingmix.tracking.store.client import experiment_of, open_store
from lingmix.tracking.store.contention import create_store, with_lock_retries
from tests.rounds import ROUNDS
from tests.tracking.statements import counted

STEPS = 20
WARM = multiprocessing.get_context("forkserver")
WARM.set_forkserver_preload(["tests.tracking.store.test_contention"])


def log(uri: str, folder: Path, identity: str) -> None:
    with open_outbox(
        uri,
        folder=folder / identity,
        experiment="shared",
        output_dir=folder,
        run={
            "name": identity,
            "params": {f"key{n}": n for n in range(20)},
            "tags": {HASH: identity},
            "parent": None,
        },
        wait=60.0,
    ) as recorder:
        for step in range(1, STEPS + 1):
            recorder.log_metrics({"loss": 1 / step, "lr": float(step)}, step)
            recorder.flush()


@pytest.mark.parametrize("many", [4, pytest.param(min(8 * ROUNDS, 64), marks=pytest.mark.chaos)])
def test_processes_that_log_at_once_into_a_fresh_store_lose_no_metric(tmp_path, many):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    processes = [WARM.Process(target=log, args=(uri, tmp_path, str(n))) for n in range(many)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * many
    client = open_store(uri)
    runs = complete_runs(client, experiment_of(client, "shared", output_dir=tmp_path))
    assert set(runs) == {str(n) for n in range(many)}
    for run in runs.values():
        assert len(run.data.params) == 20
        for name, value in (("loss", lambda step: 1 / step), ("lr", float)):
            history = client.get_metric_history(run.info.run_id, name)
            assert sorted((one.step, one.value) for one in history) == [
                (step, value(step)) for step in range(1, STEPS + 1)
            ]


def killed(path: Path, at: int) -> None:
    """Before the `at`-th of some 1,760 statements that make a store."""
    with counted() as statements:
        statements.arm(lambda _: os.kill(os.getpid(), signal.SIGKILL), at=at)
        create_store(path)


@pytest.mark.parametrize("at", [100, 1700])
def test_a_store_whose_maker_was_killed_is_made_by_the_next(tmp_path, at):
    path = tmp_path / "mlflow.db"
    process = WARM.Process(target=killed, args=(path, at))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    unfinished = path.with_name("mlflow.db.unfinished")
    assert unfinished.exists()
    assert not path.exists()
    client = open_store(f"sqlite:///{path}")
    assert client.get_experiment_by_name("Default") is not None
    assert not unfinished.exists()


class Locked(MlflowClient):
    """Its store is locked for as many calls as it is told."""

    def __init__(self, uri: str, message: str) -> None:
        super().__init__(uri)
        self.calls, self.message = 0, message

    def search_experiments(self, *args, **kwargs):
        self.calls += 1
        if self.calls < 3:
            raise MlflowException(self.message)
        return super().search_experiments(*args, **kwargs)


def test_a_call_that_finds_the_store_locked_is_tried_again(client):
    locked = Locked(client.tracking_uri, "(sqlite3.OperationalError) database is locked")
    assert with_lock_retries(locked).search_experiments(max_results=1)
    assert locked.calls == 3


def test_no_other_error_is_tried_again(client):
    broken = Locked(client.tracking_uri, "no such table: runs")
    with pytest.raises(MlflowException, match="no such table"):
        with_lock_retries(broken).search_experiments(max_results=1)
    assert broken.calls == 1


def test_every_call_that_is_tried_again_is_one_of_the_client():
    assert all(hasattr(MlflowClient, name) for name in contention.CALLS)


def test_params_that_an_earlier_try_of_the_call_writes_at_the_same_time_are_found(tmp_path):
    """A server that was slow refused the second as a bad request, and so the run."""
    path = tmp_path / "mlflow.db"
    client = open_store(f"sqlite:///{path}")
    run_id = client.create_run(experiment_of(client, "one", output_dir=tmp_path)).info.run_id

    def earlier(_: object) -> None:
        with sqlite3.connect(path) as other:
            other.execute("INSERT INTO params (key, value, run_uuid) VALUES ('a', 1, ?)", [run_id])

    with counted() as statements:
        statements.arm(earlier, at=1, writes=True)
        client.log_batch(run_id, params=[Param("a", "1"), Param("b", "2")])
    assert client.get_run(run_id).data.params == {"a": "1", "b": "2"}
