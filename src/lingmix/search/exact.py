"""Exact search for the passages nearest to each query, in shards of any number of passages."""

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from lingmix.errors import InputError
from lingmix.ranges import Positive
from lingmix.search.shards import Matrix, Positions, Shard, Stored, inner_products, shards

SCORES = 2**22
"""Queries times passages whose scores are in memory at once."""

GPU_NEAREST = 2048
"""The longest list that FAISS selects on a GPU."""

Nearest = Callable[[Matrix, Matrix, int], tuple[Matrix, Positions]]
"""Takes queries, passages and a number; returns that many scores and rows a query, best first."""


class Hits(NamedTuple):
    """The K best passages of each query by inner product, best first, as positions.

    Where fewer are found a row ends in passage -1 with score -inf, and `found` is false there.
    """

    passage_QK: Positions
    score_QK: Matrix

    @property
    def found(self) -> NDArray[np.bool_]:
        return self.passage_QK >= 0

    @classmethod
    def empty(cls, Q: int, K: int) -> Self:
        return cls(np.full((Q, K), -1), np.full((Q, K), -np.inf, dtype=np.float32))

    def select(self, queries: slice | Positions | NDArray[np.bool_]) -> "Hits":
        return Hits(self.passage_QK[queries], self.score_QK[queries])

    def best(self, K: int) -> "Hits":
        """Sorts by score, equal ones by position, and cuts to the first K."""
        order_QK = np.lexsort((self.passage_QK, -self.score_QK))[:, :K]
        return Hits(
            np.take_along_axis(self.passage_QK, order_QK, axis=1),
            np.take_along_axis(self.score_QK, order_QK, axis=1),
        )


class Searcher(Protocol):
    """Finds the passages nearest to each query, by inner product."""

    def __call__(self, queries_QD: Matrix, passages_PD: Stored, *, depth: int) -> Hits:
        """Returns hits where K is `depth`, or the number of passages where that is less."""


def search(queries_QD: Matrix, passages_PD: Stored, *, depth: int, shard_mib: Positive) -> Hits:
    """Searches exactly; equal scores are ordered by position, also at the end of the list, so that
    passages in descending order of id give trec_eval's order.

    FAISS selects candidates and `inner_products` scores them, so that a score depends on its two
    vectors only. Where FAISS's rounding could have hidden a hit, all passages are looked at again.
    """
    Q, K = len(queries_QD), min(depth, len(passages_PD))
    hits, nearest = Hits.empty(Q, K), _nearest()
    step = max(1, SCORES // (2 * K + 1))
    for shard in shards(passages_PD, mib=shard_mib):
        for begin in range(0, Q, step):
            part = slice(begin, begin + step)
            updated = _with_shard(hits.select(part), queries_QD[part], shard, nearest)
            hits.passage_QK[part], hits.score_QK[part] = updated
    return hits


def merge_hits(hits: Sequence[Hits], places: Sequence[Positions], *, depth: int) -> Hits:
    """Merges the hits of several corpora into one ranking. `places[c][p]` is the position of
    passage p of corpus c among all, which decides ties; the passages of the result are these."""
    placed = [
        Hits(np.where(each.found, place_P[np.maximum(each.passage_QK, 0)], -1), each.score_QK)
        for each, place_P in zip(hits, places, strict=True)
    ]
    return concatenate_hits(*placed).best(depth)


def recall_against_exact(
    hits: Hits,
    queries_QD: Matrix,
    passages_PD: Stored,
    *,
    sample: int,
    seed: int,
    shard_mib: float,
) -> float:
    """Returns the share of the exact hits that are in `hits`, over a sample of its queries. A
    passage that ties with the last exact hit counts as that one."""
    generator = np.random.Generator(np.random.Philox(seed))
    Q, K = hits.score_QK.shape
    chosen = generator.choice(Q, size=min(sample, Q), replace=False)
    exact = search(queries_QD[chosen], passages_PD, depth=K, shard_mib=shard_mib)
    return float((hits.score_QK[chosen] >= exact.score_QK[:, -1:]).mean())


def load_faiss() -> ModuleType:
    """Raises InputError where FAISS is not installed."""
    try:
        import faiss  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise InputError(
            "searching needs FAISS: pip install 'lingmix[cpu]', or 'lingmix[gpu]' for a GPU"
        ) from error
    return faiss


def _nearest() -> Nearest:
    faiss = load_faiss()
    gpu = faiss.StandardGpuResources() if faiss.get_num_gpus() else None

    def nearest(queries_QD: Matrix, passages_PD: Matrix, k: int) -> tuple[Matrix, Positions]:
        metric = faiss.METRIC_INNER_PRODUCT
        if gpu is None or k > GPU_NEAREST:
            return faiss.knn(queries_QD, passages_PD, k, metric=metric)
        return faiss.knn_gpu(gpu, queries_QD, passages_PD, k, metric=metric)

    return nearest


def _with_shard(hits: Hits, queries_QD: Matrix, shard: Shard, nearest: Nearest) -> Hits:
    K, (S, D) = hits.score_QK.shape[1], shard.vectors_SD.shape
    norm_Q1 = np.linalg.norm(queries_QD, axis=1, keepdims=True).astype(np.float64)
    error_Q1 = _rounding(D) * shard.longest * norm_Q1
    A = min(K + K // 8 + 16, S)
    score_QA, row_QA = nearest(queries_QD, shard.vectors_SD, A)
    query_N, slot_N = np.nonzero(score_QA >= hits.score_QK[:, -1:] - error_Q1)
    updated = _with_rows(hits, queries_QD, shard, query_N, row_QA[query_N, slot_N])
    last_Q1 = updated.score_QK[:, -1:] - error_Q1
    # FAISS's last candidate is near enough to the K-th hit that the next could be one
    unsure_Q = np.flatnonzero((score_QA[:, -1:] >= last_Q1) & (A < S))
    step = max(1, SCORES // S)
    for begin in range(0, len(unsure_Q), step):
        part = unsure_Q[begin : begin + step]
        near_QS = queries_QD[part] @ shard.vectors_SD.T >= last_Q1[part]
        checked = _with_rows(hits.select(part), queries_QD[part], shard, *np.nonzero(near_QS))
        updated.passage_QK[part], updated.score_QK[part] = checked
    return updated


def _rounding(D: int) -> float:
    """Bounds the difference of a float32 sum of D products, in any order, from the rounded exact
    one, for vectors of norm 1 (Higham 2002, section 3.1)."""
    return (D + 8) * 2.0**-24


def _with_rows(
    hits: Hits, queries_QD: Matrix, shard: Shard, query_N: Positions, row_N: Positions
) -> Hits:
    """Adds rows `row_N` of the shard to the hits of queries `query_N`, which must ascend.

    query_N 0 0 2       slot_N 0 1 0        further.passage_QK    3  5
    row_N   3 5 4       count_Q 2 0 1                            -1 -1
                                                                  4 -1
    """
    count_Q = np.bincount(query_N, minlength=len(queries_QD))
    slot_N = np.arange(len(query_N)) - (count_Q.cumsum() - count_Q)[query_N]
    further = Hits.empty(len(queries_QD), count_Q.max(initial=0))
    further.passage_QK[query_N, slot_N] = shard.first + row_N
    further.score_QK[query_N, slot_N] = inner_products(queries_QD, shard.vectors_SD, query_N, row_N)
    return concatenate_hits(hits, further).best(hits.score_QK.shape[1])


def concatenate_hits(*hits: Hits) -> Hits:
    """Appends the hits of each query, unsorted: `best` sorts them."""
    return Hits(
        np.hstack([each.passage_QK for each in hits]), np.hstack([each.score_QK for each in hits])
    )
