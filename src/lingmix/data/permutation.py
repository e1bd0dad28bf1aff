"""A seeded permutation of which any part is worked out by itself, without the rest."""

import numpy as np
from numpy.typing import NDArray

ROUNDS = 8
"""Four are enough where the halves are many bits wide (Luby and Rackoff, SIAM J. Comput. 17, 1988);
eight for halves of a few."""


def permuted(
    place_N: NDArray[np.int64], size: int, random: np.random.Generator
) -> NDArray[np.int64]:
    """What a permutation of the numbers below `size` has at the places.

    A Feistel network permutes the numbers of 2b bits, the fewest that hold `size`. What falls
    outside is permuted again until it falls inside, less than four times on average, which is a
    permutation of those inside (cycle walking: Black and Rogaway, CT-RSA 2002). `random` draws the
    keys of the rounds.
    """
    bits = max(1, -(-(size - 1).bit_length() // 2))
    keys = random.integers(2**64, size=ROUNDS, dtype=np.uint64)
    value_N = place_N.astype(np.uint64)
    outside = np.arange(len(value_N))
    while len(outside):
        value_N[outside] = _feistel(value_N[outside], keys, bits=bits)
        outside = outside[value_N[outside] >= size]
    return value_N.astype(np.int64)


def _feistel(
    value_N: NDArray[np.uint64], keys: NDArray[np.uint64], *, bits: int
) -> NDArray[np.uint64]:
    mask, width = np.uint64((1 << bits) - 1), np.uint64(bits)
    left_N, right_N = value_N >> width, value_N & mask
    for key in keys:
        left_N, right_N = right_N, left_N ^ (_hashed(right_N ^ key) & mask)
    return left_N << width | right_N


def _hashed(value_N: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's output function (Steele, Lea and Flood, OOPSLA 2014)."""
    value_N = (value_N ^ (value_N >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value_N = (value_N ^ (value_N >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value_N ^ (value_N >> np.uint64(31))
