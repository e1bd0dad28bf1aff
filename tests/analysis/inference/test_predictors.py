import numpy as np
import pytest
from scipy import stats

from lingmix.analysis.inference.predictors import effects
from lingmix.data.items import LanguagePair
from lingmix.errors import InputError

APART = [LanguagePair(f"a{n}", f"b{n}") for n in range(6)]
"""Pairs that share no language."""
ONE_F = np.array([[0.0], [0], [0], [1], [1], [1]])
RESPONSE_P = np.array([1.0, 2, 3, 5, 7, 9])


def test_an_effect_is_the_difference_of_means():
    assert effects(RESPONSE_P, ONE_F, APART, level=0.95).effect_F == pytest.approx([7 - 2])


def test_pairs_apart_have_the_errors_of_white():
    found = effects(RESPONSE_P, ONE_F, APART, level=0.95)
    # of a difference of means: each group's sum of squared residuals by its size squared
    error = np.sqrt((1 + 0 + 1) / 9 + (4 + 0 + 4) / 9)
    assert found.high_F - found.effect_F == pytest.approx([stats.t.ppf(0.975, 10) * error])
    assert found.p_F == pytest.approx([2 * stats.t.sf(5 / error, 10)])


def test_pairs_that_share_a_language_count_their_common_residuals():
    """Pairs 0 and 1 share one, whose residuals are -1 and 0, and 4 and 5, with 0 and 2."""
    shared = [*APART[:4], LanguagePair("a4", "x"), LanguagePair("x", "b5")]
    response_P = RESPONSE_P + np.array([0, 0, 0, 0, 1, -1])  # residuals -2, 1, 1
    alone = effects(response_P, ONE_F, APART, level=0.95)
    found = effects(response_P, ONE_F, shared, level=0.95)
    of_alone, of_shared = (
        ((one.high_F - one.effect_F) / stats.t.ppf(0.975, degrees)) ** 2
        for one, degrees in ((alone, 10), (found, 9))
    )
    assert of_shared - of_alone == pytest.approx([2 * 1 * 1 / 9])


def test_too_few_languages_and_equal_predictors_are_refused():
    pairs = [LanguagePair("a", "a"), LanguagePair("a", "b"), LanguagePair("b", "b")]
    with pytest.raises(InputError, match="3 pairs of 2 languages do not tell 1"):
        effects(np.ones(3), np.array([[0.0], [1], [0]]), pairs, level=0.95)
    with pytest.raises(InputError, match="do not tell 2 predictors apart"):
        effects(RESPONSE_P, np.column_stack([ONE_F, ONE_F]), APART, level=0.95)
