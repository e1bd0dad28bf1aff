from contextlib import suppress

import polars as pl
import pytest

from lingmix.tracking.history import complete_runs, parent_run, unfinished_runs
from lingmix.tracking.identity import HASH
from lingmix.tracking.lifecycle import ERROR, KIND, STATE, SWEEP, begin_run, start_run
from lingmix.tracking.pages.sweep_run import record_failure
from lingmix.tracking.run_table import cell_table
from tests.tracking.conftest import run_of


def config(alpha=0.5, seed=0, **others):
    return {"sampler": {"alpha": alpha}, "augmentation": {"scale": None}, "seed": seed} | others


def record(client, experiment, identity, values, *, score=0.25, error=None):
    tags = {HASH: identity}
    with run_of(client, experiment, name=identity, params=values, tags=tags) as run_id:
        if error:
            raise error
        client.log_metric(run_id, "test/set/monolingual/map", score)
        client.log_metric(run_id, "val/x", 1.0, step=7)


def test_a_complete_run_is_found_by_its_hash_with_its_params_and_metrics(client, experiment):
    record(client, experiment, "one", config(loss={"temperature": 0.05}))
    run = complete_runs(client, experiment)["one"]
    assert run.info.status == "FINISHED"
    assert run.data.params["loss.temperature"] == "0.05"
    assert run.data.metrics["test/set/monolingual/map"] == 0.25
    assert client.get_metric_history(run.info.run_id, "val/x")[0].step == 7


@pytest.mark.parametrize(
    ("error", "status", "state"),
    [
        (RuntimeError("out of luck"), "FAILED", "failed"),
        (KeyboardInterrupt(), "KILLED", "interrupted"),
        (SystemExit(143), "KILLED", "interrupted"),
    ],
)
def test_a_run_that_breaks_is_never_complete_and_says_why(client, experiment, error, status, state):
    with pytest.raises(type(error)):
        record(client, experiment, "one", config(), error=error)
    run = client.search_runs([experiment])[0]
    assert run.info.status == status
    assert run.data.tags[STATE] == state
    assert run.data.tags[ERROR].startswith(type(error).__name__)
    assert complete_runs(client, experiment) == {}
    assert unfinished_runs(client, experiment) == [f"one ({state})"]


def test_a_broken_run_is_forgotten_once_its_configuration_is_complete(client, experiment):
    with pytest.raises(RuntimeError):
        record(client, experiment, "one", config(), error=RuntimeError())
    record(client, experiment, "one", config())
    assert unfinished_runs(client, experiment) == []


def test_a_run_that_broke_goes_on_as_the_same_run(client, experiment):
    with pytest.raises(RuntimeError), begun(client, experiment, {"one": 1}) as run_id:
        raise RuntimeError
    with begun(client, experiment, {"one": 1, "two": 2}) as again:
        pass
    assert again == run_id
    run = complete_runs(client, experiment)["hash"]
    assert run.data.params == {"one": "1", "two": "2"}
    assert ERROR not in run.data.tags


def test_a_run_that_another_output_dir_began_is_left_to_it(client, experiment):
    with pytest.raises(RuntimeError), begun(client, experiment, {"output_dir": "/there"}) as there:
        raise RuntimeError
    with begun(client, experiment, {"output_dir": "/here"}) as here:
        assert here != there


def fail(client, experiment, error):
    tags = {HASH: "hash"}
    record_failure(client, experiment, parent="p", name="run", tags=tags, error=error)


def test_a_cell_that_fails_before_it_has_a_run_gets_one_that_says_why(client, experiment):
    fail(client, experiment, "no such data")
    (run,) = client.search_runs([experiment])
    assert (run.info.status, run.data.tags[STATE]) == ("FAILED", "failed")
    assert run.data.tags[ERROR] == "no such data"


def test_a_run_that_was_killed_is_ended_with_the_error_of_its_cell_and_goes_on(client, experiment):
    whole = {"name": "run", "params": {}, "tags": {HASH: "hash"}, "parent": None}
    killed = begin_run(client, experiment=experiment, **whole)
    fail(client, experiment, "its process died with status -9")
    (run,) = client.search_runs([experiment])
    assert (run.info.status, run.data.tags[STATE]) == ("FAILED", "failed")
    assert run.data.tags[ERROR] == "its process died with status -9"
    with begun(client, experiment, {}) as again:
        (run,) = client.search_runs([experiment])
        assert (run.info.status, run.data.tags[STATE]) == ("RUNNING", "running")
        assert ERROR not in run.data.tags
    assert again == killed


def test_a_run_that_was_taken_for_dead_and_ends_complete_has_no_error(client, experiment):
    with begun(client, experiment, {}):
        fail(client, experiment, "its job is gone")
    run = complete_runs(client, experiment)["hash"]
    assert run.info.status == "FINISHED"
    assert ERROR not in run.data.tags


@pytest.mark.parametrize("error", [None, KeyboardInterrupt(), RuntimeError()])
def test_a_run_that_has_said_how_it_ended_keeps_that(client, experiment, error):
    with suppress(BaseException), begun(client, experiment, {}):
        if error:
            raise error
    (before,) = client.search_runs([experiment])
    fail(client, experiment, "its process died")
    (after,) = client.search_runs([experiment])
    assert after.to_dictionary() == before.to_dictionary()


def begun(client, experiment, params):
    return run_of(client, experiment, params=params, tags={HASH: "hash"})


def test_more_params_than_a_call_takes_all_arrive(client, experiment):
    values = config(many={f"key{n}": n for n in range(250)}, long="x" * 7000)
    with run_of(client, experiment, params=values, tags={HASH: "a"}):
        pass
    run = complete_runs(client, experiment)["a"]
    assert run.data.params["many.key249"] == "249"
    assert len(run.data.params["long"]) == 6000


def test_cells_hold_what_differs_and_test_metrics(client, experiment):
    record(client, experiment, "a", config(1.0, loss={"t": 1}, lr=5), score=0.5)
    record(client, experiment, "b", config(0.0, loss={"t": 2}, lr=5), score=0.75)
    table = cell_table(client, experiment).sort("alpha")
    first = ["run_id", "run_name", "artifact_uri", "alpha", "scale", "seed", "pairs"]
    assert table.columns[: len(first)] == first
    assert table["alpha"].to_list() == [0.0, 1.0]
    assert table["scale"].to_list() == [None, None]
    assert table["param.loss.t"].to_list() == ["2", "1"]
    assert table["test/set/monolingual/map"].to_list() == [0.75, 0.5]
    assert not {"param.lr", "val/x"} & set(table.columns)
    assert isinstance(table, pl.DataFrame)


def test_a_sweep_is_found_by_its_identity(client, experiment):
    made = start_run(
        client, experiment=experiment, name="s", params={}, tags={SWEEP: "id", KIND: "sweep"}
    )
    assert parent_run(client, experiment, "id").info.run_id == made
    assert parent_run(client, experiment, "other") is None
