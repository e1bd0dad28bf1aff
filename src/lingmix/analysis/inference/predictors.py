"""Why language pairs gain more or less: a regression of their response on what is known of them.

Letters: P language pairs, F predictors.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

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

    Pairs that share a language are not independent: the covariance sums the products of residuals
    over all two that do (Aronow, Samii and Assenova, Political Analysis 23, 2015, equation 5), with
    Student's t of as many degrees of freedom as there are languages less the parameters. Raises
    InputError where the pairs do not tell the predictors apart.
    """
    design_PK = np.column_stack([np.ones(len(response_P)), predictors_PF])
    languages = {language for pair in pairs_P for language in pair}
    degrees = len(languages) - design_PK.shape[1]
    if degrees < 1 or np.linalg.matrix_rank(design_PK) < design_PK.shape[1]:
        raise InputError(
            f"predictors: {len(pairs_P)} pairs of {len(languages)} languages do not tell "
            f"{predictors_PF.shape[1]} predictors apart"
        )
    inverse_KK = np.linalg.inv(design_PK.T @ design_PK)
    effect_K = inverse_KK @ design_PK.T @ response_P
    scored_PK = design_PK * (response_P - design_PK @ effect_K)[:, None]
    shared_PP = np.array([[not {*one}.isdisjoint(other) for other in pairs_P] for one in pairs_P])
    covariance_KK = inverse_KK @ (scored_PK.T @ shared_PP @ scored_PK) @ inverse_KK
    error_K = np.sqrt(np.clip(np.diag(covariance_KK), 0, None))
    margin_K = stats.t.ppf((1 + level) / 2, degrees) * error_K
    with np.errstate(divide="ignore", invalid="ignore"):
        p_K = 2 * stats.t.sf(np.abs(effect_K) / error_K, degrees)
    return Effects(*(one[1:] for one in (effect_K, effect_K - margin_K, effect_K + margin_K, p_K)))
