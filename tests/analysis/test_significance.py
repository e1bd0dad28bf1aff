import math

import pytest
from scipy import stats

from lingmix.analysis.groups import measured
from lingmix.analysis.significance import compare, gains
from lingmix.analysis.summary import summarise

from .conftest import cell, frame

HYBRID = (0.50, 0.55, 0.52)
PURE = (0.40, 0.47, 0.39)


def test_interval_is_scipys_paired_one_whatever_the_order_of_runs() -> None:
    hybrid = [cell(0.5, seed=s, maps=(v, v, v)) for s, v in enumerate(HYBRID)]
    pure = [cell(1, seed=s, maps=(v, v, v)) for s, v in enumerate(PURE)]
    [row] = compare(measured(frame(*reversed(hybrid), *pure), "toy")).to_dicts()
    expected = stats.ttest_rel(HYBRID, PURE).confidence_interval(0.95)
    assert (row["alpha"], row["against"], row["seeds"]) == (0.5, 1.0, 3)
    assert row["monolingual"] == pytest.approx(0.31 / 3)
    assert row["monolingual_low"] == pytest.approx(expected.low)
    assert row["monolingual_high"] == pytest.approx(expected.high)


def test_a_measure_that_a_seed_lacks_has_the_degrees_of_freedom_of_the_others() -> None:
    """Differences .1 and .3: mean .2, standard error .1, one degree of freedom, t 12.706."""
    hybrid = [cell(0.5, seed=s, maps=(v, v, 0)) for s, v in enumerate((0.6, 0.8, 0.9))]
    pure = [cell(1, seed=s, maps=(0.5, 0.5, 0)) for s in range(3)]
    hybrid[2]["test/toy/monolingual/map"] = math.nan
    [row] = compare(measured(frame(*hybrid, *pure), "toy")).to_dicts()
    assert (row["seeds"], row["monolingual_seeds"], row["crosslingual_seeds"]) == (3, 2, 3)
    assert row["monolingual"] == pytest.approx(0.2)
    assert row["monolingual_high"] - row["monolingual"] == pytest.approx(12.706 * 0.1, rel=1e-4)
    expected = stats.ttest_rel((0.6, 0.8, 0.9), (0.5,) * 3).confidence_interval(0.95)
    assert row["crosslingual_high"] == pytest.approx(expected.high)


def test_two_seeds_by_hand() -> None:
    cells = frame(
        *(cell(0.5, seed=s, maps=(v, 0, 0)) for s, v in ((1, 0.6), (2, 0.8))),
        *(cell(0, seed=s, maps=(0.5, 0, 0)) for s in (1, 2)),
    )
    [row] = compare(measured(cells, "toy")).to_dicts()
    assert row["monolingual"] == pytest.approx(0.2)
    assert row["monolingual_high"] - row["monolingual"] == pytest.approx(12.706 * 0.1, rel=1e-4)


def test_only_shared_seeds_are_compared_and_one_has_no_interval() -> None:
    cells = frame(
        cell(0.5, seed=1, maps=(0.7, 0, 0)),
        cell(0.5, seed=2, maps=(0.9, 0, 0)),
        cell(1, seed=1, maps=(0.6, 0, 0)),
    )
    [row] = compare(measured(cells, "toy")).to_dicts()
    assert (row["seeds"], row["monolingual_low"]) == (1, None)
    assert row["monolingual"] == pytest.approx(0.1)


def test_strategies_that_share_no_seed_are_listed_with_none() -> None:
    cells = frame(cell(0.5, seed=1), cell(1, seed=2))
    [row] = compare(measured(cells, "toy")).to_dicts()
    assert (row["seeds"], row["monolingual"]) == (0, None)


def test_each_hybrid_meets_each_pure_strategy_of_its_own_scale() -> None:
    cells = frame(*(cell(a, s) for a, s in ((0, 0), (0.5, 0), (1, 0), (0, None), (0.7, None))))
    found = compare(measured(cells, "toy")).select("scale", "alpha", "against").rows()
    assert found == [(0, 0.5, 1.0), (0, 0.5, 0.0), (None, 0.7, 0.0)]


def test_runs_with_another_learning_rate_are_not_compared() -> None:
    assert compare(measured(frame(cell(0.5, lr="1"), cell(1, lr="2")), "toy")).is_empty()


def test_gain_is_over_the_better_pure_strategy_of_scale_and_setting() -> None:
    cells = frame(
        cell(0, None, maps=(0.5, 0.3, 0.2)),
        cell(0.5, None, maps=(0.7, 0.4, 0.1)),
        cell(1, None, maps=(0.8, 0.1, 0.2)),
    )
    [row] = gains(summarise(measured(cells, "toy"))).to_dicts()
    assert row["monolingual"] == pytest.approx(-0.1)
    assert row["crosslingual"] == pytest.approx(0.1)
    assert row["multilingual"] == pytest.approx(-0.1)
    assert (row["monolingual_over"], row["crosslingual_over"]) == (1, 0)


def test_gain_is_unknown_without_both_pure_strategies() -> None:
    cells = frame(cell(0, 0), cell(0.5, 0), cell(0.5, 400), cell(1, 400))
    assert gains(summarise(measured(cells, "toy")))["monolingual"].to_list() == [None, None]
