import numpy as np
import pytest
from scipy.optimize import curve_fit

from lingmix.analysis.inference.critical_batch import critical_batches, growth, steps_to
from lingmix.errors import InputError

BATCHES_M = np.array([16, 32, 64, 128, 256, 512])


def test_a_law_without_noise_is_recovered():
    steps_M = 300 + 60_000 / BATCHES_M
    found = critical_batches(BATCHES_M, steps_M[None], level=0.95)
    # a batch of B reads 300 B examples more than 60,000: 20% at B = 40
    assert found.size_N == pytest.approx([40], rel=1e-6)
    assert found.low_N[0] == pytest.approx(40, rel=0.05) == found.high_N[0]


def test_it_is_the_least_squares_fit_of_scipy_in_logarithms():
    rng = np.random.default_rng(0)
    steps_M = (300 + 60_000 / BATCHES_M) * np.exp(0.1 * rng.standard_normal(6))
    (least, examples), _ = curve_fit(
        lambda batch, a, b: np.log(a + b / batch), BATCHES_M, np.log(steps_M), p0=(300, 60_000)
    )
    found = critical_batches(BATCHES_M, steps_M[None], level=0.95)
    assert found.size_N == pytest.approx([0.2 * examples / least], rel=1e-4)


def test_published_steps_give_the_published_critical_batch():
    """arXiv 2410.21676, 85M parameters: 745 by overhead over a batch of 256, at 11 batch sizes, of
    which five are printed here."""
    batches, steps = [64, 256, 1024, 4096, 16384], [46000, 13282, 3840, 1800, 1600]
    found = critical_batches(batches, np.array([steps], dtype=float), level=0.95)
    assert found.size_N[0] + 1.2 * 256 == pytest.approx(745, rel=0.05)


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(0)
    for seeds in (2, 3, 5):
        batches_M = np.repeat(BATCHES_M, seeds)
        noise_NM = 0.08 * rng.standard_normal((2000, len(batches_M)))
        found = critical_batches(
            batches_M, (300 + 60_000 / batches_M) * np.exp(noise_NM), level=0.95
        )
        covered = ((found.low_N <= 40) & (found.high_N >= 40)).mean()
        assert 0.93 < covered < 0.97


def test_batches_far_below_it_leave_it_without_an_upper_bound():
    rng = np.random.default_rng(1)
    steps_M = 60_000 / BATCHES_M * np.exp(0.05 * rng.standard_normal(6))
    found = critical_batches(BATCHES_M, steps_M[None], level=0.95)
    assert found.high_N[0] == np.inf
    assert found.low_N[0] > 10


def test_growth_with_the_data_is_recovered():
    sizes_M = np.repeat([500, 1000, 4000], 6)
    batches_M = np.tile(BATCHES_M, 3)
    turn_M = 200 * (sizes_M / 1000) ** 0.47
    steps_M = 60_000 * (1 / batches_M + 1 / turn_M)
    noise_M = np.exp(0.01 * np.random.default_rng(0).standard_normal(18))
    found = growth(np.log(sizes_M), batches_M, steps_M, level=0.95)
    assert found.value == pytest.approx(0.47, abs=0.006)
    noisy = growth(np.log(sizes_M), batches_M, steps_M * noise_M, level=0.95)
    assert noisy.low < 0.47 < noisy.high


def test_a_target_is_reached_between_two_validations():
    assert steps_to(0.5, [10, 20, 30], [0.2, 0.4, 0.6]) == pytest.approx(25)


@pytest.mark.parametrize("target", [0.7, 0.1])
def test_a_target_never_reached_or_reached_before_the_first_validation_has_no_step(target):
    assert steps_to(target, [10, 20, 30], [0.2, 0.4, 0.6]) is None


def test_one_batch_size_is_refused():
    with pytest.raises(InputError, match="got 3 of 1"):
        critical_batches([8, 8, 8], np.ones((1, 3)), level=0.95)
    with pytest.raises(InputError, match="two scales"):
        growth(np.zeros(6), BATCHES_M, np.ones(6), level=0.95)
