"""A run whose folder was removed is trained anew, and no figure of the old one stays in it."""

import shutil

import pytest

from lingmix.tracking.history import complete_run
from lingmix.tracking.identity import HASH
from lingmix.tracking.lifecycle import ERROR, JOURNAL_ID, STATE
from lingmix.tracking.outbox.sender import open_outbox
from lingmix.tracking.pages.sweep_run import record_failure


@pytest.fixture
def train(client, experiment, tmp_path):
    """Records a run of one configuration in one folder, which may be stopped; its figure."""

    def trained(score, *, stopped=False):
        with open_outbox(
            client.tracking_uri,
            folder=tmp_path / "work",
            experiment=tmp_path.name,
            output_dir=tmp_path,
            run={
                "name": "run",
                "params": {"output_dir": str(tmp_path)},
                "tags": {HASH: "hash"},
                "parent": None,
            },
            wait=60.0,
        ) as recorder:
            recorder.log_metrics({"test/set/monolingual/map": score}, 0)
            if stopped:
                raise KeyboardInterrupt

    return trained


def runs(client, experiment):
    return {run.data.tags[STATE]: run for run in client.search_runs([experiment])}


def test_a_run_trained_anew_has_its_own_figures_and_the_old_one_says_so(
    client, experiment, train, tmp_path
):
    """Once the complete run kept the .1 of the run before where its scores.json said .9."""
    with pytest.raises(KeyboardInterrupt):
        train(0.1, stopped=True)
    shutil.rmtree(tmp_path / "work")
    train(0.9)
    found = runs(client, experiment)
    assert set(found) == {"complete", "superseded"}
    complete, old = found["complete"], found["superseded"]
    assert complete.data.metrics == {"test/set/monolingual/map": 0.9}
    assert old.data.metrics == {"test/set/monolingual/map": 0.1}
    assert old.data.tags[ERROR].endswith(f"trained anew as run {complete.info.run_id}")
    assert (old.info.status, complete.info.status) == ("KILLED", "FINISHED")
    assert complete_run(client, experiment, "hash").info.run_id == complete.info.run_id


def test_a_run_whose_folder_is_there_goes_on_as_the_same_run(client, experiment, train, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(0.1, stopped=True)
    before = client.search_runs([experiment])[0]
    (tmp_path / "work" / "sent.json").unlink()  # as if its last write was lost
    train(0.1)
    (run,) = client.search_runs([experiment])
    assert run.info.run_id == before.info.run_id
    assert run.data.tags[JOURNAL_ID] == before.data.tags[JOURNAL_ID]
    assert run.data.tags[STATE] == "complete"


def test_the_word_of_a_cell_that_failed_before_it_had_a_run_becomes_the_run(
    client, experiment, train
):
    record_failure(
        client, experiment, parent="p", name="run", tags={HASH: "hash"}, error="no such data"
    )
    train(0.9)
    (run,) = client.search_runs([experiment])
    assert run.data.tags[STATE] == "complete"
    assert ERROR not in run.data.tags
