"""Scores of the full factorial design: every alpha, scale and seed on the same questions."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lingmix.errors import InputError

Floats = NDArray[np.float64]


class Grid(NamedTuple):
    """Letters: A alphas, C scales, S seeds, Q questions. A scale of None is all there is.

    `left_out` names the values of an axis that were cut, as runs of theirs are missing.
    """

    alphas_A: tuple[float, ...]
    scales_C: tuple[int | None, ...]
    seeds_S: tuple[int, ...]
    questions_Q: tuple[str, ...]
    scores_ACSQ: Floats
    left_out: tuple[str, ...] = ()

    @property
    def means(self) -> Floats:
        return self.scores_ACSQ.mean((2, 3))


Cell = tuple[float, int | None, int]
"""Alpha, scale and seed of a run."""


class Axes(NamedTuple):
    """The values whose combinations have all been run, and the names of those cut for it."""

    alphas: tuple[float, ...]
    scales: tuple[int | None, ...]
    seeds: tuple[int, ...]
    left_out: tuple[str, ...]


def complete_axes(cells: Sequence[Cell]) -> Axes:
    """Cuts the value that lacks the largest share of its runs until no run is missing.

    Among equals a seed goes first, then a scale, then an alpha. Raises InputError where no cell is.
    """
    if not cells:
        raise InputError("no run to analyse: the runs and the evaluation set asked for share none")
    kept, left_out = set(cells), list[str]()
    while True:
        alphas = tuple(sorted({alpha for alpha, _, _ in kept}))
        scales = tuple(sorted({scale for _, scale, _ in kept}, key=_by_size))
        seeds = tuple(sorted({seed for _, _, seed in kept}))
        axes = (alphas, scales, seeds)
        size = len(alphas) * len(scales) * len(seeds)
        if len(kept) == size:
            return Axes(alphas, scales, seeds, tuple(left_out))
        shares = {
            (axis, value): sum(cell[axis] == value for cell in kept) * len(axes[axis]) / size
            for axis in (2, 1, 0)
            for value in axes[axis]
        }
        axis, value = min(shares, key=lambda place: shares[place])
        name = ("alpha", "scale", "seed")[axis]
        left_out.append(
            f"{name} {'all' if value is None else format(value, 'g' if axis == 0 else ',')}"
        )
        kept = {cell for cell in kept if cell[axis] != value}


def _by_size(value: float | None) -> float:
    return np.inf if value is None else value
