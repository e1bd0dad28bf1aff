"""The trade-off between two scores: Pareto front, attainment, hypervolume and exchange rate."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lingmix.analysis.inference.components import components, p_values
from lingmix.analysis.inference.grid import Floats

LARGEST_RATE = 1e6


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


def exchange_rate(paid_SQ: Floats, gained_SQ: Floats, level: float) -> tuple[float, float] | None:
    """Returns the bounds of paid / gained, which are differences of scores: Fieller's interval, all
    rates r at which paid - r gained may be 0. None where the interval of what is gained holds 0 or
    is below: by Fieller's condition the rate is then unbounded."""

    def differs(rate: float) -> bool:
        return bool(p_values(components((paid_SQ - rate * gained_SQ)[None]))[0] <= 1 - level)

    gained = float(gained_SQ.mean())
    if gained <= 0 or p_values(components(gained_SQ[None]))[0] > 1 - level:
        return None
    rate = float(paid_SQ.mean()) / gained
    return _edge(differs, rate, -1.0), _edge(differs, rate, 1.0)


def _edge(differs: Callable[[float], bool], rate: float, direction: float) -> float:
    inside, step = rate, direction
    while not differs(inside + step) and abs(step) < LARGEST_RATE:
        inside, step = inside + step, step * 2
    outside = inside + step
    for _ in range(25):
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if differs(middle) else (middle, outside)
    return inside
