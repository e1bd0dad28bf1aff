import numpy as np
import pytest

from lingmix.analysis.inference.pooled import pooled_draws


def study(
    rng, *, seeds, questions, shift=0.0, cell=0.0, question=0.0, rest=0.0, alphas=5, scales=5
):
    normal = rng.standard_normal
    shape = alphas, scales, seeds, questions
    return (
        shift * normal(seeds)[:, None]
        + cell * normal((5, 5, seeds, 1))
        + question * normal(questions)
        + rest * normal(shape)
    )


def test_draws_vary_as_the_means_of_new_studies_do():
    rng = np.random.default_rng(0)
    of = {"seeds": 3, "questions": 50, "cell": 0.02, "question": 0.3, "rest": 0.1}
    means_NAC = np.stack([study(rng, **of).mean((2, 3)) for _ in range(600)])
    drawn_NAC = np.concatenate([
        draws_NAC - draws_NAC.mean(0)
        for draws_NAC in (pooled_draws(study(rng, **of), 60, rng) for _ in range(40))
    ])  # fmt: skip
    for contrast in (lambda y: y[:, 0, 0], lambda y: y[:, 0, 0] - y[:, 2, 3]):
        assert contrast(drawn_NAC).var() == pytest.approx(contrast(means_NAC).var(), rel=0.15)


def test_a_shift_that_a_seed_gives_to_all_cells_moves_no_difference():
    rng = np.random.default_rng(1)
    drawn_NAC = pooled_draws(study(rng, seeds=4, questions=3, shift=1.0), 200, rng)
    assert np.ptp(drawn_NAC[:, 0, 0] - drawn_NAC[:, 1, 1]) == pytest.approx(0, abs=1e-9)
    assert drawn_NAC[:, 0, 0].std() > 0.1


def test_one_seed_has_the_noise_of_questions_alone():
    rng = np.random.default_rng(2)
    scores_ACSQ = study(rng, seeds=1, questions=40, question=0.3)
    drawn_N = pooled_draws(scores_ACSQ, 4000, rng)[:, 0, 0]
    assert drawn_N.std() == pytest.approx(scores_ACSQ[0, 0, 0].std(ddof=1) / np.sqrt(40), rel=0.05)
