"""Scores queries and passages by the inner products of their embeddings."""

import logging
from collections.abc import Sequence
from functools import cache
from hashlib import blake2b

import numpy as np

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.errors import InputError
from lingmix.evaluation.pools import BLOCK, WHOLE, Matrix, PoolScorer, Positions
from lingmix.search.vectors import Embeddings

ROWS = 64
"""Queries in one matrix product."""

log = logging.getLogger(__name__)


class DenseScorer:
    """Scores vectors in memory or on disk; a large pool is read a block at a time.

    Raises InputError where a vector is not finite, or all of a role are zero.
    """

    def __init__(
        self, evaluation_set: EvaluationSet, queries_QD: Embeddings, passages_PD: Embeddings
    ) -> None:
        for role, vectors, ids in (
            ("query", queries_QD, evaluation_set.query_ids),
            ("passage", passages_PD, evaluation_set.passage_ids),
        ):
            refuse_bad_vectors(evaluation_set.name, role, vectors, ids)
        self._queries_QD, self._passages_PD = queries_QD, passages_PD

    def over(self, passages_P: Positions) -> PoolScorer:
        kind = WholePool if len(passages_P) <= WHOLE else PoolInBlocks
        return kind(self._queries_QD, self._passages_PD, passages_P)


class WholePool:
    """Scores a pool whose vectors fit into memory. Equal vectors are multiplied once, so that they
    tie, though a matrix product may round two equal columns differently."""

    def __init__(
        self, queries_QD: Embeddings, passages_PD: Embeddings, passages_P: Positions
    ) -> None:
        self.width = len(passages_P)
        self._queries_QD = queries_QD
        vectors_PD = passages_PD[passages_P]
        first: dict[bytes, int] = {}
        self._row_P = np.array(
            [
                first.setdefault(blake2b(vector, digest_size=16).digest(), len(first))
                for vector in vectors_PD
            ]
        )
        self._distinct_UD = vectors_PD[np.unique(self._row_P, return_index=True)[1]]

    def scores(self, queries: Positions, columns: Positions) -> Matrix:
        scores_CU = _products(self._queries_QD[queries], self._distinct_UD)
        whole = len(self._distinct_UD) == len(columns) == self.width
        return scores_CU if whole else scores_CU.take(self._row_P[columns], axis=1)


class PoolInBlocks:
    """Scores a larger pool. All products have one shape, on which their rounding depends."""

    def __init__(
        self, queries_QD: Embeddings, passages_PD: Embeddings, passages_P: Positions
    ) -> None:
        self.width = BLOCK
        self._queries_QD = queries_QD
        self._passages_PD = passages_PD
        self._passages_P = passages_P

    def scores(self, queries: Positions, columns: Positions) -> Matrix:
        vectors_BD = np.zeros((self.width, self._passages_PD.shape[1]), dtype=np.float32)
        vectors_BD[: len(columns)] = self._passages_PD[self._passages_P[columns]]
        return _products(self._queries_QD[queries], vectors_BD)[:, : len(columns)]


def _products(queries_CD: Matrix, vectors_BD: Matrix) -> Matrix:
    """Multiplies in pieces of one shape, on which a product's rounding depends: the scores of a
    query do not depend on the other queries. The product is in float64 where this machine rounds
    equal rows or columns of a float32 one differently."""
    width, dimension = vectors_BD.shape
    kind = np.float32 if _rounds_alike(width, dimension) else np.float64
    columns_BD = vectors_BD.astype(kind, copy=False)
    scores_CB = np.empty((len(queries_CD), width), dtype=np.float32)
    for begin in range(0, len(queries_CD), ROWS):
        piece_RD = np.zeros((ROWS, dimension), dtype=kind)
        queries = queries_CD[begin : begin + ROWS]
        piece_RD[: len(queries)] = queries
        scores_CB[begin : begin + ROWS] = (piece_RD @ columns_BD.T)[: len(queries)]
    return scores_CB


@cache
def _rounds_alike(width: int, dimension: int) -> bool:
    """Tells whether equal rows and columns of a float32 product of this shape are equal. Without
    AVX-512, OpenBLAS adds up in another order in every third group of four."""
    vector_D = np.random.default_rng(0).standard_normal(dimension, dtype=np.float32)
    products_RB = np.tile(vector_D, (ROWS, 1)) @ np.tile(vector_D, (width, 1)).T
    return bool((products_RB == products_RB[0, 0]).all())


def refuse_bad_vectors(name: str, role: str, vectors_ND: Embeddings, ids: Sequence[str]) -> None:
    """Raises InputError where a vector is not finite, or all are zero; warns of zero vectors, as of
    texts without a known token, which score 0."""
    zero = 0
    for begin in range(0, len(ids), WHOLE):
        slab_ND = vectors_ND[begin : begin + WHOLE]
        bad = np.flatnonzero(~np.isfinite(slab_ND).all(1))
        if len(bad):
            raise InputError(
                f"evaluation set {name}: the vector of {role} {ids[begin + int(bad[0])]!r} is not "
                "finite: has the encoder diverged? lower the learning rate, or evaluate another "
                "checkpoint"
            )
        zero += len(slab_ND) - int(slab_ND.any(1).sum())
    if zero == len(ids):
        raise InputError(
            f"evaluation set {name}: every {role} vector is zero: does the encoder's tokenizer "
            "know the language?"
        )
    if zero:
        log.warning(
            "evaluation set %s: %d of %d %s vectors are zero (empty texts, or no token known)",
            *(name, zero, len(ids), role),
        )
