import numpy as np
import pytest
from scipy.optimize import curve_fit

from lingmix.analysis.inference.power_law import explained, fit_curves, sizes, steepest
from lingmix.errors import InputError

SIZES = sizes([0, 250, 500, 1000, 2000], base=500)


def curve(limit, drop, exponent):
    return limit - drop * (SIZES.sizes_C / SIZES.middle) ** -exponent


@pytest.mark.parametrize("exponent", [0.05, 0.5, 1.3, 4])
def test_a_law_without_noise_is_recovered(exponent):
    rows_RC = np.stack([curve(0.6, 0.1, exponent), curve(0.4, -0.05, exponent)])
    found = fit_curves(rows_RC[None], SIZES.logs_C)
    assert found.exponent_N == pytest.approx([exponent], rel=1e-6)
    assert found.limit_NR[0] == pytest.approx([0.6, 0.4], abs=1e-6)
    assert found.drop_NR[0] == pytest.approx([0.1, -0.05], abs=1e-6)


def test_each_draw_is_the_least_squares_fit_of_scipy():
    rng = np.random.default_rng(0)
    rows_NC = curve(0.6, 0.1, 0.7) + 0.002 * rng.standard_normal((5, 5))
    found = fit_curves(rows_NC[:, None], SIZES.logs_C)
    for draw, row_C in enumerate(rows_NC):
        best, _ = curve_fit(
            lambda log, limit, drop, exponent: limit - drop * np.exp(-exponent * log),
            SIZES.logs_C, row_C, p0=(0.6, 0.1, 0.7), xtol=1e-12, ftol=1e-12,
        )  # fmt: skip
        mine = found.limit_NR[draw, 0], found.drop_NR[draw, 0], found.exponent_N[draw]
        assert mine == pytest.approx(best, rel=1e-4)


def test_a_law_has_the_scores_it_was_fitted_to():
    found = fit_curves(curve(0.6, 0.1, 0.5)[None, None], SIZES.logs_C)
    assert found.at(SIZES.log_of(2000))[0, 0] == pytest.approx(
        0.6 - 0.1 * (2500 / SIZES.middle) ** -0.5
    )


def test_what_is_explained_is_the_variation_without_what_is_left():
    row_C = np.array([0.1, 0.2, 0.35, 0.3, 0.4])
    found = fit_curves(row_C[None, None], SIZES.logs_C)
    left = sum((row_C - [found.at(log)[0, 0] for log in SIZES.logs_C]) ** 2)
    assert found.explained_N[0] == pytest.approx(((row_C - row_C.mean()) ** 2).sum() - left)
    at_best = explained(row_C[None, None], SIZES.logs_C, found.exponent_N)
    assert at_best[0, 0] == pytest.approx(found.explained_N[0])


def test_an_exponent_moves_the_rows_where_limit_and_drop_cannot_follow():
    row_C = curve(0.6, 0.1, 0.5)
    direction_RC = steepest(row_C[None], SIZES.logs_C, 0.5)
    moved_C = (curve(0.6, 0.1, 0.5001) - row_C) / 0.0001
    columns_CK = np.stack([np.ones(5), np.exp(-0.5 * SIZES.logs_C)], axis=1)
    left_C = moved_C - columns_CK @ np.linalg.lstsq(columns_CK, moved_C, rcond=None)[0]
    assert abs(direction_RC[0] @ left_C) == pytest.approx(np.linalg.norm(left_C), rel=1e-3)


def test_two_scales_leave_no_such_direction():
    two = sizes([0, 1000], base=500)
    assert not steepest(np.array([[0.1, 0.3]]), two.logs_C, 0.5).any()


def test_without_base_items_scale_0_has_no_law():
    with pytest.raises(InputError, match="base: must be above 0"):
        sizes([0, 100], base=0)
