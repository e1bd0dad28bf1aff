"""The passages nearest to each query, however many there are."""

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from lingmix.errors import InputError
from lingmix.ranges import Positive
from lingmix.search.shards import Matrix, Positions, Shard, Stored, inner_products, shards

CELLS = 2**22
"""Queries times passages held at once."""

GPU_NEAREST = 2048
"""The longest list that FAISS selects on a GPU."""

Nearest = Callable[[Matrix, Matrix, int], tuple[Matrix, Positions]]
"""Queries, passages and how many -> scores and rows, best first."""


class Hits(NamedTuple):
    """A query's K best passages by inner product, best first; `passage_QK` are positions.

    A query that found fewer ends in passage -1 with score -inf, where `found` is false.
    """

    passage_QK: Positions
    score_QK: Matrix

    @property
    def found(self) -> NDArray[np.bool_]:
        return self.passage_QK >= 0

    @classmethod
    def none(cls, Q: int, K: int) -> Self:
        return cls(np.full((Q, K), -1), np.full((Q, K), -np.inf, dtype=np.float32))

    def of(self, queries: slice | Positions) -> "Hits":
        return Hits(self.passage_QK[queries], self.score_QK[queries])

    def best(self, K: int) -> "Hits":
        order_QK = np.lexsort((self.passage_QK, -self.score_QK))[:, :K]
        return Hits(
            np.take_along_axis(self.passage_QK, order_QK, axis=1),
            np.take_along_axis(self.score_QK, order_QK, axis=1),
        )


class Searcher(Protocol):
    """Finds the passages nearest to each query, by inner product."""

    def __call__(self, queries_QD: Matrix, passages_PD: Stored, *, depth: int) -> Hits:
        """K is `depth`, or the number of passages where that is less."""


def search(queries_QD: Matrix, passages_PD: Stored, *, depth: int, shard_mib: Positive) -> Hits:
    """Exact. Equal scores stand by position, also where they meet the end of the list: passages in
    descending order of id give trec_eval's order.

    FAISS's sums nominate and `inner_products` decide, so that a score depends on its two vectors
    alone. What FAISS left out is looked at again wherever its rounding could have hidden a hit.
    """
    Q, K = len(queries_QD), min(depth, len(passages_PD))
    hits, nearest = Hits.none(Q, K), _nearest()
    step = max(1, CELLS // (2 * K + 1))
    for shard in shards(passages_PD, mib=shard_mib):
        for begin in range(0, Q, step):
            some = slice(begin, begin + step)
            joined = _with_shard(hits.of(some), queries_QD[some], shard, nearest)
            hits.passage_QK[some], hits.score_QK[some] = joined
    return hits


def merged(hits: Sequence[Hits], places: Sequence[Positions], *, depth: int) -> Hits:
    """The hits of several corpora in one ranking. `places[c][p]` is where passage p of corpus c
    stands in the order of all, which decides ties; the passages of the result are such places."""
    placed = [
        Hits(np.where(each.found, place_P[np.maximum(each.passage_QK, 0)], -1), each.score_QK)
        for each, place_P in zip(hits, places, strict=True)
    ]
    return beside(*placed).best(depth)


def recall_against_exact(
    hits: Hits,
    queries_QD: Matrix,
    passages_PD: Stored,
    *,
    sample: int,
    seed: int,
    shard_mib: float,
) -> float:
    """The share of the exact hits that `hits` holds, over a sample of its queries. A passage that
    ties with the last exact hit is as good as that one."""
    generator = np.random.Generator(np.random.Philox(seed))
    Q, K = hits.score_QK.shape
    chosen = generator.choice(Q, size=min(sample, Q), replace=False)
    exact = search(queries_QD[chosen], passages_PD, depth=K, shard_mib=shard_mib)
    return float((hits.score_QK[chosen] >= exact.score_QK[:, -1:]).mean())


def load_faiss() -> ModuleType:
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
    length_Q1 = np.linalg.norm(queries_QD, axis=1, keepdims=True).astype(np.float64)
    error_Q1 = _rounding(D) * shard.longest * length_Q1
    A = min(K + K // 8 + 16, S)
    score_QA, row_QA = nearest(queries_QD, shard.vectors_SD, A)
    query_N, slot_N = np.nonzero(score_QA >= hits.score_QK[:, -1:] - error_Q1)
    joined = _joined(hits, queries_QD, shard, query_N, row_QA[query_N, slot_N])
    last_Q1 = joined.score_QK[:, -1:] - error_Q1
    open_Q = np.flatnonzero((score_QA[:, -1:] >= last_Q1) & (A < S))
    step = max(1, CELLS // S)
    for begin in range(0, len(open_Q), step):
        some = open_Q[begin : begin + step]
        near_QS = queries_QD[some] @ shard.vectors_SD.T >= last_Q1[some]
        whole = _joined(hits.of(some), queries_QD[some], shard, *np.nonzero(near_QS))
        joined.passage_QK[some], joined.score_QK[some] = whole
    return joined


def _rounding(D: int) -> float:
    """The most by which a float32 sum of D products, in whatever order, can differ from the rounded
    exact one, for vectors of norm 1 (Higham 2002, section 3.1), and a little more."""
    return (D + 8) * 2.0**-24


def _joined(
    hits: Hits, queries_QD: Matrix, shard: Shard, query_N: Positions, row_N: Positions
) -> Hits:
    """With the rows `row_N` of the shard as further hits of the queries `query_N`, ascending."""
    count_Q = np.bincount(query_N, minlength=len(queries_QD))
    slot_N = np.arange(len(query_N)) - (count_Q.cumsum() - count_Q)[query_N]
    further = Hits.none(len(queries_QD), count_Q.max(initial=0))
    further.passage_QK[query_N, slot_N] = shard.first + row_N
    further.score_QK[query_N, slot_N] = inner_products(queries_QD, shard.vectors_SD, query_N, row_N)
    return beside(hits, further).best(hits.score_QK.shape[1])


def beside(*hits: Hits) -> Hits:
    """Hits of the same queries, one list behind the other in each query's row."""
    return Hits(
        np.hstack([each.passage_QK for each in hits]), np.hstack([each.score_QK for each in hits])
    )
