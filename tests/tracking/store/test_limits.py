"""What is too long or oddly named for MLflow never fails a run."""

import math

import pytest

from lingmix.errors import InputError
from lingmix.tracking.identity import HASH
from lingmix.tracking.lifecycle import NOTE
from lingmix.tracking.outbox.journal import Journal
from lingmix.tracking.outbox.recorder import RunRecorder
from lingmix.tracking.outbox.sender import open_outbox
from lingmix.tracking.store.client import experiment_of
from lingmix.tracking.store.limits import CUT, cut, cut_distinct, mlflow_key
from tests.tracking.conftest import run_of


def test_what_is_cut_is_told_apart_from_another_with_its_beginning():
    one, other = (cut_distinct("x" * 30 + end, 25) for end in "ab")
    assert cut_distinct("x" * 25, 25) == "x" * 25
    assert one != other
    assert len(one) == len(other) == 25
    assert CUT in one


def test_what_fits_stays_and_what_does_not_shows_that_it_was_cut():
    assert cut("four", 4) == "four"
    assert cut("x" * 20, 10) == "x" * (10 - len(CUT)) + CUT


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("test/a set:1.0/map", "test/a set:1.0/map"),
        ("test/set@2/pair/zh(tw)-en/map", "test/set_2/pair/zh_tw_-en/map"),
        ("/a//../b/./", "_/a/_/_/b/_/_"),
        ("über/名", "über/名"),
        ("k" * 300, "k" * 250),
    ],
)
def test_a_name_becomes_one_that_mlflow_takes(client, experiment, name, taken):
    assert mlflow_key(name) == taken
    with run_of(client, experiment, params={name: 1}, tags={HASH: "a"}) as run_id:
        client.log_metric(run_id, taken, 1.0)
    run = client.get_run(run_id)
    assert run.data.params == {taken: "1"}
    assert run.data.metrics == {taken: 1.0}


def test_long_names_params_and_tags_are_cut_with_a_mark(client, experiment):
    tags = {HASH: "a", NOTE: "n" * 9000}
    with run_of(client, experiment, params={"p": "v" * 9000}, tags=tags, name="r" * 300) as run_id:
        pass
    run = client.get_run(run_id)
    for value, length in (
        (run.data.tags[NOTE], 5000),
        (run.data.params["p"], 6000),
        (run.info.run_name, 250),
    ):
        assert len(value) == length
        assert CUT in value


@pytest.mark.parametrize("name", ["", "n" * 251])
def test_an_experiment_s_name_that_no_store_takes_is_one_line(client, tmp_path, name):
    with pytest.raises(InputError, match=f"name: must have 1 to 250 letters, got {len(name)}"):
        experiment_of(client, name, output_dir=tmp_path)


def test_metrics_that_are_no_numbers_arrive_as_what_they_are(client, experiment, tmp_path):
    work = tmp_path / "work"
    run = {"name": "run", "params": {}, "tags": {HASH: "hash"}, "parent": None}
    with open_outbox(
        client.tracking_uri,
        folder=work,
        experiment=tmp_path.name,
        output_dir=tmp_path,
        run=run,
        wait=5.0,
    ) as recorder:
        recorder.log_metrics({"nan": math.nan, "inf": math.inf, "odd@name": 1.0}, 1)
    (found,) = client.search_runs([experiment])
    assert math.isnan(found.data.metrics["nan"])
    assert found.data.metrics["inf"] > 1e300
    assert found.data.metrics["odd_name"] == 1.0


def test_a_step_of_an_oddly_named_metric_is_recorded_once(tmp_path):
    RunRecorder(Journal(tmp_path)).log_metrics({"odd@name": 1.0}, 3)
    again = Journal(tmp_path)
    before = again.size
    RunRecorder(again).log_metrics({"odd@name": 2.0}, 3)
    assert again.size == before
    assert again.last_steps == {"odd_name": 3}
