from itertools import product

import numpy as np
import pytest
from scipy import stats

from lingmix.analysis.inference.predictors import effects
from lingmix.analysis.predictor_rows import script
from lingmix.data.items import LanguagePair
from lingmix.errors import InputError

APART = [LanguagePair(f"a{n}", f"b{n}") for n in range(6)]
"""Pairs that share no language."""
ONE_F = np.array([[0.0], [0], [0], [1], [1], [1]])
RESPONSE_P = np.array([1.0, 2, 3, 5, 7, 9])


def test_an_effect_is_the_difference_of_means():
    assert effects(RESPONSE_P, ONE_F, APART, level=0.95).effect_F == pytest.approx([7 - 2])


def test_errors_are_those_of_leaving_out_each_language():
    """Of pairs apart two languages leave out the same pair: the means of the rest by hand."""
    found = effects(RESPONSE_P, ONE_F, APART, level=0.95)
    without = [5.5 - 0, 7 - 2, 7 - 1.5, 8 - 2, 7 - 2, 6 - 2]
    without[0] = 7 - 2.5
    error = np.sqrt(11 / 12 * 2 * sum((effect - 5) ** 2 for effect in without))
    assert found.high_F - found.effect_F == pytest.approx([stats.t.ppf(0.975, 10) * error])
    assert found.p_F == pytest.approx([2 * stats.t.sf(5 / error, 10)])


@pytest.mark.parametrize("shared", [0.0, 1.0])
def test_without_an_effect_few_are_found(shared):
    """The noise of pairs, and that of languages which their pairs share."""
    languages = ["ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh"]
    pairs = [LanguagePair(*pair) for pair in product(languages, repeat=2)]
    one_F = np.array(
        [[pair.monolingual, script(pair.query) == script(pair.passage)] for pair in pairs]
    )
    rng = np.random.default_rng(3)
    found = []
    for _ in range(300):
        noise = {language: shared * rng.standard_normal() for language in languages}
        common_P = np.array([noise[pair.query] + noise[pair.passage] for pair in pairs])
        response_P = common_P + rng.standard_normal(len(pairs))
        found.append(effects(response_P, one_F.astype(float), pairs, level=0.95).p_F <= 0.05)
    assert np.mean(found, axis=0).max() < 0.08


def test_a_predictor_that_hangs_on_one_language_is_refused():
    pairs = [LanguagePair(*pair) for pair in product("abcde", repeat=2)]
    one_F = np.array([[float(pair == ("a", "b"))] for pair in pairs])
    with pytest.raises(InputError, match="25 pairs do not tell 1"):
        effects(np.ones(25), one_F, pairs, level=0.95)


def test_too_few_languages_and_equal_predictors_are_refused():
    pairs = [LanguagePair("a", "a"), LanguagePair("a", "b"), LanguagePair("b", "b")]
    with pytest.raises(InputError, match="3 pairs do not tell 1"):
        effects(np.ones(3), np.array([[0.0], [1], [0]]), pairs, level=0.95)
    with pytest.raises(InputError, match="do not tell 2 predictors apart"):
        effects(RESPONSE_P, np.column_stack([ONE_F, ONE_F]), APART, level=0.95)
