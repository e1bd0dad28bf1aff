"""The law of scores over scales: its numbers, and whether the runs can tell them.

Letters as in `power_law`; the rows are alphas, which share an exponent.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from lingmix.analysis.inference.grid import Floats
from lingmix.analysis.inference.power_law import (
    BOUNDS,
    Curves,
    Sizes,
    explained,
    fit_curves,
    steepest,
)
from lingmix.analysis.inference.search import profile_bounds

GAIN = 0.01
"""A point: doubling the data beyond `enough` gains less."""

PROFILE = np.geomspace(*BOUNDS, 500)

EDGE = 1.001
"""A factor from a bound within which an exponent is at it."""

FAR = 100
"""Sizes beyond as many times the largest are not foretold."""

Status = Literal["converged", "at bound", "not identifiable"]


class Estimate(NamedTuple):
    """A value and the bounds of its interval."""

    value: float
    low: float
    high: float


class Law(NamedTuple):
    """The law of rows that share an exponent.

    Where the status is not "converged", the exponent and the limits are not to be shown. `curves`
    are of the measured rows, first, and of the draws. `miss_R` is what the law of the other scales
    predicts for the largest, less what was measured there; None below four scales, as three scores
    have as many parameters. `level` is that of the intervals.
    """

    status: Status
    exponent: Estimate
    curves: Curves
    miss_R: Floats | None
    level: float

    def limit(self, row: int) -> Estimate:
        return estimate(self.curves.limit_NR[:, row], self.level)

    def at(self, row: int, log_size: float) -> Estimate:
        return estimate(self.curves.at(log_size)[:, row], self.level)


def fit_law(rows_RC: Floats, draws_NRC: Floats, sizes: Sizes, *, level: float) -> Law:
    """Fits the measured rows, and each draw of what they may be.

    The exponent's interval is where its profile likelihood is, at level 0.95, at most 1.92 below
    its top. The likelihood's variance is that of the draws along the direction in which the
    exponent moves the rows. A profile that does not fall by as much within `BOUNDS` does not
    identify the exponent.
    """
    logs_C = sizes.logs_C
    curves = fit_curves(np.concatenate([rows_RC[None], draws_NRC]), logs_C)
    exponent = float(curves.exponent_N[0])
    direction_RC = steepest(rows_RC, logs_C, exponent)
    variance = ((draws_NRC - rows_RC) * direction_RC).sum((1, 2)).var()
    least = curves.explained_N[0] - special.chdtri(1, 1 - level) * variance

    def outside(exponents_G: Floats) -> NDArray[np.bool_]:
        return explained(rows_RC[None], logs_C, exponents_G)[0] < least

    low_N, high_N = profile_bounds(PROFILE, curves.exponent_N[:1], outside(PROFILE)[None], outside)
    found = Estimate(exponent, float(low_N[0]), float(high_N[0]))
    return Law(_status(found, direction_RC), found, curves, miss(rows_RC, logs_C), level)


def _status(exponent: Estimate, direction_RC: Floats) -> Status:
    if not direction_RC.any():
        return "not identifiable"
    if not BOUNDS[0] * EDGE < exponent.value < BOUNDS[1] / EDGE:
        return "at bound"
    told = exponent.low > 0 and exponent.high < np.inf
    return "converged" if told else "not identifiable"


def miss(rows_RC: Floats, logs_C: Floats) -> Floats | None:
    """See `Law.miss_R`."""
    if len(logs_C) < 4:
        return None
    others = fit_curves(rows_RC[None, :, :-1], logs_C[:-1])
    return others.at(logs_C[-1])[0] - rows_RC[:, -1]


def enough(law: Law, row: int, sizes: Sizes) -> Estimate:
    """The scale beyond which doubling all data gains less than `GAIN`: 0 where it does from the
    start, infinity where it is not to be foretold (see `FAR`)."""
    exponent_N = law.curves.exponent_N
    first_N = law.curves.drop_NR[:, row] * (1 - 2**-exponent_N) / GAIN
    with np.errstate(over="ignore"):
        size_N = sizes.middle * np.maximum(first_N, 0.0) ** (1 / exponent_N)
    scale_N = np.maximum(size_N - sizes.base, 0.0)
    return estimate(np.where(size_N > FAR * sizes.sizes_C.max(), np.inf, scale_N), law.level)


def estimate(values_N: Floats, level: float) -> Estimate:
    """The first is the estimate, the others are draws."""
    # an order statistic, as values may be infinite
    bounds = (1 - level) / 2, (1 + level) / 2
    low, high = np.quantile(values_N[1:], bounds, method="nearest")
    return Estimate(float(values_N[0]), float(low), float(high))
