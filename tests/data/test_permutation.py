"""The permutation by a Feistel network beside numpy's shuffle, by the same tests of uniformity."""

from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from lingmix.data.permutation import ROUNDS, permuted, round_keys


def feistel(size: int, seed: int) -> np.ndarray:
    return at(np.arange(size), size, seed)


def at(places: np.ndarray, size: int, seed: int) -> np.ndarray:
    keys_NR = np.broadcast_to(round_keys(np.random.default_rng(seed)), (len(places), ROUNDS))
    return permuted(places, np.full(len(places), size), keys_NR)


def shuffled(size: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).permutation(size)


both = pytest.mark.parametrize("permutation", [feistel, shuffled])


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 16, 17, 255, 256, 257, 70_001])
def test_each_number_below_the_size_is_there_once(size):
    assert np.sort(feistel(size, seed=size)).tolist() == [*range(size)]


def test_a_part_is_that_of_the_whole_in_any_order():
    places = np.array([99_999, 3, 50_000, 3])
    part = at(places, 100_000, seed=7)
    assert part.tolist() == feistel(100_000, seed=7)[places].tolist()


def test_of_a_size_beyond_memory_a_part_is_worked_out():
    size = 10**12
    part = at(np.arange(size - 1000, size), size, seed=0)
    assert len({*part}) == 1000
    assert part.max() < size
    assert stats.kstest(part / size, "uniform").pvalue > 1e-3


@both
def test_every_number_is_as_often_at_every_place(permutation):
    """Chi-square of 12 places x 12 numbers over 3,000 seeds; 121 degrees of freedom."""
    seen = np.zeros((12, 12))
    for seed in range(3000):
        seen[np.arange(12), permutation(12, seed)] += 1
    expected = 3000 / 12
    assert stats.chi2.sf(((seen - expected) ** 2 / expected).sum(), 11 * 11) > 1e-3


@both
def test_every_order_of_the_first_three_is_as_frequent(permutation):
    orders = {order: n for n, order in enumerate(permutations(range(3)))}
    seen = np.zeros(6)
    for seed in range(3000):
        seen[orders[tuple(np.argsort(permutation(1000, seed)[:3]).tolist())]] += 1
    assert stats.chisquare(seen).pvalue > 1e-3


@both
def test_neighbours_and_places_are_uncorrelated(permutation):
    """Serial correlation at lags 1, 2 and 64, and of place and number: of 100,000 numbers a
    correlation has a deviation of 0.0032."""
    numbers = permutation(100_000, 5)
    for lag in (1, 2, 64):
        assert abs(np.corrcoef(numbers[:-lag], numbers[lag:])[0, 1]) < 4 * 0.0032
    assert abs(np.corrcoef(np.arange(100_000), numbers)[0, 1]) < 4 * 0.0032


@both
def test_numbers_of_a_batch_lie_in_all_parts_of_the_range(permutation):
    """Chi-square of the first 6,400 numbers over 100 parts of equal size."""
    counts = np.bincount(permutation(100_000, 2)[:6400] // 1000, minlength=100)
    assert stats.chisquare(counts).pvalue > 1e-3


@both
def test_permutations_of_two_seeds_agree_as_often_as_by_chance(permutation):
    """Places at which two permutations agree are Poisson, of mean 1."""
    first = permutation(5000, 0)
    agreed = [(permutation(5000, seed) == first).sum() for seed in range(1, 201)]
    assert np.mean(agreed) == pytest.approx(1, abs=4 / np.sqrt(200))
