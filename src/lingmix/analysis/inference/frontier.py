"""The trade-off between two scores: Pareto front, attainment, hypervolume and exchange rate."""

import numpy as np
from numpy.typing import NDArray

from lingmix.analysis.inference.grid import Floats


def on_front(points_NAD: Floats) -> NDArray[np.bool_]:
    """False for a point that another is at least as good as everywhere, and better somewhere.

    Higher is better in each of the D coordinates; equal points stay together. Leading axes are of
    separate fronts.
    """
    one, other = points_NAD[..., :, None, :], points_NAD[..., None, :, :]
    dominated_NAA = np.all(other >= one, axis=-1) & np.any(other > one, axis=-1)
    return np.logical_not(np.any(dominated_NAA, axis=-1))


def hypervolume(points_NA2: Floats) -> Floats:
    """The area that the points dominate above (0, 0)."""
    order = np.argsort(-points_NA2[..., 0], axis=-1)
    x_NA = np.clip(np.take_along_axis(points_NA2[..., 0], order, -1), 0, None)
    y_NA = np.clip(np.take_along_axis(points_NA2[..., 1], order, -1), 0, None)
    best_NA = np.maximum.accumulate(y_NA, axis=-1)
    width_NA = x_NA - np.concatenate([x_NA[..., 1:], np.zeros_like(x_NA[..., :1])], axis=-1)
    return (best_NA * width_NA).sum(-1)


def attained(points_NA2: Floats, first_G: Floats) -> Floats:
    """Returns N x G: the best second coordinate of the points whose first is at least this; -inf
    where no point's is. Its quantiles are the attainment surfaces of Grunert da Fonseca, Fonseca
    and Hall (EMO 2001)."""
    second_NGA = np.where(
        points_NA2[:, None, :, 0] >= first_G[:, None], points_NA2[:, None, :, 1], -np.inf
    )
    return second_NGA.max(-1)


def exchange_rates(paid_N: Floats, gained_N: Floats) -> Floats:
    """Draws of paid / gained, so ordered that their quantiles bound Fieller's interval: where a
    draw gains nothing the price is infinite, or minus infinity where it pays nothing either."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(gained_N > 0, paid_N / gained_N, np.where(paid_N > 0, np.inf, -np.inf))
