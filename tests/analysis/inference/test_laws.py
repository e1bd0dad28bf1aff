import numpy as np
import pytest

from lingmix.analysis.inference.laws import enough, fit_law
from lingmix.analysis.inference.power_law import sizes

SIZES = sizes([0, 250, 500, 1000, 2000], base=500)
ROW_C = 0.6 - 0.1 * (SIZES.sizes_C / 500) ** -1.0


def drawn(row_C, spread, draws=200):
    noise_NC = np.random.default_rng(1).standard_normal((draws, len(row_C)))
    return (row_C + spread * noise_NC)[:, None]


def test_little_noise_tells_the_exponent_and_its_interval_holds_it():
    law = fit_law(ROW_C[None], drawn(ROW_C, 1e-4), SIZES, level=0.95)
    assert law.status == "converged"
    assert law.exponent.value == pytest.approx(1)
    assert 0.9 < law.exponent.low < 1 < law.exponent.high < 1.1


def test_much_noise_does_not_identify_it():
    assert fit_law(ROW_C[None], drawn(ROW_C, 0.05), SIZES, level=0.95).status == "not identifiable"


def test_two_scales_identify_no_exponent_however_little_noise():
    two = sizes([0, 2000], base=500)
    assert (
        fit_law(ROW_C[None, [0, -1]], drawn(ROW_C[[0, -1]], 0), two, level=0.95).status
        == "not identifiable"
    )


def test_growth_by_the_logarithm_of_the_size_is_at_the_bound():
    row_C = 0.1 * np.log(SIZES.sizes_C)
    assert fit_law(row_C[None], drawn(row_C, 1e-4), SIZES, level=0.95).status == "at bound"


def test_the_profile_falls_by_1_92_at_the_interval_s_bounds():
    law = fit_law(ROW_C[None], drawn(ROW_C, 1e-3), SIZES, level=0.95)
    width = law.exponent.high - law.exponent.low
    columns_CK = np.stack(
        [np.ones(5), SIZES.sizes_C**-1.0, SIZES.sizes_C**-1.0 * np.log(SIZES.sizes_C)], axis=1
    )
    # a linear regression's standard error of the exponent, near the truth
    error = 1e-3 * np.sqrt(np.linalg.inv(columns_CK.T @ columns_CK)[2, 2]) / (0.1 * 500)
    assert width == pytest.approx(2 * 1.96 * error, rel=0.15)


def test_the_largest_scale_is_predicted_from_the_others():
    assert fit_law(ROW_C[None], drawn(ROW_C, 1e-4), SIZES, level=0.95).miss_R == pytest.approx(
        [0], abs=1e-9
    )
    lower_C = ROW_C - [0, 0, 0, 0, 0.03]
    assert fit_law(lower_C[None], drawn(lower_C, 1e-4), SIZES, level=0.95).miss_R == pytest.approx(
        [0.03]
    )


def test_three_scales_predict_no_fourth():
    three = sizes([0, 250, 500], base=500)
    assert fit_law(ROW_C[None, :3], drawn(ROW_C[:3], 1e-4), three, level=0.95).miss_R is None


def test_doubling_gains_less_from_the_scale_where_it_does():
    law = fit_law(ROW_C[None], drawn(ROW_C, 1e-5), SIZES, level=0.95)
    # from size n to 2n the score rises by .1 * 500 / 2n: by .01 at n = 2500, of which 500 are base
    found = enough(law, 0, SIZES)
    assert found.value == pytest.approx(2000)
    assert found.low < 2000 < found.high


def test_a_score_that_falls_with_scale_gains_nothing_from_the_start():
    falling_C = 1 - ROW_C
    law = fit_law(falling_C[None], drawn(falling_C, 1e-5), SIZES, level=0.95)
    assert enough(law, 0, SIZES) == (0, 0, 0)


def test_a_scale_far_beyond_all_measured_is_not_foretold():
    row_C = 0.1 * np.log(SIZES.sizes_C)
    law = fit_law(row_C[None], drawn(row_C, 1e-5), SIZES, level=0.95)
    assert enough(law, 0, SIZES).value == np.inf
