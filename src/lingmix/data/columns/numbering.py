"""Numbers by which equal values are found, in bounded memory."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lingmix.data.permutation import splitmix64

BUCKET = 2**21
"""Hashes sorted at once."""

Hashes = NDArray[np.uint64]
Rows = NDArray[np.int32]


def numbered(chunks: Iterable[NDArray[Any]]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Each chunk with the row that it begins at."""
    begin = 0
    for chunk in chunks:
        yield begin, chunk
        begin += len(chunk)


def first_of_equal(hashes: Callable[[], Iterable[Hashes]], count: int) -> Rows:
    """For each of `count` rows the first that has its hash.

    `hashes` reads the column anew, a chunk at a time, once for each bucket of hashes.
    """
    first_N = np.empty(count, np.int32)
    buckets = max(1, -(-count // BUCKET))
    for bucket in range(buckets):
        keys, rows = [np.empty(0, np.uint64)], [np.empty(0, np.int32)]
        for begin, chunk in numbered(hashes()):
            of_bucket = np.flatnonzero(chunk % np.uint64(buckets) == bucket)
            keys.append(chunk[of_bucket])
            rows.append((begin + of_bucket).astype(np.int32))
        row_M = np.concatenate(rows)
        _, first_U, distinct_M = np.unique(
            np.concatenate(keys), return_index=True, return_inverse=True
        )
        first_N[row_M] = row_M[first_U][distinct_M]
    return first_N


def mixed(hash_N: NDArray[np.integer], value_N: NDArray[np.generic] | int) -> Hashes:
    """A hash of both: the second moves the state of SplitMix64."""
    with np.errstate(over="ignore"):
        x_N = np.asarray(value_N).astype(np.uint64) + np.uint64(1)
        return splitmix64(hash_N.astype(np.uint64) + x_N * np.uint64(0x9E3779B97F4A7C15))
