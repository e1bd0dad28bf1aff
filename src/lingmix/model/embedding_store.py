"""A cache of embeddings in memory, looked up by a hash of prompt and text."""

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lingmix.search.vectors import Vectors

Keys = NDArray[np.uint64]
"""Hashes of 128 bits, two numbers a text: keys_N2."""

Positions = NDArray[np.int64]

KEY_BYTES = 16

SLAB = 200_000
"""Texts that are encoded before their vectors are stored in memory."""


def keys_of(texts: Iterable[str]) -> Keys:
    """Hashes what `Encoder.cache_keys` returns."""
    digests = bytearray()
    for text in texts:
        digests += blake2b(text.encode(), digest_size=KEY_BYTES).digest()
    return np.frombuffer(digests, dtype=np.uint64).reshape(-1, 2)


def first_of_each(keys_N2: Keys) -> Positions:
    """Returns the position at which each distinct key occurs first, ascending."""
    order_N = np.lexsort((keys_N2[:, 1], keys_N2[:, 0]))
    sorted_N2 = keys_N2[order_N]
    new_N = np.ones(len(order_N), dtype=np.bool_)
    new_N[1:] = (sorted_N2[1:] != sorted_N2[:-1]).any(1)
    return np.sort(order_N[new_N])


class KeyIndex:
    """The rows of keys, in the order in which they were added; the first where one is twice."""

    def __init__(self, keys_N2: Keys = np.empty((0, 2), dtype=np.uint64)) -> None:  # noqa: B008
        self._sorted_N2 = np.empty((0, 2), dtype=np.uint64)
        self._row_N = np.empty(0, dtype=np.int64)
        self.add(keys_N2)

    def __len__(self) -> int:
        return len(self._row_N)

    def add(self, keys_M2: Keys) -> None:
        row_N = np.concatenate([self._row_N, np.arange(len(self), len(self) + len(keys_M2))])
        keys_N2 = np.concatenate([self._sorted_N2, keys_M2])
        order_N = np.argsort(keys_N2[:, 0], kind="stable")
        self._sorted_N2, self._row_N = keys_N2[order_N], row_N[order_N]

    def rows(self, keys_N2: Keys) -> Positions:
        """Returns the row of each key, -1 where there is none."""
        if not len(self):
            return np.full(len(keys_N2), -1, dtype=np.int64)
        slot_N = np.searchsorted(self._sorted_N2[:, 0], keys_N2[:, 0])
        slot_N = np.minimum(slot_N, len(self) - 1)
        found_N = (self._sorted_N2[slot_N] == keys_N2).all(1)
        return np.where(found_N, self._row_N[slot_N], -1)


class VectorStore(Protocol):
    """Keeps the vectors of one model by the keys of their texts."""

    def require_space(self, keys_U2: Keys) -> None:
        """Raises InputError where there is no room for the vectors of those not stored."""
        ...

    def missing(self, keys_U2: Keys) -> Iterator[Positions]:
        """Yields positions of distinct keys whose vectors are to be added before the next are asked
        for. When it ends, all are stored, by this process or by others."""
        ...

    def add(self, keys_N2: Keys, vectors_ND: NDArray[np.float32]) -> None: ...

    def vectors(self, keys_N2: Keys) -> Vectors:
        """Looks up keys that are all stored."""
        ...


class EmbeddingStore:
    """A `VectorStore` of one process, in its memory."""

    def __init__(self, dimension: int) -> None:
        self._index = KeyIndex()
        self._vectors_ND = np.zeros((0, dimension), dtype=np.float32)

    def require_space(self, keys_U2: Keys) -> None:
        pass

    def missing(self, keys_U2: Keys) -> Iterator[Positions]:
        missing_U = np.flatnonzero(self._index.rows(keys_U2) < 0)
        for begin in range(0, len(missing_U), SLAB):
            yield missing_U[begin : begin + SLAB]

    def add(self, keys_N2: Keys, vectors_ND: NDArray[np.float32]) -> None:
        self._index.add(keys_N2)
        self._vectors_ND = np.concatenate([self._vectors_ND, vectors_ND])

    def vectors(self, keys_N2: Keys) -> Vectors:
        return Vectors(self._vectors_ND, self._index.rows(keys_N2))
