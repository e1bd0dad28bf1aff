"""How many seeds or questions would decide a comparison that these runs do not."""

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lingmix.analysis.inference.components import Components
from lingmix.analysis.inference.grid import Floats

NUMBERS = np.unique(np.geomspace(2, 1e6, 1000).astype(np.int64)).astype(np.float64)
"""Numbers of seeds or questions that are tried."""


def seeds_needed(found: Components, level: float, power: float) -> Floats:
    """Returns the seeds in all at which a mean of this size would differ from 0 with this power,
    were the questions as many as now; NaN where no number would do."""
    return _first(_decided(found, NUMBERS[:, None], found.questions_T, level, power))


def questions_needed(found: Components, level: float, power: float) -> Floats:
    """Returns the questions in all that would do, were the seeds as many as now."""
    return _first(_decided(found, found.seeds, NUMBERS[:, None], level, power))


def _decided(
    found: Components, seeds: Floats | int, questions: Floats | int, level: float, power: float
) -> NDArray[np.bool_]:
    """K x T, by the power of a t-test with Satterthwaite's degrees of freedom."""
    seed_T, question_T, rest_T = found.variances
    seeds_KT = seed_T / seeds + rest_T / (seeds * questions)
    total_KT = seeds_KT + question_T / questions
    df_KT = np.maximum(seeds - 1, 1) * (total_KT / np.maximum(seeds_KT, 1e-300)) ** 2
    quantile_KT = stats.t.ppf((1 + level) / 2, df_KT) + stats.norm.ppf(power)
    return np.abs(found.mean_T) >= quantile_KT * np.sqrt(total_KT)


def _first(decided_KT: NDArray[np.bool_]) -> Floats:
    return np.where(decided_KT.any(0), NUMBERS[decided_KT.argmax(0)], np.nan)
