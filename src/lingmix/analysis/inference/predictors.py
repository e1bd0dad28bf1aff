"""Why language pairs gain more or less: a regression of their response on what is known of them.

Letters: L languages, P language pairs, F predictors, K parameters.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from lingmix.analysis.inference.grid import Floats
from lingmix.data.items import LanguagePair
from lingmix.errors import InputError


class Effects(NamedTuple):
    """What each predictor adds to the response, the bounds of its interval, and its p."""

    effect_F: Floats
    low_F: Floats
    high_F: Floats
    p_F: Floats


def effects(
    response_P: Floats, predictors_PF: Floats, pairs_P: Sequence[LanguagePair], *, level: float
) -> Effects:
    """Least squares with a constant, which is not returned.

    Pairs that share a language are not independent: the errors are those of the jackknife that
    leaves out all pairs of a language (Efron and Tibshirani, An Introduction to the Bootstrap,
    1993, chapter 11), with Student's t of as many degrees of freedom as there are languages less
    the parameters. Raises InputError where the pairs do not tell the predictors apart whichever
    language is left out.
    """
    if not are_told_apart(predictors_PF, pairs_P):
        raise InputError(
            f"predictors: {len(pairs_P)} pairs do not tell {predictors_PF.shape[1]} predictors "
            "apart"
        )
    design_PK, rest_LP = _design(predictors_PF), _without_each_language(pairs_P)
    L, K = len(rest_LP), design_PK.shape[1]
    effect_K = _least_squares(design_PK, response_P)
    without_LK = [_least_squares(design_PK[rest_P], response_P[rest_P]) for rest_P in rest_LP]
    error_K = np.sqrt((L - 1) / L * ((without_LK - effect_K) ** 2).sum(0))
    margin_K = special.stdtrit(L - K, (1 + level) / 2) * error_K
    with np.errstate(divide="ignore", invalid="ignore"):
        p_K = 2 * special.stdtr(L - K, -np.abs(effect_K) / error_K)
    return Effects(*(one[1:] for one in (effect_K, effect_K - margin_K, effect_K + margin_K, p_K)))


def are_told_apart(predictors_PF: Floats, pairs_P: Sequence[LanguagePair]) -> bool:
    """Whether each predictor differs from the others, and from a constant, whichever language is
    left out."""
    design_PK, rest_LP = _design(predictors_PF), _without_each_language(pairs_P)
    K = design_PK.shape[1]
    ranks = (np.linalg.matrix_rank(design_PK[rest_P]) for rest_P in rest_LP)
    return len(rest_LP) > K and all(rank == K for rank in ranks)


def _design(predictors_PF: Floats) -> Floats:
    return np.column_stack([np.ones(len(predictors_PF)), predictors_PF])


def _without_each_language(pairs_P: Sequence[LanguagePair]) -> NDArray[np.bool_]:
    languages = sorted({language for pair in pairs_P for language in pair})
    return np.array([[language not in pair for pair in pairs_P] for language in languages])


def _least_squares(design_PK: Floats, response_P: Floats) -> Floats:
    return np.asarray(np.linalg.lstsq(design_PK, response_P)[0], dtype=np.float64)
