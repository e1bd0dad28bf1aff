"""lingmix-sync sends what runs left behind, and says what it cannot."""

from contextlib import suppress

import pytest
from mlflow import MlflowClient

from lingmix.commands.sync import sync
from lingmix.tracking.identity import HASH
from lingmix.tracking.lifecycle import STATE
from lingmix.tracking.outbox.journal import count_unsent
from lingmix.tracking.outbox.sender import open_outbox
from lingmix.tracking.run_folder import lock_folder


@pytest.fixture
def uri(output_dir):
    return f"sqlite:///{output_dir}/mlflow.db"


@pytest.fixture
def left(tmp_path):
    """A run of this test that found its store away."""

    def leave(uri, *, error=None):
        folder = tmp_path / "runs" / tmp_path.name / "identity"
        with (
            suppress(RuntimeError),
            open_outbox(
                uri,
                folder=folder,
                experiment=tmp_path.name,
                output_dir=tmp_path,
                run={"name": "run", "params": {}, "tags": {HASH: "identity"}, "parent": None},
                wait=0.0,
            ) as recorder,
        ):
            recorder.log_metrics({"loss": 0.5}, 1)
            if error:
                raise error
        return folder

    return leave


@pytest.fixture
def synced(configure, tmp_path):
    def of(*overrides):
        return sync(configure("sync", f"output_dir={tmp_path}", *overrides))

    return of


def run_of(uri, name):
    client = MlflowClient(uri)
    (run,) = client.search_runs([client.get_experiment_by_name(name).experiment_id])
    return run


def test_a_complete_run_is_sent_and_its_folder_gone(synced, uri, left, tmp_path, capsys):
    folder = left("http://127.0.0.1:9")
    assert "nothing is left to send" in synced(f"tracking.uri={uri}")
    run = run_of(uri, tmp_path.name)
    assert f"run: sent (run {run.info.run_id})" in capsys.readouterr().out
    assert run.data.tags[STATE] == "complete"
    assert run.data.metrics == {"loss": 0.5}
    assert not folder.exists()


def test_a_failed_run_is_sent_and_its_folder_stays_for_its_command(
    synced, uri, left, tmp_path, capsys
):
    folder = left("http://127.0.0.1:9", error=RuntimeError("out of luck"))
    synced(f"tracking.uri={uri}")
    assert "but not complete; run its command to resume" in capsys.readouterr().out
    assert run_of(uri, tmp_path.name).data.tags[STATE] == "failed"
    assert not count_unsent(folder)
    assert "nothing is left" in synced(f"tracking.uri={uri}")


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("http://127.0.0.1:9", "no MLflow server answers at http://127.0.0.1:9"),
        ("http://me:secret@127.0.0.1:9", "set tracking.uri, with its password"),
    ],
    ids=["away", "password"],
)
def test_what_cannot_be_sent_is_named_and_stays(synced, left, capsys, uri, told):
    folder = left(uri)
    with pytest.raises(SystemExit, match="1 runs have something left to send"):
        synced()
    assert told in capsys.readouterr().out
    assert count_unsent(folder) == 3


def test_a_run_that_is_at_work_is_left_to_itself(synced, uri, left, capsys):
    folder = left("http://127.0.0.1:9")
    with lock_folder(folder), pytest.raises(SystemExit):
        synced(f"tracking.uri={uri}")
    assert "another process is at work on this configuration" in capsys.readouterr().out
