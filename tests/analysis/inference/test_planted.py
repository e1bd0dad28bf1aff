from dataclasses import replace

import numpy as np
import pytest

from lingmix.analysis.inference.planted import (
    BatchSweep,
    Design,
    Noise,
    PlantedLaw,
    check_design,
    draw_study,
)

JOINT = PlantedLaw(ceiling=0.6, best=0.4, bend=0.25, drop=0.1, tilt=0.8, exponent=0.5)
ADDITIVE = replace(JOINT, tilt=0.0)
NONE = replace(JOINT, tilt=0.0, bend=0.0, drop=0.0)
NOISE = Noise(
    seed=0.006, seed_in_cell=0.006, question=0.25, question_by_alpha=0.05, question_by_size=0.02,
    question_in_cell=0.1, rest=0.08,
)  # fmt: skip
SILENT = Noise(**dict.fromkeys(NOISE.__dataclass_fields__, 0.0))
DESIGN = Design(
    alphas=[0, 0.25, 0.5, 0.75, 1], scales=[0, 250, 500, 1000, 2000], unseen=4000, base=500,
    seeds=3, questions=300,
)  # fmt: skip
BATCHES = BatchSweep(sizes=[16, 32, 64, 128, 256], turn=200, spread=0.08)


def checks(law, noise=NOISE, design=DESIGN, studies=30):
    rng = np.random.default_rng(0)
    found = check_design(law, noise, design, BATCHES, studies=studies, draws=100, rng=rng)
    return {check.what.partition(" at scale")[0].partition(",")[0]: check for check in found}


def test_a_study_without_noise_has_the_law_s_scores():
    scores_ACSQ = draw_study(JOINT, SILENT, DESIGN, np.random.default_rng(0))
    assert scores_ACSQ.shape == (5, 5, 3, 300)
    # alpha 1 at size 2500, 5 times the base
    assert scores_ACSQ[4, 4] == pytest.approx(0.6 - 0.25 * 0.36 - 0.18 / 5**0.5)


def test_the_planted_best_alpha_moves_as_the_tilt_says():
    # -.5 (alpha - .4) = .1 * .8 / 3 at size 9 times the base
    assert JOINT.best_alpha(9) == pytest.approx(0.4 - 0.08 / 3 / 0.5, abs=1e-5)
    assert ADDITIVE.best_alpha(9) == pytest.approx(0.4, abs=1e-5)


def test_the_noise_is_as_wide_as_planted():
    lone = replace(SILENT, question=0.25)
    scores_ACSQ = draw_study(NONE, lone, replace(DESIGN, questions=4000), np.random.default_rng(0))
    assert scores_ACSQ[0, 0, 0].std() == pytest.approx(0.25, rel=0.05)
    assert np.ptp(scores_ACSQ, axis=(0, 1, 2)) == pytest.approx(0)


def test_intervals_hold_what_was_planted_and_the_test_finds_the_joint_law():
    found = checks(JOINT)
    for what in ("exponent", "best alpha", "critical batch size"):
        assert found[what].covered >= 0.85, what  # of 95%, within what 30 studies may show
        assert found[what].told > 0.5
    assert found["additive law rejected"].told > 0.6


@pytest.mark.parametrize("law", [ADDITIVE, NONE])
def test_the_additive_law_is_kept_where_the_best_alpha_does_not_move(law):
    assert checks(law)["additive law rejected"].told < 0.2


def test_two_scales_never_tell_the_exponent():
    found = checks(ADDITIVE, design=replace(DESIGN, scales=[0, 2000]), studies=3)
    for what in ("exponent", "scale beyond which doubling gains less than 0.01", "best alpha"):
        assert (found[what].told, found[what].covered) == (0, None)


def test_two_alphas_have_no_best_and_no_test():
    found = checks(JOINT, design=replace(DESIGN, alphas=[0, 1]), studies=3)
    assert "best alpha" not in found
    assert "additive law rejected" not in found
