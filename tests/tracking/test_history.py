from itertools import count

import polars as pl
import pytest

from lingmix.tracking.identity import HASH
from lingmix.tracking.lifecycle import KIND
from lingmix.tracking.run_table import (
    CELL_COLUMNS,
    EVALUATION_COLUMNS,
    cell_table,
    evaluation_table,
    without_alpha,
)
from tests.tracking.conftest import run_of

LANGUAGES = [f"a{n}" for n in range(40)]
IDENTITY = map(str, count())


def record(client, experiment, *, kind, params, score=0.25, error=None):
    tags = {HASH: next(IDENTITY), KIND: kind}
    with run_of(client, experiment, params=params, tags=tags) as run_id:
        if error:
            raise error
        client.log_metric(run_id, "test/set/monolingual/map", score)
        client.log_metric(run_id, "val/x", 1.0)
    return run_id


def test_an_evaluation_is_found_with_its_encoder_what_decides_it_and_its_test_metrics(
    client, experiment
):
    params = {"encoder": {"name": "bm25", "lexical": "bm25"}, "depth": None, "name": "experiment"}
    run_id = record(client, experiment, kind="evaluation", params=params)
    assert evaluation_table(client, experiment).to_dicts() == [
        {
            "run_id": run_id,
            "encoder": "bm25",
            "param.encoder.lexical": "bm25",
            "param.depth": "None",
            "test/set/monolingual/map": 0.25,
        }
    ]


def test_the_newest_evaluation_is_first(client, experiment):
    for score in (0.25, 0.75, 0.5):
        params = {"encoder": {"name": "bm25"}}
        record(client, experiment, kind="evaluation", params=params, score=score)
    found = evaluation_table(client, experiment)["test/set/monolingual/map"]
    assert found.to_list() == [0.5, 0.75, 0.25]


def test_cells_are_no_evaluations_and_evaluations_no_cells(client, experiment):
    trained = {"encoder": {"name": "tiny"}, "sampler": {"alpha": 1.0}, "seed": 0}
    cell = record(client, experiment, kind="cell", params=trained)
    other = record(client, experiment, kind="evaluation", params={"encoder": {"name": "e5"}})
    assert cell_table(client, experiment)["run_id"].to_list() == [cell]
    assert evaluation_table(client, experiment)["run_id"].to_list() == [other]


def test_cells_of_more_pairs_than_mlflow_takes_are_told_apart(client, experiment):
    every = [f"{one}-{other}" for one in LANGUAGES for other in LANGUAGES]
    for pairs in (every, every[:-1], every[:2]):
        params = {"pairs": pairs, "sampler": {"alpha": 1.0}, "seed": 0}
        record(client, experiment, kind="cell", params=params)
    few, *many = cell_table(client, experiment)["pairs"].to_list()
    assert few == "[a0-a0,a0-a1]"
    assert len({*many}) == 2


def test_an_evaluation_that_broke_is_not_found(client, experiment):
    params = {"encoder": {"name": "bm25"}}
    with pytest.raises(RuntimeError):
        record(client, experiment, kind="evaluation", params=params, error=RuntimeError())
    assert evaluation_table(client, experiment).is_empty()


def test_an_experiment_without_runs_has_the_columns_of_its_tables(client, experiment):
    assert cell_table(client, experiment).equals(pl.DataFrame(schema=CELL_COLUMNS))
    assert evaluation_table(client, experiment).equals(pl.DataFrame(schema=EVALUATION_COLUMNS))


def test_trainings_without_an_alpha_are_counted_and_not_compared(client, experiment):
    for sampler in ({"alpha": 0.5}, {"alpha": None}, {}):
        params = {"sampler": {"_target_": "mine.Sampler"} | sampler, "seed": 0}
        record(client, experiment, kind="cell", params=params)
    assert cell_table(client, experiment)["alpha"].to_list() == [0.5]
    assert without_alpha(client, experiment) == ["2 runs of samplers without an alpha"]
