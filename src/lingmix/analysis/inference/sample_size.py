"""How many seeds or questions would decide a comparison that these runs do not."""

import numpy as np
from numpy.typing import NDArray
from scipy import special

from lingmix.analysis.inference.components import Components, tail
from lingmix.analysis.inference.grid import Floats

SEEDS = (*range(2, 21), *np.unique(np.geomspace(21, 1000, 20).astype(int)).tolist())
QUESTIONS = np.unique(np.geomspace(2, 1e6, 200).astype(int)).tolist()
"""Numbers that are tried."""


def seeds_needed(found: Components, level: float, power: float) -> Floats:
    """Returns the seeds in all at which a mean of this size would differ from 0 with this power,
    were the questions as many as now; NaN where no number would do."""
    needed_T = np.full_like(found.mean_T, np.nan)
    for seeds in SEEDS:
        decided_T = _decided(found, seeds, found.questions_T, level, power)
        needed_T[decided_T & np.isnan(needed_T)] = seeds
        if not np.isnan(needed_T).any():
            break
    return needed_T


def questions_needed(found: Components, level: float, power: float) -> Floats:
    """Returns the questions in all that would do, were the seeds as many as now."""
    needed_T = np.full_like(found.mean_T, np.nan)
    for questions in QUESTIONS:
        decided_T = _decided(found, found.seeds, np.float64(questions), level, power)
        needed_T[decided_T & np.isnan(needed_T)] = questions
        if not np.isnan(needed_T).any():
            break
    return needed_T


def _decided(
    found: Components, seeds: int, questions: Floats | np.float64, level: float, power: float
) -> NDArray[np.bool_]:
    """Whether a mean that noise has made smaller, as it does with chance 1 - power, is tested."""
    seed_T, question_T, rest_T = found.variances
    seeds_T = np.sqrt(seed_T / seeds + rest_T / (seeds * questions))
    questions_T = np.sqrt(question_T / questions)
    smaller_T = np.abs(found.mean_T) - special.ndtri(power) * np.hypot(seeds_T, questions_T)
    chance_T = tail(np.maximum(smaller_T, 0), seeds_T, questions_T, seeds - 1)
    return chance_T <= 1 - level
