"""A seeded permutation of which any part is worked out by itself, without the rest."""

import numpy as np
from numpy.typing import NDArray

ROUNDS = 8
"""Four are enough where the halves are many bits wide (Luby and Rackoff, SIAM J. Comput. 17, 1988);
eight for halves of a few."""

Keys = NDArray[np.uint64]


def round_keys(random: np.random.Generator) -> Keys:
    """Those of a permutation, one a round."""
    return random.integers(2**64, size=ROUNDS, dtype=np.uint64)


def permuted(
    place_N: NDArray[np.int64], size_N: NDArray[np.int64], keys_NR: Keys
) -> NDArray[np.int64]:
    """What permutations have at the places, each of its own size and keys.

    A Feistel network permutes the numbers of as many bits as the size has. What falls outside is
    permuted again until it falls inside, less than twice on average, which is a permutation of
    those inside (cycle walking: Black and Rogaway, CT-RSA 2002).
    """
    bits_N = np.maximum(2, np.frexp(size_N - 1)[1]).astype(np.uint64)
    value_N = place_N.astype(np.uint64)
    outside = np.arange(len(value_N))
    while len(outside):
        value_N[outside] = _feistel(value_N[outside], keys_NR[outside], bits_N[outside])
        outside = outside[value_N[outside] >= size_N[outside]]
    return value_N.astype(np.int64)


def _feistel(value_N: NDArray[np.uint64], keys_NR: Keys, bits_N: Keys) -> NDArray[np.uint64]:
    """Of an odd number of bits the left part has one fewer; the parts change places each round, so
    that after all of them, an even number, each has its bits again."""
    left_bits_N = bits_N >> np.uint64(1)
    right_bits_N = bits_N - left_bits_N
    left_mask_N, right_mask_N = (
        (np.uint64(1) << bits) - np.uint64(1) for bits in (left_bits_N, right_bits_N)
    )
    left_N, right_N = value_N >> right_bits_N, value_N & right_mask_N
    for key_N in keys_NR.T:
        left_N, right_N = right_N, left_N ^ (splitmix64(right_N ^ key_N) & left_mask_N)
        left_mask_N, right_mask_N = right_mask_N, left_mask_N
    return left_N << right_bits_N | right_N


def splitmix64(value_N: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's output function (Steele, Lea and Flood, OOPSLA 2014)."""
    value_N = (value_N ^ (value_N >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value_N = (value_N ^ (value_N >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value_N ^ (value_N >> np.uint64(31))
