"""Many comparisons at once, such as one for each language pair, with the error rate of the family
held: step-down max-T and Holm."""

from typing import NamedTuple

import numpy as np
from scipy import special

from lingmix.analysis.inference.components import Components, p_values, tail
from lingmix.analysis.inference.grid import Floats


class Tests(NamedTuple):
    """P values of M comparisons; those corrected hold the error rate of the family."""

    p_M: Floats
    holm_M: Floats
    max_t_M: Floats


def compare(found: Components, effects_MQ: Floats, draws: int, rng: np.random.Generator) -> Tests:
    """Tests M mean differences, `effects_MQ` being those of each question averaged over seeds.

    The null distribution of a statistic is the sum of two parts. That of the questions flips the
    sign of each question's differences in all comparisons at once, which keeps the correlation of
    language pairs that share questions (Westfall and Young 1993; Boytsov et al., CIKM 2013). That
    of the seeds is Student's t, independent between comparisons, the least favourable case: S seeds
    tell nothing of the correlation of M > S comparisons. Its variance is moderated by that of the
    others (see `moderated`), or the tail of so few degrees of freedom would decide nothing. As the
    seeds' noise may be common to all, a corrected p value is never below the comparison's own.
    """
    M, Q = effects_MQ.shape
    own_M = p_values(found)
    seeds_M, questions_M = found.errors
    df: float = 0
    if found.seeds > 1:
        variance_M, df = moderated(seeds_M**2, found.seeds - 1)
        seeds_M = np.sqrt(variance_M)
    share_M = _ratio(questions_M, np.sqrt(found.question_T / (found.seeds * found.questions_T)))
    null_NM = share_M * (rng.choice(np.array([-1.0, 1.0]), (draws, Q)) @ effects_MQ.T / Q)
    if found.seeds > 1:
        null_NM += seeds_M * rng.standard_t(min(df, 1e6), (draws, M))
    flipped_M = np.sqrt((effects_MQ**2).mean(1) / Q)  # the same whatever the signs
    error_M = np.hypot(seeds_M, share_M * flipped_M)
    moderated_M = tail(np.abs(found.mean_T), seeds_M, questions_M, df)
    max_t_M = step_down(_ratio(np.abs(found.mean_T), error_M), _ratio(np.abs(null_NM), error_M))
    return Tests(own_M, np.maximum(holm(moderated_M), own_M), np.maximum(max_t_M, own_M))


def holm(p_M: Floats) -> Floats:
    """Holm's step-down adjustment (Scandinavian Journal of Statistics 6, 1979)."""
    M = len(p_M)
    order = np.argsort(p_M)
    adjusted = np.minimum(np.maximum.accumulate(p_M[order] * np.arange(M, 0, -1)), 1)
    return adjusted[np.argsort(order)]


def step_down(statistic_M: Floats, null_NM: Floats) -> Floats:
    """Adjusts p values by the step-down maxT procedure (Westfall and Young 1993, algorithm 2.8)."""
    order = np.argsort(-statistic_M)
    largest_NM = np.maximum.accumulate(null_NM[:, order[::-1]], axis=1)[:, ::-1]
    exceeding_M = (largest_NM >= statistic_M[order] * (1 - 1e-12)).sum(0)
    adjusted = np.maximum.accumulate((1 + exceeding_M) / (1 + len(null_NM)))
    return adjusted[np.argsort(order)]


def moderated(variance_M: Floats, df: int) -> tuple[Floats, float]:
    """Shrinks variances of `df` degrees of freedom to their common value by empirical Bayes;
    returns them and their degrees of freedom (Smyth, SAGMB 3, 2004, section 6.2)."""
    positive_M = variance_M[variance_M > 0]
    if len(positive_M) < 2:
        return variance_M, df
    log_M = np.log(positive_M) - special.digamma(df / 2) + np.log(df / 2)
    excess = log_M.var(ddof=1) - special.polygamma(1, df / 2)
    if excess <= 0:
        return np.full_like(variance_M, np.exp(log_M.mean())), np.inf
    prior = 2 * _inverse_trigamma(float(excess))
    common = np.exp(log_M.mean() + special.digamma(prior / 2) - np.log(prior / 2))
    return (prior * common + df * variance_M) / (prior + df), prior + df


def _ratio(values_M: Floats, by_M: Floats) -> Floats:
    """0 where the divisor is."""
    return np.divide(values_M, by_M, out=np.zeros_like(values_M), where=by_M > 0)


def _inverse_trigamma(value: float) -> float:
    """By Newton's method on 1 / trigamma, which is nearly straight (Smyth 2004, appendix)."""
    y = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(special.polygamma(1, y))
        y += trigamma * (1 - trigamma / value) / float(special.polygamma(2, y))
    return y
