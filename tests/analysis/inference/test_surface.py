import numpy as np
import pytest
from scipy import stats

from lingmix.analysis.inference.laws import fit_law
from lingmix.analysis.inference.power_law import fit_curves, sizes
from lingmix.analysis.inference.surface import best_alpha, f_test, moves, polynomials
from lingmix.errors import InputError

ALPHAS_A = np.linspace(0, 1, 5)
SIZES = sizes([0, 250, 500, 1000, 2000], base=500)
POWERS_C = (SIZES.sizes_C / 500) ** -0.5


def surface(slope_of_drop):
    """The best alpha of the limit is .4."""
    limit_A = 0.6 + 0.2 * ALPHAS_A - 0.25 * ALPHAS_A**2
    return limit_A[:, None] - np.outer(0.1 + slope_of_drop * ALPHAS_A, POWERS_C)


def drawn(mean_AC, spread, seed=0):
    noise_NAC = np.random.default_rng(seed).standard_normal((400, *mean_AC.shape))
    return mean_AC + spread * noise_NAC


def joint_law(mean_AC, spread=1e-5):
    basis_AP = polynomials(ALPHAS_A)
    return fit_law(basis_AP.T @ mean_AC, basis_AP.T @ drawn(mean_AC, spread), SIZES, level=0.95)


def test_polynomials_are_orthonormal_and_the_first_is_a_constant():
    basis_AP = polynomials(ALPHAS_A)
    assert basis_AP.T @ basis_AP == pytest.approx(np.eye(4))
    assert np.ptp(basis_AP[:, 0]) == pytest.approx(0)
    assert polynomials(np.array([0, 0.5, 1])).shape == (3, 3)


def test_two_alphas_have_no_best_that_moves():
    with pytest.raises(InputError, match="three alphas, got 2"):
        polynomials(np.array([0.0, 1.0]))


def test_a_surface_without_noise_is_recovered():
    law = joint_law(surface(0.08))
    assert law.exponent.value == pytest.approx(0.5, rel=1e-6)
    assert polynomials(ALPHAS_A) @ law.curves.at(SIZES.log_of(4000))[0] == pytest.approx(
        0.6 + 0.2 * ALPHAS_A - 0.25 * ALPHAS_A**2 - (0.1 + 0.08 * ALPHAS_A) / 3, abs=1e-6
    )


def test_the_best_alpha_moves_as_the_drop_of_alphas_does():
    # at size 9 * 500 the slope .2 is lessened by .08 / 3: (.2 - .08 / 3) / (2 * .25)
    found = best_alpha(joint_law(surface(0.08)), ALPHAS_A, SIZES.log_of(4000))
    assert found.value == pytest.approx(0.346667, abs=1e-6)
    assert found.low < found.value < found.high
    stays = best_alpha(joint_law(surface(0)), ALPHAS_A, SIZES.log_of(4000))
    assert stays.value == pytest.approx(0.4, abs=1e-6)


def test_a_best_alpha_at_the_end_is_that_end():
    rising_AC = np.outer(ALPHAS_A, np.ones(5)) - 0.1 * POWERS_C
    assert best_alpha(joint_law(rising_AC), ALPHAS_A, 0.0).value == 1


def test_the_additive_law_is_rejected_where_the_drop_varies_with_alpha_and_kept_where_not():
    spread, logs_C = 0.003, SIZES.logs_C
    for slope, rejected in ((0.08, True), (0, False)):
        mean_AC = drawn(surface(slope), spread, seed=8)[0]
        found = moves(mean_AC, drawn(mean_AC, spread), ALPHAS_A, logs_C)
        assert (found.p < 0.05, found.p_f < 0.05) == (rejected, rejected)


def test_under_the_additive_law_the_share_of_small_p_is_the_level():
    truth_AC, spread = surface(0), 0.003
    p = []
    for seed, mean_AC in enumerate(drawn(truth_AC, spread)[:100]):
        means_NAC = drawn(mean_AC, spread, seed=1 + seed)[:99]
        p.append(moves(mean_AC, means_NAC, ALPHAS_A, SIZES.logs_C).p)
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_f_is_that_of_nested_regressions():
    """Given the exponents, both laws are regressions on columns of their own."""
    mean_AC, logs_C = drawn(surface(0.08), 0.01)[0], SIZES.logs_C
    basis_AP = polynomials(ALPHAS_A)
    rows_PC = basis_AP.T @ mean_AC
    small, large = (fit_curves(some[None], logs_C).exponent_N[0] for some in (rows_PC[:1], rows_PC))
    limits = np.kron(basis_AP, np.ones((5, 1)))
    few = np.c_[limits, np.kron(basis_AP[:, :1], np.exp(-small * logs_C)[:, None])]
    many = np.c_[limits, np.kron(basis_AP, np.exp(-large * logs_C)[:, None])]
    left_few, left_many = (
        np.linalg.lstsq(x, mean_AC.ravel(), rcond=None)[1][0] for x in (few, many)
    )
    f = (left_few - left_many) / 3 / (left_many / (25 - 8 - 1))
    found = moves(mean_AC, drawn(mean_AC, 0.01), ALPHAS_A, logs_C)
    assert found.f == pytest.approx(f)
    assert found.p_f == pytest.approx(stats.f.sf(f, 3, 16))


def test_the_f_of_two_means_is_that_of_scipy_s_analysis_of_variance():
    first, second = np.array([1.0, 2, 4]), np.array([3.0, 5, 7])
    both = np.concatenate([first, second])
    left = ((first - first.mean()) ** 2).sum() + ((second - second.mean()) ** 2).sum()
    gained = ((both - both.mean()) ** 2).sum() - left
    assert f_test(gained, left, 1, 4) == pytest.approx(stats.f_oneway(first, second))


def test_no_f_is_left_without_degrees_of_freedom():
    assert np.isnan(f_test(1.0, 0.0, 2, 0)).all()
