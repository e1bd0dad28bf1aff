import numpy as np
import pytest
from scipy import stats

from lingmix.analysis.inference.comparisons import compare, holm, moderated, step_down
from lingmix.analysis.inference.components import components

from .planted import NOISES, Noise, studies


def test_holm_by_hand_and_by_statsmodels() -> None:
    """4 x .01, 3 x .02, 2 x .03 = .06 and no less after it."""
    assert holm(np.array([0.03, 0.01, 0.04, 0.02])) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    p_M = np.random.default_rng(0).random(30) ** 4
    assert holm(p_M) == pytest.approx(multitest.multipletests(p_M, method="holm")[1])


def test_step_down_max_t_by_hand() -> None:
    """4 draws. The largest, 3, is met by the maximum of one draw: (1 + 1) / 5. Without it the
    second, 2, by the first draw and the third: 3 / 5. The last, 1, by itself: 4 / 5."""
    null_NM = np.array([[3.5, 2.5, 0.5], [0.5, 1.0, 1.5], [0.2, 2.0, 1.2], [0.1, 0.3, 0.4]])
    assert step_down(np.array([3.0, 2.0, 1.0]), null_NM) == pytest.approx([0.4, 0.6, 0.6])
    null_NM[0, 2] = 1.0
    assert step_down(np.array([3.0, 2.0, 1.0]), null_NM) == pytest.approx([0.4, 0.6, 0.8])


def test_one_comparison_of_one_seed_has_scipys_permutation_p_value() -> None:
    """All 2^10 flips of scipy against 20,000 of ours."""
    effects_Q = np.random.default_rng(3).normal(0.45, 1, 10)
    expected = stats.permutation_test(
        (effects_Q, np.zeros(10)),
        lambda one, other: np.mean(one - other),
        permutation_type="samples",
        vectorized=False,
        n_resamples=np.inf,
    ).pvalue
    found = components(effects_Q[None, None])
    tests = compare(found, effects_Q[None], 20_000, np.random.default_rng(0))
    assert 0.02 < expected < 0.9
    assert tests.max_t_M[0] == pytest.approx(expected, abs=0.015)


def test_pairs_that_share_questions_pay_less_than_bonferroni() -> None:
    """Ten copies of one comparison are one comparison."""
    effects_Q = np.random.default_rng(3).normal(0.25, 1, 100)
    effects_MQ = np.tile(effects_Q, (10, 1))
    tests = compare(components(effects_MQ[:, None]), effects_MQ, 5000, np.random.default_rng(0))
    assert tests.holm_M[0] == pytest.approx(min(10 * tests.p_M[0], 1))
    assert tests.max_t_M[0] == pytest.approx(tests.p_M[0], abs=0.01)


@pytest.mark.parametrize("seeds", [1, 2, 3, 5])
@pytest.mark.parametrize("shared", [0.0, 1.0])
def test_without_any_effect_a_family_is_rejected_at_most_at_its_rate(
    seeds: int, shared: float
) -> None:
    """30 comparisons, of which seeds move each by itself, or all alike; 1000 families."""
    rng = np.random.default_rng(seeds)
    spread = 0.0 if seeds == 1 else 0.06
    rejected = []
    for family in range(1000):
        scores_TSQ = studies(
            Noise(spread * (1 - shared), 0.15, 0.1), mean_T=np.zeros(30), seeds=seeds,
            questions=80, seed=family,
        )  # fmt: skip
        scores_TSQ += 0.15 * rng.standard_normal(80) + spread * shared * rng.standard_normal(
            (seeds, 1)
        )
        tests = compare(components(scores_TSQ), scores_TSQ.mean(1), 500, rng)
        rejected.append([(tests.holm_M <= 0.05).any(), (tests.max_t_M <= 0.05).any()])
    assert (np.mean(rejected, axis=0) <= 0.075).all()


def test_effects_beyond_the_noise_are_found_with_three_seeds() -> None:
    mean_T = np.repeat([0.0, 0.3], 10)
    scores_TSQ = studies(NOISES["both"], mean_T=mean_T, seeds=3, questions=200, seed=1)
    tests = compare(components(scores_TSQ), scores_TSQ.mean(1), 1000, np.random.default_rng(0))
    assert (tests.max_t_M[10:] <= 0.05).all()
    assert (tests.max_t_M[:10] > 0.05).all()


def test_equal_variances_are_pooled_and_unequal_ones_kept() -> None:
    rng = np.random.default_rng(0)
    pooled_M, df = moderated(rng.chisquare(4, 2000) / 4, 4)
    assert df > 40
    assert pooled_M == pytest.approx(np.ones(2000), abs=0.1)
    variance_M = np.exp(rng.normal(0, 2, 2000)) * rng.chisquare(40, 2000) / 40
    kept_M, df = moderated(variance_M, 40)
    assert df == pytest.approx(41.1, abs=0.3)  # trigamma(1.1 / 2) is 4, the logarithms' variance
    common_M = (df * kept_M - 40 * variance_M) / (df - 40)
    assert np.ptp(common_M) == pytest.approx(0, abs=1e-9 * variance_M.max())
