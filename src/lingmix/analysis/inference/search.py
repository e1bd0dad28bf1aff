"""The search for a law's one nonlinear parameter: a grid, then bisection around its best."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lingmix.analysis.inference.grid import Floats

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


def profile_bounds(
    grid_G: Floats,
    best_N: Floats,
    outside_NG: NDArray[np.bool_],
    outside: Callable[[Floats], NDArray[np.bool_]],
) -> tuple[Floats, Floats]:
    """Where each draw's profile passes a threshold, below and above its best point.

    `outside` says whether a parameter's profile is beyond the threshold, `outside_NG` the same of
    the grid. 0 and infinity where no point of the grid is on that side: the parameter is not
    identifiable from there.
    """
    below_NG, above_NG = grid_G < best_N[:, None], grid_G > best_N[:, None]
    low_N = _crossing(grid_G[::-1], (outside_NG & below_NG)[:, ::-1], best_N, outside)
    high_N = _crossing(grid_G, outside_NG & above_NG, best_N, outside)
    told_low_N, told_high_N = ((outside_NG & some).any(-1) for some in (below_NG, above_NG))
    return np.where(told_low_N, low_N, 0.0), np.where(told_high_N, high_N, np.inf)


def _crossing(
    grid_G: Floats,
    beyond_NG: NDArray[np.bool_],
    best_N: Floats,
    outside: Callable[[Floats], NDArray[np.bool_]],
) -> Floats:
    """The threshold before the first point beyond it; any value where there is none."""
    inside_N, outside_N = best_N, grid_G[beyond_NG.argmax(-1)]
    for _ in range(BISECTIONS):
        middle_N = np.sqrt(inside_N * outside_N)
        out_N = outside(middle_N)
        inside_N, outside_N = (
            np.where(out_N, inside_N, middle_N),
            np.where(out_N, middle_N, outside_N),
        )
    return outside_N
