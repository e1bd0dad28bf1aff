"""The search for a law's one nonlinear parameter: a grid, then bisection around its best."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BISECTIONS = 45
"""A cell of a grid of a few hundred points, so often halved, is below 1e-13 of the parameter."""


def refine(
    grid_G: Floats, best_N: NDArray[np.intp], rises: Callable[[Floats], NDArray[np.bool_]]
) -> Floats:
    """The maximum of each draw between the neighbours of its best point of a geometric grid.

    `rises` says where what is maximised grows with the parameter. At an end of the grid the result
    may be that end.
    """
    low_N = grid_G[np.maximum(best_N - 1, 0)]
    high_N = grid_G[np.minimum(best_N + 1, len(grid_G) - 1)]
    for _ in range(BISECTIONS):
        middle_N = np.sqrt(low_N * high_N)
        up_N = rises(middle_N)
        low_N, high_N = np.where(up_N, middle_N, low_N), np.where(up_N, high_N, middle_N)
    return np.sqrt(low_N * high_N)


def interval(grid_G: Floats, loss_NG: Floats, threshold_N: Floats) -> tuple[Floats, Floats]:
    """Where the profile of a loss passes the threshold, below and above its lowest point.

    0 and infinity where it does not within the grid: the parameter is not identifiable from that
    side. Between points of the grid the profile is read off as linear in the logarithm.
    """
    excess_NG = loss_NG - threshold_N[:, None]
    best_N = loss_NG.argmin(-1)
    low_N = _crossing(excess_NG[:, ::-1], grid_G[::-1], loss_NG.shape[1] - 1 - best_N, open_end=0.0)
    return low_N, _crossing(excess_NG, grid_G, best_N, open_end=np.inf)


def _crossing(
    excess_NG: Floats, grid_G: Floats, best_N: NDArray[np.intp], *, open_end: float
) -> Floats:
    """The first point after the best where the excess is above 0."""
    after_NG = np.arange(len(grid_G)) > best_N[:, None]
    outside_NG = after_NG & (excess_NG > 0)
    first_N = outside_NG.argmax(-1)
    draw_N = np.arange(len(excess_NG))
    before, beyond = excess_NG[draw_N, first_N - 1], excess_NG[draw_N, first_N]
    log_G = np.log(grid_G)
    share = np.clip(-before / np.where(beyond == before, 1.0, beyond - before), 0.0, 1.0)
    point = np.exp(log_G[first_N - 1] + share * (log_G[first_N] - log_G[first_N - 1]))
    return np.where(outside_NG.any(-1), point, open_end)
