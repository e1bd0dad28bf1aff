import numpy as np
import pytest
from scipy import stats

from lingmix.analysis.inference.components import (
    component_draws,
    components,
    margins,
    p_values,
    tail,
)
from lingmix.analysis.inference.sample_size import questions_needed, seeds_needed

from .planted import NOISES, studies

STUDIES = 2000
SCORES_SQ = np.array([[1.0, 2.0, 6.0], [3.0, 2.0, 10.0]])
"""Means 3 and 5 of seeds, 2, 2 and 8 of questions, 4 of all; the rest is 0 1 -1, 0 -1 1."""


def test_mean_squares_by_hand() -> None:
    """Seeds 3 (1 + 1) / 1, questions 2 (4 + 4 + 16) / 2, the rest 4 / 2."""
    found = components(SCORES_SQ[None])
    assert found.mean_T == pytest.approx(4)
    assert (found.seed_T[0], found.question_T[0], found.rest_T[0]) == pytest.approx((6, 24, 2))
    assert [one[0] for one in found.variances] == pytest.approx([4 / 3, 11, 2])
    seeds_T, questions_T = found.errors
    assert (seeds_T[0] ** 2, questions_T[0] ** 2) == pytest.approx((6 / 6, 22 / 6))


def test_variances_are_statsmodels_restricted_likelihood_ones() -> None:
    """Of a full design with positive estimates the closed form is REML."""
    api = pytest.importorskip("statsmodels.api")
    scores_SQ = studies(NOISES["seeds"], mean_T=np.zeros(1), seeds=4, questions=12, seed=3)[0]
    seed_N, question_N = (axis.ravel() for axis in np.indices(scores_SQ.shape))
    model = api.MixedLM(
        scores_SQ.ravel(),
        np.ones((scores_SQ.size, 1)),
        groups=np.zeros(scores_SQ.size),
        exog_vc={
            "question": {0: np.eye(12)[question_N]},
            "seed": {0: np.eye(4)[seed_N]},
        },
    )
    fitted = model.fit(reml=True)
    seed, question, rest = (one[0] for one in components(scores_SQ[None]).variances)
    assert sorted(fitted.vcomp) == pytest.approx(sorted([seed, question]), rel=1e-3)
    assert fitted.scale == pytest.approx(rest, rel=1e-3)


def test_noise_of_seeds_alone_has_students_tail_and_of_questions_alone_the_normal_one() -> None:
    one, none = np.ones(1), np.zeros(1)
    for size, df in ((12.706, 1), (4.303, 2), (100.0, 2), (2.0, 7)):
        expected = 2 * stats.t.sf(size, df)
        assert tail(np.array([size]), one, none, df)[0] == pytest.approx(expected, rel=4e-3)
    assert tail(np.array([1.96]), none, one, 2)[0] == pytest.approx(0.05, abs=1e-4)


def test_one_seed_leaves_the_questions_paired_t_test() -> None:
    scores_SQ = SCORES_SQ[:1].repeat(400, axis=1) + np.random.default_rng(0).normal(size=(1, 1200))
    expected = stats.ttest_1samp(scores_SQ[0], 0)
    found = components(scores_SQ[None])
    low, high = expected.confidence_interval(0.95)
    assert margins(found, 0.95)[0] == pytest.approx((high - low) / 2, rel=2e-3)
    assert found.seed_T[0] == 0


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_intervals_cover_the_planted_means_and_components(noise: str, seeds: int) -> None:
    """95% of 2000 studies, less or more 3 percentage points."""
    planted, mean_T = NOISES[noise], np.linspace(-1, 1, STUDIES)
    found = components(studies(planted, mean_T=mean_T, seeds=seeds, questions=80, seed=seeds))
    covered = np.abs(found.mean_T - mean_T) <= margins(found, 0.95)
    assert 0.92 <= covered.mean() <= 0.98
    drawn = component_draws(found, 1000, np.random.default_rng(0))
    for spread, variance_NT in zip(planted, drawn, strict=True):
        low_T, high_T = np.quantile(variance_NT, (0.025, 0.975), axis=0)
        covered = (low_T <= spread**2) & (spread**2 <= high_T)
        if spread:
            assert 0.92 <= covered.mean() <= 0.98
        else:
            assert covered.mean() >= 0.92


def test_a_null_effect_is_found_at_the_level() -> None:
    for seeds in (2, 3, 5):
        scores_TSQ = studies(
            NOISES["both"], mean_T=np.zeros(STUDIES), seeds=seeds, questions=120, seed=seeds
        )
        assert (p_values(components(scores_TSQ)) <= 0.05).mean() <= 0.08


def test_bounded_scores_have_intervals_of_components_too() -> None:
    """0 or 1, as far from normal as scores are: variance .3 x .7."""
    coins_TQ = (np.random.default_rng(1).random((STUDIES, 200)) < 0.3).astype(float)
    scores_TSQ = coins_TQ[:, None].repeat(2, axis=1)
    found = components(scores_TSQ + np.random.default_rng(2).normal(0, 0.01, scores_TSQ.shape))
    low_T, high_T = np.quantile(
        component_draws(found, 500, np.random.default_rng(0))[1], (0.025, 0.975), axis=0
    )
    assert 0.92 <= ((low_T <= 0.21) & (high_T >= 0.21)).mean() <= 0.98


def test_the_seeds_that_are_asked_for_decide_as_often_as_promised() -> None:
    noise, mean = NOISES["seeds"], 0.12
    few = components(studies(noise, mean_T=np.full(STUDIES, mean), seeds=3, questions=100, seed=1))
    typical = few._replace(
        mean_T=np.array([mean]),
        **{
            name: getattr(few, name).mean(keepdims=True)
            for name in ("seed_T", "question_T", "rest_T", "question_df_T", "rest_df_T")
        },
        questions_T=few.questions_T[:1],
    )
    needed = int(seeds_needed(typical, 0.95, 0.8)[0])
    assert needed > 3
    many = studies(noise, mean_T=np.full(STUDIES, mean), seeds=needed, questions=100, seed=2)
    assert 0.72 <= (p_values(components(many)) <= 0.05).mean() <= 0.92
    assert np.isnan(questions_needed(typical, 0.95, 0.8)[0])
