"""The noise of recorded runs, as planted studies draw it.

Letters: A alphas, C scales, T cells of an alpha and a scale, S seeds, Q questions.
"""

import numpy as np

from lingmix.analysis.inference.components import deviations
from lingmix.analysis.inference.grid import Floats
from lingmix.analysis.inference.planted import Noise

TERMS = 3
"""What is fitted to a question's scores over the cells: a constant, alpha, the log of the size."""


def recorded_noise(scores_ACSQ: Floats, alphas_A: Floats, ratios_C: Floats) -> Noise:
    """Estimates the standard deviations of `Noise` by the method of moments: each mean square is
    set equal to its expectation, and a negative variance is 0.

    Needs two seeds and four cells; `ratios_C` are sizes over that of the base data.
    """
    A, C, S, Q = scores_ACSQ.shape
    T = A * C
    _, seed_TS, question_TQ, rest_TSQ = deviations(scores_ACSQ.reshape(T, S, Q))
    rest = (rest_TSQ**2).sum() / (T * (S - 1) * (Q - 1))
    in_cells = (seed_TS**2).sum() / (T * (S - 1))  # seed + seed_in_cell + rest / Q
    of_mean = (seed_TS.mean(0) ** 2).sum() / (S - 1)  # seed + (seed_in_cell + rest / Q) / T
    seed_in_cell = (in_cells - of_mean) * T / (T - 1) - rest / Q
    terms_T3 = np.column_stack([np.ones(T), np.repeat(alphas_A, C), np.tile(np.log(ratios_C), A)])
    fit_3T = np.linalg.pinv(terms_T3)
    effect_3Q = fit_3T @ question_TQ
    left_TQ = question_TQ - terms_T3 @ effect_3Q
    of_question = (left_TQ**2).sum() / ((T - TERMS) * (Q - 1))  # question_in_cell + rest / S
    question_3 = (effect_3Q**2).sum(1) / (Q - 1) - of_question * (fit_3T**2).sum(1)
    variances = (
        in_cells - seed_in_cell - rest / Q,
        seed_in_cell,
        *question_3,
        of_question - rest / S,
        rest,
    )
    return Noise(*(float(np.sqrt(max(variance, 0.0))) for variance in variances))
