import numpy as np
import pytest

from lingmix.analysis.inference.frontier import attained, exchange_rate, hypervolume, on_front

from .planted import NOISES, studies

POINTS_52 = np.array([[1.0, 5.0], [2.0, 4.0], [3.0, 1.0], [2.0, 3.0], [1.0, 4.0]])


def test_front_of_five_points_and_of_each_of_several_sets() -> None:
    expected = [True, True, True, False, False]
    assert on_front(POINTS_52).tolist() == expected
    assert on_front(np.stack([POINTS_52, POINTS_52[::-1]])).tolist() == [expected, expected[::-1]]


def test_equal_points_stay_together_and_one_is_its_own_front() -> None:
    assert on_front(np.array([[1.0, 1.0], [1.0, 1.0], [0.5, 1.0]])).tolist() == [True, True, False]
    assert on_front(np.array([[0.3, 0.7]])).tolist() == [True]


def test_hypervolume_by_hand() -> None:
    """1 x 5 and 1 x 4 and 1 x 1."""
    assert hypervolume(POINTS_52) == pytest.approx(10)
    assert hypervolume(np.array([[-1.0, 2.0], [2.0, -1.0]])) == 0


def test_hypervolume_is_moocores() -> None:
    moocore = pytest.importorskip("moocore")
    points_NA2 = np.random.default_rng(0).random((50, 7, 2))
    expected_N = [moocore.hypervolume(points, ref=[0, 0], maximise=True) for points in points_NA2]
    assert hypervolume(points_NA2) == pytest.approx(np.array(expected_N))


def test_attained_by_hand() -> None:
    assert attained(POINTS_52[None], np.array([0.0, 1.5, 3.0, 3.5])).tolist() == [
        [5.0, 4.0, 1.0, -np.inf]
    ]


def test_exchange_rate_is_fiellers_ratio_of_normal_means() -> None:
    """One seed: by the formula of Fieller (1954) with the covariance of the two means."""
    rng = np.random.default_rng(0)
    paid_Q = rng.normal(0.04, 0.3, 2000)
    gained_Q = rng.normal(0.1, 0.4, 2000) + 0.5 * paid_Q
    a, b = paid_Q.mean(), gained_Q.mean()
    (aa, ab), (_, bb) = np.cov(paid_Q, gained_Q) / 2000 * 1.959964**2
    root = np.sqrt((a * b - ab) ** 2 - (a * a - aa) * (b * b - bb))
    expected = [(a * b - ab + sign * root) / (b * b - bb) for sign in (-1, 1)]
    assert exchange_rate(paid_Q[None], gained_Q[None], 0.95) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(("error", "defined"), [(0.50, True), (0.52, False)])
def test_a_rate_is_defined_by_fiellers_condition(error: float, defined: bool) -> None:
    """One seed and two questions, so the standard error is half of their difference: the gain of 1
    is more than 1.96 errors of .50 and less than 1.96 of .52. What is paid is known to be 2, so the
    rate lies between 2 / (1 + 1.96 x .50) and 2 / (1 - 1.96 x .50)."""
    gained_SQ = np.array([[1 - error, 1 + error]])
    found = exchange_rate(np.full((1, 2), 2.0), gained_SQ, 0.95)
    assert (found is not None) == defined
    if found is not None:
        assert found == pytest.approx((2 / 1.979982, 2 / 0.020018), rel=1e-3)


def test_a_gain_that_may_be_none_has_no_exchange_rate() -> None:
    scores_TSQ = studies(NOISES["both"], mean_T=np.array([0.1, 0.0]), seeds=3, questions=50, seed=0)
    assert exchange_rate(*scores_TSQ, 0.95) is None
    assert exchange_rate(scores_TSQ[0], scores_TSQ[1] - 1, 0.95) is None


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_exchange_rates_cover_the_planted_one(seeds: int) -> None:
    """500 studies of each number of seeds."""
    mean_T = np.tile([0.1, 0.4], 500)
    pairs = studies(NOISES["both"], mean_T=mean_T, seeds=seeds, questions=60, seed=seeds)
    found = [exchange_rate(*pairs[t : t + 2], 0.95) for t in range(0, 1000, 2)]
    bounds = [bound for bound in found if bound is not None]
    covered = [low <= 0.25 <= high for low, high in bounds]
    assert len(bounds) > 450
    assert 0.92 <= np.mean(covered) <= 0.98
