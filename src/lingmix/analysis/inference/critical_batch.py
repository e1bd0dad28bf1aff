"""The critical batch size: beyond it, a larger batch mostly costs more examples.

    steps = least_steps + examples / batch

to reach a target that does not depend on the batch (arXiv 1812.06162, equation 2.11; 2410.21676).
In logarithms log(steps * batch) = log(examples) + log(1 + batch / turn), turn = examples /
least_steps: given the turn, only a mean is left to fit. A batch of the turn's size reads twice the
examples that small batches need, the critical one `OVERHEAD` more.

Letters: N draws, M runs, G and E points of grids.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from lingmix.analysis.inference.grid import Floats
from lingmix.analysis.inference.laws import Estimate
from lingmix.analysis.inference.search import profile_bounds, refine
from lingmix.errors import InputError

OVERHEAD = 0.2
"""The share of examples more that a critical batch reads (arXiv 2410.21676, whose reference is not
the limit of small batches but a batch of 256, which adds 1.2 * 256 to the figure)."""

EXPONENTS = (-2.0, 3.0)

REACH = 1e3
"""The turn is searched from the smallest batch / REACH to the largest * REACH."""


class CriticalBatches(NamedTuple):
    """Of each draw the estimate, and its interval; `low` is 0 and `high` infinite where the runs do
    not tell a bound."""

    size_N: Floats
    low_N: Floats
    high_N: Floats


def critical_batches(
    batches_M: Sequence[float] | Floats, steps_NM: Floats, *, level: float
) -> CriticalBatches:
    """Fits each draw by least squares in logarithms; intervals by the profile of the residuals.

    The runs' errors are independent and multiplicative: the profile's rise has an F distribution
    with the runs less two as its degrees, to which 1.92 of log-likelihood is the limit of many
    runs. Raises InputError below three runs or two batch sizes.
    """
    batch_M, cost_NM = _costs(batches_M, steps_NM)
    turn_G, within_MM = _turns(batch_M), _within(np.zeros_like(batch_M))
    turn_N = _best_turn(batch_M, cost_NM, turn_G, within_MM)
    threshold_N = _left(batch_M, cost_NM, turn_N, within_MM) * _rise(len(batch_M) - 2, level)
    low_N, high_N = profile_bounds(
        turn_G,
        turn_N,
        _losses(batch_M, cost_NM, turn_G, within_MM) > threshold_N[:, None],
        lambda some_N: _left(batch_M, cost_NM, some_N, within_MM) > threshold_N,
    )
    return CriticalBatches(OVERHEAD * turn_N, OVERHEAD * low_N, OVERHEAD * high_N)


def growth(
    log_sizes_M: Floats,
    batches_M: Sequence[float] | Floats,
    steps_M: Floats,
    *,
    level: float,
) -> Estimate:
    """Fits the exponent of critical batch sizes that are a power of the data's size, all scales at
    once.

    `log_sizes_M` is the logarithm of each run's data size. Each scale keeps its own number of
    examples. Searched is between `EXPONENTS`; an end of the interval beyond is infinite. Raises
    InputError as `critical_batches` does, and for one scale.
    """
    if len(np.unique(log_sizes_M)) < 2:
        raise InputError("batch sizes: growth with scale needs two scales, got one")
    batch_M, cost_NM = _costs(batches_M, steps_M[None])
    turn_G, within_MM = _turns(batch_M), _within(log_sizes_M)
    log_of_M = log_sizes_M - log_sizes_M.mean()

    def least(exponent: float) -> float:
        scaled_M = batch_M * np.exp(-exponent * log_of_M)
        turn_N = _best_turn(scaled_M, cost_NM, turn_G, within_MM)
        return float(_left(scaled_M, cost_NM, turn_N, within_MM)[0])

    from scipy import optimize  # noqa: PLC0415 - takes a while, and few sweep over batch sizes

    grid_E = np.linspace(*EXPONENTS, 51)
    start = int(np.argmin([least(exponent) for exponent in grid_E]))
    around = grid_E[max(start - 1, 0)], grid_E[min(start + 1, len(grid_E) - 1)]
    best = optimize.minimize_scalar(least, bounds=around, options={"xatol": 1e-7})
    degrees = len(batch_M) - len(np.unique(log_sizes_M)) - 2
    threshold = best.fun * _rise(degrees, level)

    def bound(end: float) -> float:
        if least(end) <= threshold:
            return float(np.copysign(np.inf, end))
        return float(optimize.brentq(lambda exponent: least(exponent) - threshold, best.x, end))

    return Estimate(float(best.x), *map(bound, EXPONENTS))


def steps_to(target: float, steps_V: Sequence[int], scores_V: Sequence[float]) -> float | None:
    """The step at which a validation curve first reaches a target, between two validations on a
    line; None where it never does, or has done so by the first."""
    above = np.flatnonzero(np.asarray(scores_V) >= target)
    if not len(above) or above[0] == 0:
        return None
    last, first = above[0] - 1, above[0]
    share = (target - scores_V[last]) / (scores_V[first] - scores_V[last])
    return steps_V[last] + share * (steps_V[first] - steps_V[last])


def _costs(batches_M: Sequence[float] | Floats, steps_NM: Floats) -> tuple[Floats, Floats]:
    """Batch sizes, and logarithms of the examples read."""
    batch_M = np.asarray(batches_M, dtype=np.float64)
    if len(batch_M) < 3 or len(np.unique(batch_M)) < 2:
        raise InputError(
            "batch sizes: a critical one needs three runs of two batch sizes, got "
            f"{len(batch_M)} of {len(np.unique(batch_M))}; sweep over sampler.batch_size"
        )
    return batch_M, np.log(steps_NM * batch_M)


def _turns(batch_M: Floats) -> Floats:
    return np.geomspace(batch_M.min() / REACH, batch_M.max() * REACH, 600)


def _within(groups_M: Floats) -> Floats:
    """The projection that takes from each run the mean of its group."""
    same_MM = groups_M[:, None] == groups_M
    return np.eye(len(groups_M)) - same_MM / same_MM.sum(-1)


def _best_turn(batch_M: Floats, cost_NM: Floats, turn_G: Floats, within_MM: Floats) -> Floats:
    def falls(turn_N: Floats) -> NDArray[np.bool_]:
        """Whether the sum of squared residuals falls as the turn grows."""
        ratio_NM = batch_M / turn_N[:, None]
        residual_NM = (cost_NM - np.log1p(ratio_NM)) @ within_MM
        return (residual_NM * -ratio_NM / (1 + ratio_NM)).sum(-1) > 0

    best_N = _losses(batch_M, cost_NM, turn_G, within_MM).argmin(-1)
    return refine(turn_G, best_N, falls)


def _left(batch_M: Floats, cost_NM: Floats, turn_N: Floats, within_MM: Floats) -> Floats:
    """The sum of squared residuals of each draw at its turn."""
    return (((cost_NM - np.log1p(batch_M / turn_N[:, None])) @ within_MM) ** 2).sum(-1)


def _losses(batch_M: Floats, cost_NM: Floats, turn_G: Floats, within_MM: Floats) -> Floats:
    """The same of each draw at each turn, NG, but for rounding."""
    cost_NM, shape_GM = cost_NM @ within_MM, np.log1p(batch_M / turn_G[:, None]) @ within_MM
    crossed_NG = cost_NM @ shape_GM.T
    return (cost_NM**2).sum(-1)[:, None] + (shape_GM**2).sum(-1) - 2 * crossed_NG


def _rise(degrees: int, level: float) -> float:
    """How many times the least sum of squares the interval's bounds have."""
    return 1 + special.fdtri(1, degrees, level) / degrees
