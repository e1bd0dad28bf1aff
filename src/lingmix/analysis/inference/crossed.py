"""Means of a crossed design, seeds x questions, and how they would vary with other ones.

The runs of several seeds are measured on the same questions, so the score of treatment t with seed
s on question q is

    score_tsq = mean_t + seed_ts + question_tq + rest_tsq

with seeds and questions both drawn from populations.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lingmix.analysis.inference.components import deviations
from lingmix.analysis.inference.grid import Floats, Grid


class ResampledMeans(NamedTuple):
    """The means of a grid's cells, and N joint draws of what they may be."""

    mean_AC: Floats
    means_NAC: Floats


def resampled(grids: Sequence[Grid], draws: int, rng: np.random.Generator) -> list[ResampledMeans]:
    """Draws the means of grids of the same axes, all with the same seeds and questions.

    A draw is the means plus noise of two parts. That of the seeds is the deviations of the S seeds
    weighed by normal numbers and divided by one chi of S - 1 degrees of freedom, so that each
    contrast has Student's t-distribution: a percentile bootstrap over few seeds is too narrow by
    sqrt((S - 1) / S) and more. That of the questions is normal with the covariance of the
    questions' effects, less the rest, which the seeds' deviations hold already. With two seeds, and
    questions that matter as much, it is too wide by a little (see `components.tail`). One seed
    tells nothing of others: then the noise is of questions alone.
    """
    scores_TSQ = np.concatenate(
        [grid.scores_ACSQ.reshape(-1, *grid.scores_ACSQ.shape[2:]) for grid in grids]
    )
    noise_NT = crossed_noise(scores_TSQ, draws, rng)
    found, start = [], 0
    for grid in grids:
        mean_AC = grid.means
        noise_NAC = noise_NT[:, start : start + mean_AC.size].reshape(draws, *mean_AC.shape)
        found.append(ResampledMeans(mean_AC, mean_AC + noise_NAC))
        start += mean_AC.size
    return found


def crossed_noise(scores_TSQ: Floats, draws: int, rng: np.random.Generator) -> Floats:
    """Draws the noise of the T means, N times (see `resampled`)."""
    T, S, Q = scores_TSQ.shape
    _, seed_TS, question_TQ, rest_TSQ = deviations(scores_TSQ)
    question_TT = question_TQ @ question_TQ.T / (Q * (Q - 1))
    if S == 1:
        return rng.standard_normal((draws, T)) @ _root(question_TT).T
    rest_TN = rest_TSQ.reshape(T, -1)
    rest_TT = rest_TN @ rest_TN.T / (S * Q * (S - 1) * (Q - 1))
    chi_N = np.sqrt(rng.chisquare(S - 1, draws))
    seeds_NT = rng.standard_normal((draws, S)) @ seed_TS.T / (np.sqrt(S) * chi_N[:, None])
    return seeds_NT + rng.standard_normal((draws, T)) @ _root(question_TT - rest_TT).T


def interval(values_N: Floats, level: float) -> tuple[Floats, Floats]:
    """Returns the bounds that leave half of 1 - `level` on either side, over the first axis."""
    bounds = ((1 - level) / 2, (1 + level) / 2)
    low, high = np.quantile(values_N, bounds, axis=0, method="inverted_cdf")
    return low, high


def _root(covariance_TT: Floats) -> Floats:
    """A square root of the closest matrix without negative variances."""
    values_T, vectors_TT = np.linalg.eigh(covariance_TT)
    return vectors_TT * np.sqrt(np.clip(values_T, 0, None))
