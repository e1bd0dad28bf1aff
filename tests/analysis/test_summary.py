import polars as pl
import pytest

from lingmix.analysis.groups import measured
from lingmix.analysis.summary import summarise

from .conftest import cell, frame


def test_mean_and_sample_standard_deviation_over_seeds() -> None:
    cells = frame(*(cell(seed=i, maps=(v, v, v)) for i, v in enumerate((0.1, 0.2, 0.6))))
    [row] = summarise(measured(cells, "toy")).to_dicts()
    assert row["seeds"] == 3
    assert row["multilingual"] == pytest.approx(0.3)
    assert row["multilingual_spread"] == pytest.approx(0.07**0.5)


def test_one_seed_has_no_spread() -> None:
    [row] = summarise(measured(frame(cell()), "toy")).to_dicts()
    assert (row["seeds"], row["multilingual"], row["multilingual_spread"]) == (1, 0.2, None)


def test_best_is_the_highest_map_and_the_lowest_rank_distance_of_each_scale() -> None:
    cells = frame(
        cell(0, 0, maps=(0.1, 0.4, 0.2), rank_distance=5),
        cell(1, 0, maps=(0.3, 0.2, 0.2), rank_distance=9),
        cell(0, None, maps=(0.9, 0.9, 0.9)),
        cell(1, None, maps=(0.8, 0.8, 0.8)),
    )
    summary = summarise(measured(cells, "toy"))
    best = [f"{m}_best" for m in ("monolingual", "crosslingual", "multilingual", "rank_distance")]
    assert summary.select(best).rows() == [
        (False, True, True, True),
        (True, False, True, False),
        (True, True, True, True),
        (False, False, False, True),
    ]


def test_best_language_bias_is_closest_to_none_and_best_peer_the_highest() -> None:
    figures = ("share_gap", "same_language_preference", "same_language_excess", "peer")
    cells = frame(
        cell(0, bias=dict(zip(figures, (0.2, -0.3, 0.1, 0.9), strict=True))),
        cell(1, bias=dict(zip(figures, (0.1, 0.2, -0.4, 0.6), strict=True))),
    )
    summary = summarise(measured(cells, "toy"))
    assert summary.select(f"{figure}_best" for figure in figures).rows() == [
        (False, False, True, True),
        (True, True, False, False),
    ]


def test_a_lone_alpha_is_not_called_the_best() -> None:
    summary = summarise(measured(frame(cell(0.5, 0), cell(0.5, 400)), "toy"))
    assert not summary["monolingual_best"].any()


def test_runs_that_differ_in_a_param_or_in_pairs_are_not_averaged() -> None:
    cells = frame(
        cell(seed=1, lr="0.1"), cell(seed=2, lr="0.2"), cell(seed=3, lr="0.1", pairs="[en-de]")
    )
    summary = summarise(measured(cells, "toy"))
    assert summary.select("pairs", "param.lr", "seeds").rows() == [
        ("[en-de]", "0.1", 1),
        ("all", "0.1", 1),
        ("all", "0.2", 1),
    ]


def test_scale_all_is_a_scale_of_its_own() -> None:
    cells = frame(cell(scale=None, seed=1), cell(scale=None, seed=2), cell(scale=0))
    assert summarise(measured(cells, "toy")).select("scale", "seeds").rows() == [(0, 1), (None, 2)]
    assert summarise(measured(cells, "toy"))["scale"].dtype == pl.Int64
