"""The noise of a whole grid's means, seeds' effects pooled over its cells.

A comparison of two cells has the degrees of freedom of its own seeds, which for two seeds is one. A
law is about all T cells at once:

    score_tsq = mean_t + seed_s + cell_ts + question_tq + rest_tsq

with `cell` effects that are independent and of one variance, which has (T - 1) (S - 1) degrees of
freedom. Only the shift `seed` that a seed gives to all cells keeps S - 1, and that moves a law's
limits alone.
"""

import numpy as np

from lingmix.analysis.inference.components import deviations
from lingmix.analysis.inference.grid import Floats


def pooled_draws(scores_ACSQ: Floats, draws: int, rng: np.random.Generator) -> Floats:
    """Draws the means of a grid's cells as other seeds and questions may give them: NAC.

    Letters: A alphas, C scales, S seeds, Q questions, N draws. One seed tells nothing of others:
    then the noise is of questions alone.
    """
    A, C, S, Q = scores_ACSQ.shape
    scores_TSQ = scores_ACSQ.reshape(A * C, S, Q)
    noise_NT = _question_noise(scores_TSQ, draws, rng)
    if S > 1:
        noise_NT += _seed_noise(scores_TSQ, draws, rng)
    return scores_ACSQ.mean((2, 3)) + noise_NT.reshape(draws, A, C)


def _question_noise(scores_TSQ: Floats, draws: int, rng: np.random.Generator) -> Floats:
    """Normal, with the covariance of the means over questions."""
    Q = scores_TSQ.shape[-1]
    question_TQ = scores_TSQ.mean(1)
    question_TQ -= question_TQ.mean(1, keepdims=True)
    return rng.standard_normal((draws, Q)) @ question_TQ.T / np.sqrt(Q * (Q - 1))


def _seed_noise(scores_TSQ: Floats, draws: int, rng: np.random.Generator) -> Floats:
    """That of cells and of shifts, less the rest, which the questions' noise holds already."""
    T, S, Q = scores_TSQ.shape
    _, seed_TS, _, rest_TSQ = deviations(scores_TSQ)
    rest = (rest_TSQ**2).sum() / (T * (S - 1) * (Q - 1) * Q)
    shift_S = seed_TS.mean(0)
    cell_TS = seed_TS - shift_S
    degrees = (T - 1) * (S - 1)
    cell = (cell_TS**2).sum() / degrees
    shift = max(shift_S.var(ddof=1) - cell / T, 0.0)
    chi_N = np.sqrt(rng.chisquare(degrees, draws) / degrees)
    cells_NT = rng.standard_normal((draws, T)) * np.sqrt(max(cell - rest, 0.0) / S)
    shifts_N = rng.standard_t(S - 1, draws) * np.sqrt(shift / S)
    return cells_NT / chi_N[:, None] + shifts_N[:, None]
