"""What a run writes down reaches a store once, whatever happens on the way."""

import math
import os
import resource
import signal
import sqlite3
import threading

import pytest
from mlflow import MlflowClient

from lingmix.errors import InputError
from lingmix.tracking.history import complete_runs
from lingmix.tracking.identity import HASH
from lingmix.tracking.lifecycle import ERROR, STATE
from lingmix.tracking.outbox.delivery import Delivery
from lingmix.tracking.outbox.journal import (
    JOURNAL,
    SENT,
    Journal,
    count_unsent,
    final_state,
    read_progress,
    read_records,
)
from lingmix.tracking.outbox.recorder import RunRecorder
from lingmix.tracking.outbox.sender import open_outbox, send_unsent
from lingmix.tracking.store.client import experiment_of

NOWHERE = "http://127.0.0.1:9"
"""Nothing listens at this port."""


@pytest.fixture
def experiment(client, tmp_path):
    return experiment_of(client, tmp_path.name, output_dir=tmp_path)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "work"


def recorded(folder, uri, *, wait=5.0, params=None):
    return open_outbox(
        uri,
        folder=folder,
        experiment=folder.parent.name,
        output_dir=folder.parent,
        run={
            "name": "run",
            "params": {"output_dir": str(folder.parent), "rate": 0.1} | (params or {}),
            "tags": {HASH: "hash"},
            "parent": None,
        },
        wait=wait,
    )


def train(recorder, folder, *, steps=range(1, 4)):
    for step in steps:
        recorder.log_metrics({"loss": 1 / step, "epoch": 0.0}, step)
    (folder / "left").mkdir(exist_ok=True)
    (folder / "left" / "scores.json").write_text("{}")
    recorder.log_files(folder / "left")
    recorder.log_metrics({"test/map": 0.25})


LOSSES = [(1, 1.0), (2, 1 / 2), (3, 1 / 3)]


def history(client, run_id, name="loss"):
    return [(one.step, one.value) for one in client.get_metric_history(run_id, name)]


def only_run(client, experiment):
    (run,) = client.search_runs([experiment])
    return run


def assert_whole(client, experiment):
    run = only_run(client, experiment)
    assert run.data.tags[STATE] == "complete"
    assert run.info.status == "FINISHED"
    assert run.data.params["rate"] == "0.1"
    assert history(client, run.info.run_id) == LOSSES
    assert history(client, run.info.run_id, "test/map") == [(0, 0.25)]
    assert [one.path for one in client.list_artifacts(run.info.run_id)] == ["scores.json"]


def records(folder):
    return [record for record, _ in read_records(folder)]


def test_numbers_come_back_as_they_were(folder):
    Journal(folder).append(metrics={"a": 0.1 + 0.2, "b": math.inf, "c": math.nan}, step=2)
    (record,) = records(folder)
    assert record["step"] == 2
    assert record["metrics"]["a"] == 0.1 + 0.2
    assert record["metrics"]["b"] == math.inf
    assert math.isnan(record["metrics"]["c"])


@pytest.mark.parametrize("cut", [1, 5])
def test_a_last_line_that_was_cut_short_is_dropped(folder, cut):
    journal = Journal(folder)
    journal.append(metrics={"loss": 1.0}, step=1)
    journal.append(metrics={"loss": 2.0}, step=2)
    os.truncate(folder / JOURNAL, journal.size - cut)
    again = Journal(folder)
    assert again.last_steps == {"loss": 1}
    again.append(metrics={"loss": 3.0}, step=3)
    assert [record["step"] for record in records(folder)] == [1, 3]


def test_what_does_not_fit_on_the_disk_is_one_line_and_leaves_the_journal_whole(folder):
    journal = Journal(folder)
    journal.append(metrics={"loss": 1.0}, step=1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (journal.size + 20, before[1]))
    try:
        with pytest.raises(InputError, match=r"output_dir: .* does not fit into") as full:
            journal.append(metrics={"loss": 2.0}, step=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "\n" not in str(full.value)
    journal.append(metrics={"loss": 3.0}, step=3)
    assert [record["step"] for record in records(folder)] == [1, 3]


def test_a_journaled_run_is_whole_in_the_store(client, experiment, folder):
    with recorded(folder, client.tracking_uri) as recorder:
        assert only_run(client, experiment).info.status == "RUNNING"
        train(recorder, folder)
    assert_whole(client, experiment)
    assert not count_unsent(folder)


def test_a_run_without_a_store_is_whole_after_it_is_sent(client, experiment, folder, caplog):
    with recorded(folder, NOWHERE, wait=0.2) as recorder:
        train(recorder, folder)
    assert "no MLflow server answers at http://127.0.0.1:9" in caplog.text
    assert caplog.text.count("no MLflow server answers") == 1
    assert count_unsent(folder) == 7
    assert final_state(folder) == "complete"
    send_unsent(client.tracking_uri, folder=folder, wait=5.0)
    assert_whole(client, experiment)
    assert not count_unsent(folder)


def test_a_run_keeps_the_times_it_had_without_a_store(client, experiment, folder):
    with recorded(folder, NOWHERE, wait=0.2) as recorder:
        train(recorder, folder)
    Delivery(folder, client.tracking_uri).send()
    run = only_run(client, experiment)
    begin, *_, end = records(folder)
    assert (run.info.start_time, run.info.end_time) == (begin["at"], end["at"])


def test_what_is_sent_again_is_there_once(client, experiment, folder):
    """The note of what was sent is lost, before the end and after it."""
    with recorded(folder, NOWHERE, wait=0.0) as recorder:
        train(recorder, folder)
    lines = (folder / JOURNAL).read_bytes().splitlines(keepends=True)
    (folder / JOURNAL).write_bytes(b"".join(lines[:-1]))
    Delivery(folder, client.tracking_uri).send()
    (folder / SENT).unlink()
    (folder / JOURNAL).write_bytes(b"".join(lines))
    Delivery(folder, client.tracking_uri).send()
    assert_whole(client, experiment)


def test_a_batch_whose_answer_was_lost_is_there_once(client, experiment, folder, monkeypatch):
    with recorded(folder, NOWHERE, wait=0.0) as recorder:
        train(recorder, folder)
    take, lost = MlflowClient.log_batch, []

    def take_and_lose(self, run_id, metrics=(), **others):
        take(self, run_id, metrics, **others)
        if metrics and len(lost) < 2:
            lost.append(len(metrics))
            raise ConnectionError("the answer is lost")

    monkeypatch.setattr(MlflowClient, "log_batch", take_and_lose)
    send_unsent(client.tracking_uri, folder=folder, wait=10.0)
    assert lost == [3, 3]
    assert_whole(client, experiment)


def test_a_run_that_was_created_without_an_answer_is_found_again(
    client, experiment, folder, monkeypatch
):
    with recorded(folder, NOWHERE, wait=0.0) as recorder:
        train(recorder, folder)
    create, lost = MlflowClient.create_run, []

    def create_and_lose(self, *arguments, **others):
        run = create(self, *arguments, **others)
        if not lost:
            lost.append(run)
            raise ConnectionError("the answer is lost")
        return run

    monkeypatch.setattr(MlflowClient, "create_run", create_and_lose)
    send_unsent(client.tracking_uri, folder=folder, wait=10.0)
    assert lost
    assert_whole(client, experiment)


def test_a_run_that_stopped_without_a_store_goes_on_in_the_same_run(client, experiment, folder):
    with pytest.raises(RuntimeError), recorded(folder, NOWHERE, wait=0.0) as recorder:
        train(recorder, folder, steps=range(1, 3))
        raise RuntimeError("out of luck")
    Delivery(folder, client.tracking_uri).send()
    stopped = only_run(client, experiment)
    assert (stopped.info.status, stopped.data.tags[STATE]) == ("FAILED", "failed")
    with recorded(folder, client.tracking_uri) as recorder:
        train(recorder, folder, steps=range(2, 4))
    assert only_run(client, experiment).info.run_id == stopped.info.run_id
    assert ERROR not in only_run(client, experiment).data.tags
    assert_whole(client, experiment)


def test_a_journal_that_lost_its_end_is_filled_up_and_no_step_is_there_twice(
    client, experiment, folder
):
    """As after a power loss: the store has what the journal has no more."""
    with pytest.raises(KeyboardInterrupt), recorded(folder, client.tracking_uri) as recorder:
        train(recorder, folder)
        raise KeyboardInterrupt
    lines = (folder / JOURNAL).read_bytes().splitlines(keepends=True)
    (folder / JOURNAL).write_bytes(b"".join(lines[:2]))
    with recorded(folder, client.tracking_uri) as recorder:
        train(recorder, folder, steps=range(2, 4))
    assert_whole(client, experiment)


def test_a_journal_goes_whole_to_another_store(client, experiment, folder, tmp_path):
    with recorded(folder, f"sqlite:///{tmp_path}/first.db") as recorder:
        train(recorder, folder)
    Delivery(folder, client.tracking_uri).send()
    assert_whole(client, experiment)
    assert read_progress(folder)["uri"] == client.tracking_uri


def test_more_metrics_than_a_call_takes_all_arrive(client, experiment, folder):
    with recorded(folder, client.tracking_uri) as recorder:
        recorder.log_metrics({f"many/{n}": float(n) for n in range(1500)}, 1)
        for step in range(600):
            recorder.log_metrics({"one": 1.0, "two": 2.0}, step)
    run = complete_runs(client, experiment)["hash"]
    assert run.data.metrics["many/1499"] == 1499.0
    assert [step for step, _ in history(client, run.info.run_id, "two")] == [*range(600)]


def test_a_store_that_refuses_the_run_says_so_before_it_starts(client, experiment, folder):
    client.delete_experiment(experiment)
    with (
        pytest.raises(InputError, match="was deleted; restore it"),
        recorded(folder, client.tracking_uri),
    ):
        raise AssertionError("it has started")
    assert records(folder) == []


def test_the_password_of_the_store_is_not_written_down(folder):
    with recorded(folder, "http://me:secret@127.0.0.1:9", wait=0.0):
        pass
    assert all("secret" not in path.read_text() for path in folder.iterdir())


def test_steps_that_the_journal_has_are_not_recorded_again(folder):
    journal = Journal(folder)
    journal.append(metrics={"loss": 1.0}, step=2)
    recorder = RunRecorder(Journal(folder))
    recorder.log_metrics({"loss": 2.0, "lr": 3.0, "epoch": 0.0}, 2)
    recorder.log_metrics({"epoch": 0.0}, 3)
    recorder.log_metrics({"loss": 4.0}, 3)
    told = [(record["metrics"], record["step"]) for record in records(folder)]
    assert told == [({"loss": 1.0}, 2), ({"lr": 3.0}, 2), ({"loss": 4.0}, 3)]


def test_a_local_store_that_is_busy_is_waited_for(client, experiment, folder):
    """Another process writes for longer than the run waits for a store that is away."""
    with recorded(folder, client.tracking_uri, wait=0.5) as recorder:
        train(recorder, folder)
        path = client.tracking_uri.removeprefix("sqlite:///")
        busy = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        busy.execute("begin exclusive")
        threading.Timer(2.0, busy.rollback).start()
    assert_whole(client, experiment)
    assert not count_unsent(folder)
