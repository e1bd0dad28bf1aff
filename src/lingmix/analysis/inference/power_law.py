"""Saturating power laws in the size of the training data, fitted by variable projection.

    score = limit - drop * (size / middle) ** -exponent,    size = base + scale

`base` is the number of base items, a constant and not a parameter: scale 0 is then in the domain,
and the law is one in all data trained on, as the literature's are. A fitted base would trade off
against the exponent, and four or five scales cannot tell the two apart. `middle` is the geometric
mean of the sizes.

Given the exponent, limit and drop follow from linear least squares, in closed form (Golub and
Pereyra, 1973). One parameter is left to search, over a grid and then by bisection.

Letters: N draws, R rows (curves over the scales, of one exponent), C scales, G points of a grid.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lingmix.analysis.inference.grid import Floats
from lingmix.analysis.inference.search import refine
from lingmix.errors import InputError

BOUNDS = (0.02, 5.0)
"""Exponents searched. Below, a law is a logarithm over any scales in use; above, all scales but the
smallest are at the limit."""

GRID = np.geomspace(*BOUNDS, 64)


class Sizes(NamedTuple):
    """The sizes of the data at the scales measured, their geometric mean, and the logarithms of
    their ratios to it."""

    base: float
    sizes_C: Floats
    middle: float
    logs_C: Floats

    def log_of(self, scale: float) -> float:
        return float(np.log((self.base + scale) / self.middle))


class Curves(NamedTuple):
    """The laws of the rows of each draw, and the sum of squares around the rows' means that they
    explain."""

    exponent_N: Floats
    limit_NR: Floats
    drop_NR: Floats
    explained_N: Floats

    def at(self, log_size: float) -> Floats:
        """The rows' values at the logarithm of a size over the middle: NR."""
        return self.limit_NR - self.drop_NR * np.exp(-self.exponent_N * log_size)[:, None]


def sizes(scales_C: Sequence[float], *, base: float) -> Sizes:
    """Raises InputError where the smallest size is not above 0."""
    sizes_C = base + np.asarray(scales_C, dtype=np.float64)
    if sizes_C.min() <= 0:
        raise InputError(
            f"base: must be above 0, the items trained on at scale 0, got {base:g}; a power law "
            "has no value at size 0"
        )
    middle = float(np.exp(np.log(sizes_C).mean()))
    return Sizes(base, sizes_C, middle, np.log(sizes_C / middle))


def fit_curves(rows_NRC: Floats, logs_C: Floats) -> Curves:
    """The least-squares laws of each draw, the exponent shared by its rows."""
    best_N = explained(rows_NRC, logs_C).argmax(-1)
    exponent_N = refine(GRID, best_N, lambda exponent_N: _rises(rows_NRC, logs_C, exponent_N))
    power_NC = np.exp(-exponent_N[:, None] * logs_C)
    centered_NC = _centered(power_NC)
    squares_N = (centered_NC**2).sum(-1)
    drop_NR = -np.einsum("nrc,nc->nr", rows_NRC, centered_NC) / squares_N[:, None]
    limit_NR = rows_NRC.mean(-1) + drop_NR * power_NC.mean(-1, keepdims=True)
    return Curves(exponent_N, limit_NR, drop_NR, (drop_NR**2).sum(-1) * squares_N)


def explained(rows_NRC: Floats, logs_C: Floats, exponents_G: Floats = GRID) -> Floats:
    """The sum of squares around the rows' means that a law of each exponent explains: NG."""
    unit_GC = _centered(np.exp(-exponents_G[:, None] * logs_C))
    unit_GC /= np.linalg.norm(unit_GC, axis=-1, keepdims=True)
    return ((rows_NRC @ unit_GC.T) ** 2).sum(-2)


def steepest(rows_RC: Floats, logs_C: Floats, exponent: float) -> Floats:
    """The direction of length 1 in which the rows' fitted laws move with the exponent, beyond what
    limits and drops can follow: RC. Zeros where two scales leave no such direction."""
    power_C = _centered(np.exp(-exponent * logs_C))
    change_C = _centered(-logs_C * np.exp(-exponent * logs_C))
    change_C -= power_C * (change_C @ power_C) / (power_C @ power_C)
    direction_RC = np.outer(rows_RC @ power_C, change_C)
    length = np.linalg.norm(direction_RC)
    return direction_RC / length if len(logs_C) > 2 and length else np.zeros_like(direction_RC)


def _rises(rows_NRC: Floats, logs_C: Floats, exponent_N: Floats) -> NDArray[np.bool_]:
    """Whether a larger exponent explains more."""
    power_NC = np.exp(-exponent_N[:, None] * logs_C)
    change_NC = _centered(-logs_C * power_NC)
    power_NC = _centered(power_NC)
    on_power_NR = np.einsum("nrc,nc->nr", rows_NRC, power_NC)
    on_change_NR = np.einsum("nrc,nc->nr", rows_NRC, change_NC)
    gained_N = (on_power_NR * on_change_NR).sum(-1) * (power_NC**2).sum(-1)
    return gained_N > (on_power_NR**2).sum(-1) * (power_NC * change_NC).sum(-1)


def _centered(rows_GC: Floats) -> Floats:
    return rows_GC - rows_GC.mean(-1, keepdims=True)
