"""Reads vectors of passages a shard at a time, so that they may be a file larger than memory."""

import mmap
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lingmix.errors import InputError
from lingmix.search.vectors import Vectors

Matrix = NDArray[np.float32]
Positions = NDArray[np.int64]
Stored = NDArray[Any] | Vectors
"""Vectors in memory or in a memory map, of any floating type."""

SCATTERED = 1024
"""Rows that are read at once from all over a memory map, each with the pages around it."""

PAIRS_COMPONENTS = 2**20
"""Pairs times dimensions whose products are in memory at once."""


class Shard(NamedTuple):
    """Consecutive passages, the first at position `first`; `longest` is their greatest norm."""

    first: int
    vectors_SD: Matrix
    longest: float


def shards(passages_PD: Stored, *, mib: float) -> Iterator[Shard]:
    """Yields the passages in shards of `mib` MiB of float32. Raises InputError where a vector is
    not finite."""
    if mib <= 0:
        raise InputError(f"search.shard_mib: must be above 0, got {mib}")
    P, D = passages_PD.shape
    size = max(1, int(mib * 2**20) // (4 * D))
    for first in range(0, P, size):
        vectors_SD = _read(passages_PD, slice(first, first + size))
        norm_S = np.sqrt(np.vecdot(vectors_SD, vectors_SD))
        if not np.isfinite(norm_S).all():
            raise InputError(
                f"the vector of passage {first + np.isfinite(norm_S).argmin()} (counted from 0) is "
                "not finite: has the encoder diverged? evaluate another checkpoint"
            )
        yield Shard(first, vectors_SD, float(norm_S.max()))
        _give_back_pages(passages_PD)


def _read(passages_PD: Stored, rows: slice) -> Matrix:
    if not isinstance(passages_PD, Vectors):
        return np.ascontiguousarray(passages_PD[rows], dtype=np.float32)
    row_S = passages_PD.row_N[rows]
    ascending = np.argsort(row_S, kind="stable")
    vectors_SD = np.empty((len(row_S), passages_PD.shape[1]), dtype=np.float32)
    for begin in range(0, len(row_S), SCATTERED):
        part = ascending[begin : begin + SCATTERED]
        vectors_SD[part] = passages_PD.distinct_UD[row_S[part]]
        _give_back_pages(passages_PD)
    return vectors_SD


def sampled(passages_PD: Stored, size: int, *, seed: int) -> Matrix:
    """Draws `size` passages without replacement, in their order."""
    generator = np.random.Generator(np.random.Philox(seed))
    chosen_N = np.sort(generator.choice(len(passages_PD), size=size, replace=False, shuffle=False))
    sample_ND = np.empty((size, passages_PD.shape[1]), dtype=np.float32)
    for begin in range(0, size, SCATTERED):
        part = slice(begin, begin + SCATTERED)
        sample_ND[part] = passages_PD[chosen_N[part]]
        _give_back_pages(passages_PD)
    return sample_ND


def inner_products(
    queries_QD: Matrix, passages_PD: Matrix, query_N: Positions, passage_N: Positions
) -> Matrix:
    """Returns the inner products of N pairs, each summed by itself in double precision: equal
    vectors tie wherever they are, which a matrix product, whose edges are summed in another order,
    does not guarantee."""
    score_N = np.empty(len(query_N), dtype=np.float32)
    step = max(1, PAIRS_COMPONENTS // queries_QD.shape[1])
    for begin in range(0, len(query_N), step):
        part = slice(begin, begin + step)
        score_N[part] = np.vecdot(
            queries_QD[query_N[part]].astype(np.float64),
            passages_PD[passage_N[part]].astype(np.float64),
        )
    return score_N


def _give_back_pages(array: Any) -> None:
    """Frees the pages of a memory map that were read, which would stay in memory. Those of a
    private map (mode "c") would lose what was written to them, so stay."""
    if isinstance(array, Vectors):
        array = array.distinct_UD
    while isinstance(array, np.ndarray) and getattr(array, "mode", "r") != "c":
        array = array.base
    if isinstance(array, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        array.madvise(mmap.MADV_DONTNEED)
