"""Studies drawn from a known truth."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Noise(NamedTuple):
    """Standard deviations of the effects of seeds, of questions, and of the rest."""

    seed: float
    question: float
    rest: float


NOISES = {
    "questions": Noise(0.001, 0.35, 0.15),
    "seeds": Noise(0.05, 0.15, 0.15),
    "both": Noise(0.015, 0.25, 0.15),
    "rest": Noise(0.0, 0.0, 0.3),
}


def studies(
    noise: Noise, *, mean_T: NDArray[np.float64], seeds: int, questions: int, seed: int
) -> NDArray[np.float64]:
    """Scores of T independent contrasts, seeds and questions."""
    rng = np.random.default_rng(seed)
    T = len(mean_T)
    return (
        mean_T[:, None, None]
        + noise.seed * rng.standard_normal((T, seeds, 1))
        + noise.question * rng.standard_normal((T, 1, questions))
        + noise.rest * rng.standard_normal((T, seeds, questions))
    )
