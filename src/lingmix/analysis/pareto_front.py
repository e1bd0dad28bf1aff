"""Which choices no other choice beats."""

import numpy as np
from numpy.typing import NDArray


def on_frontier(points_ND: NDArray[np.float64]) -> NDArray[np.bool_]:
    """False for a point that another is at least as good as everywhere, and better somewhere.

    Higher is better in each of the D coordinates; equal points stay together.
    """
    at_least = np.all(points_ND[None] >= points_ND[:, None], axis=-1)
    better = np.any(points_ND[None] > points_ND[:, None], axis=-1)
    return ~np.any(at_least & better, axis=1)
