import polars as pl
import pytest

from lingmix.analysis.baselines import evaluated
from lingmix.analysis.groups import measured
from lingmix.analysis.metric_columns import evaluation_sets
from lingmix.errors import InputError

from .conftest import NO_CELLS, NO_EVALUATIONS, cell, evaluation, frame


def test_no_complete_run_says_what_to_run() -> None:
    with pytest.raises(InputError, match="`lingmix-train -m sweep=demo` or `lingmix-evaluate`"):
        evaluation_sets(NO_CELLS, NO_EVALUATIONS)


def test_runs_without_evaluation_metrics_are_an_error() -> None:
    bare = frame(cell()).drop(pl.selectors.starts_with("test/"))
    with pytest.raises(InputError, match="1 complete runs, but none has a metric"):
        evaluation_sets(bare, NO_EVALUATIONS)


def test_sets_are_found_by_their_setting_metrics_alone() -> None:
    cells = frame(cell(), cell(set_name="b")).with_columns(pl.lit(1.0).alias("test/c/loss"))
    assert evaluation_sets(cells) == ["b", "toy"]


def test_sets_of_cells_and_of_evaluations_are_one_list() -> None:
    assert evaluation_sets(frame(cell()), frame(evaluation(set_name="b"))) == ["b", "toy"]


def test_every_figure_of_language_bias_is_read_of_cells_and_evaluations_alike() -> None:
    bias = {
        "rank_distance": 5.0,
        "share_gap": 0.1,
        "same_language_preference": -0.2,
        "same_language_excess": 0.3,
        "peer": 0.4,
    }
    excess = {"en-en": 0.6, "en-de": -0.6}
    trained = measured(frame(cell(bias=bias, excess=excess)), "toy")
    as_it_is = evaluated(frame(evaluation(bias=bias, excess=excess)), "toy")
    names = [*bias, "pair/en-en/excess_share", "pair/en-de/excess_share"]
    for found in (trained, as_it_is):
        assert found.select(names).rows() == [(5.0, 0.1, -0.2, 0.3, 0.4, 0.6, -0.6)]
