"""The noise that a study was drawn with is found again."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from lingmix.analysis.inference.planted import draw_study
from lingmix.analysis.inference.recorded_noise import recorded_noise

from .test_planted import DESIGN, JOINT, NOISE, SILENT

ALPHAS_A, RATIOS_C = np.array(DESIGN.alphas), 1 + np.array(DESIGN.scales) / DESIGN.base


def found(noise, *, seeds, questions):
    design = replace(DESIGN, seeds=seeds, questions=questions)
    scores_ACSQ = draw_study(JOINT, noise, design, np.random.default_rng(1))
    return asdict(recorded_noise(scores_ACSQ, ALPHAS_A, RATIOS_C))


def test_all_spreads_are_found_in_a_large_study():
    """100 seeds tell a spread to a tenth or so, 1,000 questions better."""
    assert found(NOISE, seeds=100, questions=1000) == pytest.approx(asdict(NOISE), rel=0.15)


@pytest.mark.parametrize("name", asdict(NOISE))
def test_each_is_told_from_the_others(name):
    lone = replace(SILENT, **{name: 0.1})
    spreads = found(lone, seeds=40, questions=400)
    assert spreads.pop(name) == pytest.approx(0.1, rel=0.25)
    assert max(spreads.values()) < 0.03


def test_the_mean_of_few_seeds_is_right():
    """The variances of 60 studies of 3 seeds, of which each alone tells little."""
    rng, design = np.random.default_rng(0), replace(DESIGN, questions=50)
    drawn = [
        recorded_noise(draw_study(JOINT, NOISE, design, rng), ALPHAS_A, RATIOS_C) for _ in range(60)
    ]
    mean = np.mean([one.seed_in_cell**2 for one in drawn])
    assert mean == pytest.approx(NOISE.seed_in_cell**2, rel=0.4)
