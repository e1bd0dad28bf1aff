"""Where labels stand so that they cover neither points nor each other."""

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]
"""Left, bottom, right, top a row."""

_DISTANCES = (0.3, 0.8, 1.4, 2.0)
_ANGLES = np.deg2rad([90, 45, 135, 0, 180, 315, 225, 270])


def place(
    *, points_N2: NDArray[np.float64], sizes_N2: NDArray[np.float64], taken_T4: Boxes, bounds: Boxes
) -> Boxes:
    """A box of each given size near each point: one after the other takes the nearest place that
    overlaps what is taken least, inside `bounds`.
    """
    placed: list[NDArray[np.float64]] = []
    for point, size in zip(points_N2, sizes_N2, strict=True):
        around = np.concatenate([_around(point, size, d * size[1]) for d in _DISTANCES])
        area = size.prod()
        covered = _overlap(around, np.vstack([taken_T4, *placed])).sum(axis=1)
        outside = area - _overlap(around, bounds[None])[:, 0]
        farther = np.arange(len(around)) * area * 0.003
        placed.append(around[np.argmin(10 * covered + 100 * outside + farther)][None])
    return np.vstack(placed)


def _around(point: NDArray[np.float64], size: NDArray[np.float64], gap: float) -> Boxes:
    reach = size / 2 + gap
    centres = point + reach * np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
    return np.hstack([centres - size / 2, centres + size / 2])


def _overlap(first_A4: Boxes, second_B4: Boxes) -> NDArray[np.float64]:
    """Areas, (A, B)."""
    low = np.maximum(first_A4[:, None, :2], second_B4[None, :, :2])
    high = np.minimum(first_A4[:, None, 2:], second_B4[None, :, 2:])
    return np.clip(high - low, 0, None).prod(axis=-1)
