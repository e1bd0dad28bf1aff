"""A journal finds its run again, or makes one that has everything."""

import shutil

import pytest

from lingmix.tracking.identity import HASH
from lingmix.tracking.lifecycle import STATE
from lingmix.tracking.outbox.delivery import Delivery
from lingmix.tracking.outbox.journal import SENT, Journal, count_unsent, read_records
from lingmix.tracking.outbox.sender import send_unsent
from lingmix.training.checkpoints import newest_state
from tests.tracking.conftest import run_of


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "work"


@pytest.fixture
def attempt(client, experiment, folder, tmp_path):
    """Records some steps and how they ended, and sends that; the run that has it."""

    def attempted(steps, state, *, output_dir="/here", send=True):
        journal = Journal(folder)
        journal.append(
            begin={
                "experiment": tmp_path.name,
                "output_dir": str(tmp_path),
                "run": {
                    "name": "run",
                    "params": {"output_dir": output_dir},
                    "tags": {HASH: "hash"},
                    "parent": None,
                },
            }
        )
        for step in steps:
            journal.append(metrics={"loss": 1.0 / (1 + step)}, step=step)
        journal.append(end={"state": state, "error": None if state == "complete" else "stopped"})
        journal.close()
        return sent_now(client, folder) if send else None

    return attempted


def sent_now(client, folder):
    delivery = Delivery(folder, client.tracking_uri)
    delivery.send()
    return delivery.run_id


def only_run(client, experiment):
    (run,) = client.search_runs([experiment])
    return run


def steps(client, run_id):
    return [one.step for one in client.get_metric_history(run_id, "loss")]


def assert_whole(client, experiment, *, count):
    run = only_run(client, experiment)
    assert run.data.tags[STATE] == "complete"
    assert steps(client, run.info.run_id) == [*range(count)]
    return run


def test_a_run_that_was_deleted_gets_a_new_one_with_its_earlier_steps(
    client, experiment, folder, attempt
):
    client.delete_run(attempt(range(2), "interrupted"))
    attempt(range(2, 3), "interrupted", send=False)
    again = attempt(range(3, 5), "complete")
    run = assert_whole(client, experiment, count=5)
    first, _ = next(read_records(folder))
    assert (run.info.run_id, run.info.start_time) == (again, first["at"])


def test_what_a_deleted_run_has_not_got_goes_to_a_new_one_with_the_rest(
    client, experiment, folder, attempt
):
    client.delete_run(attempt(range(2), "interrupted"))
    journal = Journal(folder)
    journal.append(metrics={"loss": 0.5}, step=2)
    journal.append(end={"state": "complete", "error": None})
    sent_now(client, folder)
    assert_whole(client, experiment, count=3)


def test_a_run_whose_output_dir_is_reached_by_another_path_goes_on_as_the_same(
    client, experiment, attempt
):
    first = attempt(range(3), "interrupted", output_dir="/there")
    assert attempt(range(3, 5), "complete", output_dir="/here") == first
    assert_whole(client, experiment, count=5)


def test_a_run_whose_experiment_was_renamed_gets_a_new_one_with_its_earlier_steps(
    client, experiment, attempt, tmp_path
):
    attempt(range(3), "interrupted")
    client.rename_experiment(experiment, f"{tmp_path.name} renamed")
    attempt(range(3, 5), "complete")
    named = client.get_experiment_by_name(tmp_path.name).experiment_id
    assert named != experiment
    assert_whole(client, named, count=5)


def test_a_complete_run_is_there_once_when_the_note_of_what_was_sent_is_lost(
    client, experiment, folder, attempt
):
    attempt(range(3), "interrupted")
    made = attempt(range(3, 5), "complete")
    before = only_run(client, experiment)
    (folder / SENT).unlink()
    assert sent_now(client, folder) == made
    run = assert_whole(client, experiment, count=5)
    assert run.info.start_time == before.info.start_time
    assert run.info.end_time == before.info.end_time


def test_a_complete_run_that_an_earlier_journal_began_is_there_once_too(
    client, experiment, folder, attempt
):
    made = attempt(range(2), "interrupted")
    shutil.rmtree(folder)
    assert attempt(range(2, 5), "complete") == made
    (folder / SENT).unlink()
    assert sent_now(client, folder) == made
    assert_whole(client, experiment, count=5)


def test_a_complete_run_whose_folder_was_removed_is_left_as_it_is_and_gets_no_double(
    client, experiment, folder, attempt, caplog
):
    first = attempt(range(3), "complete")
    shutil.rmtree(folder)
    assert attempt(range(5), "complete") is None
    assert_whole(client, experiment, count=3)
    assert not count_unsent(folder)
    assert f"complete already (run {first})" in caplog.text


def test_what_was_trained_again_is_sent_once_the_complete_run_is_deleted(
    client, experiment, folder, attempt
):
    first = attempt(range(3), "complete")
    shutil.rmtree(folder)
    attempt(range(5), "complete")
    client.delete_run(first)
    send_unsent(client.tracking_uri, folder=folder, wait=60.0)
    assert_whole(client, experiment, count=5)


def test_a_run_begun_again_is_whole_where_the_complete_one_is_deleted_meanwhile(
    client, experiment, folder, attempt
):
    first = attempt(range(3), "complete")
    shutil.rmtree(folder)
    attempt(range(2), "interrupted")
    client.delete_run(first)
    attempt(range(2, 5), "complete")
    assert_whole(client, experiment, count=5)


def test_a_complete_run_of_another_output_dir_is_left_to_it(client, experiment, folder, attempt):
    other = {"output_dir": "/there"}
    with run_of(client, experiment, params=other, tags={HASH: "hash"}) as there:
        client.delete_run(attempt(range(3), "complete"))
    (folder / SENT).unlink()
    assert sent_now(client, folder) != there


def test_a_training_that_begins_removes_unfinished_checkpoints_and_no_unfinished_note(folder):
    folder.mkdir()
    notes = {folder / f"{SENT}.unfinished", folder / "config.unfinished"}
    checkpoints = [folder / f"{kind}-000000003.unfinished" for kind in ("state", "best")]
    for path in [*notes, *checkpoints]:
        path.touch()
    newest_state(folder, {})
    assert {*folder.iterdir()} == notes
