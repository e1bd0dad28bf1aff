from math import exp

import numpy as np
import pytest

from lingmix.data.adaptive import AdaptiveSchedule, moved
from lingmix.errors import InputError
from tests.data.test_schedule import SIZES, is_monolingual, pairs_with
from tests.data.test_schedule import schedule as hybrid

SCORES = [(10, 0.2, 0.1), (20, 0.3, 0.1), (30, 0.3, 0.3), (40, 0.31, 0.28)]
"""Of validations: the step that comes next, the monolingual and the cross-lingual score."""


def schedule(**changes) -> AdaptiveSchedule:
    chosen = {
        "alpha": 0.5,
        "rate": 1.0,
        "least": 0.1,
        "steps": 400,
        "batch_size": 10,
        "size_exponent": 0.0,
        "homogeneous": True,
        "min_size": 1,
        "seed": 3,
    }
    return AdaptiveSchedule(pairs_with(SIZES), **(chosen | changes))


def told(batches: AdaptiveSchedule, scores=SCORES) -> list[float]:
    return [batches.observe(n, monolingual=m, crosslingual=c) for n, m, c in scores]


def after(odds: float) -> float:
    return pytest.approx(odds / (1 + odds))


@pytest.mark.parametrize(
    ("alpha", "gains", "odds"),
    [
        (0.5, (0.1, 0.0), exp(1)),  # all that is gained is monolingual: one whole step of rate 1
        (0.5, (0.0, 0.1), exp(-1)),
        (0.5, (0.3, 0.1), exp(0.5)),  # worth .6 and .2: (.6 - .2) / .8
        (0.75, (0.3, 0.1), 3),  # worth .4 and .4: alpha rests
        (0.75, (0.3, 0.3), 3 * exp(-0.5)),  # .4 and 1.2: a quarter of the batches gained as much
        (0.5, (-0.1, 0.1), exp(-1)),  # a setting that loses is worth less than nothing
        (0.5, (0.0, 0.0), 1),
    ],
)
def test_alpha_moves_to_the_kind_that_is_worth_more(alpha, gains, odds):
    assert moved(alpha, gains, rate=1.0, least=0.1) == after(odds)


def test_alpha_stays_within_its_bounds():
    assert moved(0.5, (1.0, 0.0), rate=9.0, least=0.1) == 0.9
    assert moved(0.5, (0.0, 1.0), rate=9.0, least=0.1) == 0.1


def test_the_first_validation_moves_nothing_and_each_later_one_the_batches_after_it():
    batches = schedule()
    alphas = told(batches)
    assert alphas[:3] == [0.5, after(exp(1)), after(1)]
    # worth .01 / .5 and -.02 / .5
    assert alphas[3] == after(exp(1))
    assert [batches.alpha(n) for n in (0, 19, 20, 29, 30, 399)] == [
        0.5, 0.5, alphas[1], alphas[1], alphas[2], alphas[3],
    ]  # fmt: skip


def test_until_alpha_moves_the_batches_are_those_of_the_hybrid_schedule():
    batches, constant = schedule(), hybrid()
    told(batches, SCORES[:1])
    for step in range(40):
        np.testing.assert_array_equal(batches.rows(step), constant.rows(step))


def test_scores_that_come_one_by_one_or_all_at_once_make_the_same_batches():
    """A run on its way has drawn up to each validation, a resumed one nothing, and one that was
    checked for starved ranks everything."""
    running, resumed, checked = schedule(), schedule(), schedule()
    drawn = []
    for at, score in zip((10, 20, 30, 40), SCORES, strict=True):
        drawn += [running.rows(step) for step in range(at - 10, at)]
        told(running, [score])
    checked.rows(399)
    for one in (resumed, checked):
        told(one)
    for step in range(60):
        expected = drawn[step] if step < 40 else running.rows(step)
        np.testing.assert_array_equal(resumed.rows(step), expected)
        np.testing.assert_array_equal(checked.rows(step), expected)


def test_more_batches_are_monolingual_once_monolingual_ones_are_worth_more():
    batches = schedule(least=0.1, rate=9.0)
    told(batches, [(0, 0.1, 0.1), (0, 0.2, 0.1)])
    share = sum(is_monolingual(batches.rows(n)) for n in range(400)) / 400
    assert share == pytest.approx(0.9, abs=0.05)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"alpha": 0.05}, r"sampler.alpha: must be in \[0.1, 0.9\], as sampler.least says, got"),
        ({"least": 0.6}, r"sampler.least: must be in \(0, 0.5\], got 0.6"),
        ({"rate": -1.0}, r"sampler.rate: must be at least 0 and finite, got -1"),
    ],
)
def test_settings_out_of_range_are_refused(changes, line):
    with pytest.raises(InputError, match=line):
        schedule(**changes)
