"""The order in which a pass visits the rows of a language pair."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lingmix.data.permutation import permuted, round_keys

SHUFFLED = 2**16
"""Rows of a language pair whose order is a shuffle that is held; of more it is a permutation of
which a batch's part alone is worked out."""


class Slice(NamedTuple):
    """Part of one pass over a language pair: `size` of its shuffled rows from `start`."""

    language_pair: int
    pass_number: int
    start: int
    size: int


class PassOrders:
    """Language pair y has `size_Y[y]` rows from `begin_Y[y]`; each pass has an order of its own."""

    def __init__(self, begin_Y: NDArray[np.int64], size_Y: NDArray[np.int64], *, seed: int) -> None:
        self._begin_Y, self._size_Y, self._seed = begin_Y, size_Y, seed

    def rows(self, parts: Sequence[Slice]) -> NDArray[np.int64]:
        """Those of small language pairs first."""
        small = [part for part in parts if self._size_Y[part.language_pair] <= SHUFFLED]
        large = [part for part in parts if self._size_Y[part.language_pair] > SHUFFLED]
        return np.concatenate([*map(self._shuffled, small), *self._permuted(large)])

    def _shuffled(self, part: Slice) -> NDArray[np.int64]:
        order = self._order(part.language_pair, part.pass_number)
        return self._begin_Y[part.language_pair] + order[part.start :][: part.size]

    def _permuted(self, parts: Sequence[Slice]) -> list[NDArray[np.int64]]:
        """All of a batch's at once: a call takes a while, however few rows it has."""
        if not parts:
            return []
        pair_M, start_M, count_M = np.array(
            [(part.language_pair, part.start, part.size) for part in parts]
        ).T
        pair_B = np.repeat(pair_M, count_M)
        first_M = count_M.cumsum() - count_M
        place_B = np.arange(len(pair_B)) + np.repeat(start_M - first_M, count_M)
        keys_MR = np.stack([self._keys(part.language_pair, part.pass_number) for part in parts])
        row_B = permuted(place_B, self._size_Y[pair_B], np.repeat(keys_MR, count_M, axis=0))
        return [self._begin_Y[pair_B] + row_B]

    @lru_cache(maxsize=512)  # noqa: B019 - one schedule lives as long as its run
    def _order(self, language_pair: int, pass_number: int) -> NDArray[np.int64]:
        random = self._random(language_pair, pass_number)
        return random.permutation(int(self._size_Y[language_pair]))

    @lru_cache(maxsize=4096)  # noqa: B019
    def _keys(self, language_pair: int, pass_number: int) -> NDArray[np.uint64]:
        return round_keys(self._random(language_pair, pass_number))

    def _random(self, language_pair: int, pass_number: int) -> np.random.Generator:
        """Its key cannot meet a step's, which has no high bits."""
        return seeded(self._seed, (1 << 63) | (language_pair << 40) | pass_number)


def seeded(seed: int, stream: int) -> np.random.Generator:
    """A stream of random numbers, independent of the seed's others."""
    return np.random.Generator(np.random.Philox(key=np.array([seed, stream], dtype=np.uint64)))
