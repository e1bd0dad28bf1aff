"""How often each language pair of each set is drawn."""

import numpy as np
from numpy.typing import NDArray

from lingmix.errors import require_int, require_number
from lingmix.ranges import Count, Share


def shares(
    size_Y: NDArray[np.int64],
    set_Y: NDArray[np.int64],
    *,
    size_exponent: Share,
    size_cap: Count | None,
    set_exponent: Share | None,
) -> NDArray[np.float64]:
    """Returns the probability of each language pair, whose pairs are `size_Y`, 0 where it is not to
    be drawn; zeros where none is.

    Within a set it is in proportion to min(size, `size_cap`) ** `size_exponent`. The share of a set
    is in proportion to its pairs, each language pair's up to the cap, ** `set_exponent`; None makes
    all sets one.
    """
    _refuse(size_exponent, size_cap, set_exponent)
    counted_Y = size_Y if size_cap is None else np.minimum(size_Y, size_cap)
    weight_Y = np.where(size_Y > 0, counted_Y**size_exponent, 0.0)
    if set_exponent is not None:
        size_S, total_S = np.bincount(set_Y, counted_Y), np.bincount(set_Y, weight_Y)
        wanted_S = np.where(size_S > 0, size_S**set_exponent, 0.0)
        weight_Y = weight_Y * (wanted_S / np.where(size_S > 0, total_S, 1.0))[set_Y]
    return weight_Y / (weight_Y.sum() or 1.0)


def _refuse(size_exponent: float, size_cap: int | None, set_exponent: float | None) -> None:
    for key, value in (("size_exponent", size_exponent), ("set_exponent", set_exponent)):
        if value is not None:
            require_number(f"sampler.{key}", value, "in [0, 1]", lambda one: 0 <= one <= 1)
    if size_cap is not None:
        require_int("sampler.size_cap", size_cap, at_least=1)
