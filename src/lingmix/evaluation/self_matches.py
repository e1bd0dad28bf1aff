"""Queries that are passages of the corpus: each ranks all others, as BEIR's evaluator has it."""

import numpy as np
import polars as pl

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.evaluation.pools import Positions
from lingmix.evaluation.ranks import PoolScorer, Scorer
from lingmix.evaluation.tally import Matrix

BEHIND = -1e30
"""Below every score, and finite, so that a softmax over it is 0."""


def mask_self_matches(evaluation_set: EvaluationSet, scorer: Scorer) -> Scorer:
    """Pushes the passage that has the query's id behind every other, where the set ignores it."""
    return MaskedScorer(evaluation_set, scorer) if evaluation_set.ignore_own else scorer


class MaskedScorer:
    """Another scorer's scores, but `BEHIND` for a query and the passage that has its id."""

    def __init__(self, evaluation_set: EvaluationSet, scorer: Scorer) -> None:
        self._scorer = scorer
        self._own_Q = own_passages(evaluation_set)
        self._passages = len(evaluation_set.passage_ids)

    def over(self, passages_P: Positions) -> PoolScorer:
        column_P = np.full(self._passages + 1, -1)
        column_P[passages_P] = np.arange(len(passages_P))
        return MaskedPool(self._scorer.over(passages_P), column_P[self._own_Q])


def own_passages(evaluation_set: EvaluationSet) -> Positions:
    """The position of the passage that has the query's id; -1: none."""
    queries = set(evaluation_set.query_ids)
    position = {id: p for p, id in enumerate(evaluation_set.passage_ids) if id in queries}
    return np.array([position.get(id, -1) for id in evaluation_set.query_ids], dtype=np.int64)


def without_own(evaluation_set: EvaluationSet, places: pl.DataFrame) -> pl.DataFrame:
    """The places of `Ranked`, whose count of `passages` no longer has the query's own."""
    if not evaluation_set.ignore_own:
        return places
    own_Q = own_passages(evaluation_set)
    queries = np.flatnonzero(own_Q >= 0)
    languages = [evaluation_set.passage_languages[p] for p in own_Q[queries].tolist()]
    own = pl.DataFrame(
        {"query": queries, "passage_language": pl.Series(languages, dtype=pl.String)}
    ).with_columns(own=1)
    on = ["query", "passage_language"]
    return places.join(own, on=on, how="left", maintain_order="left").select(
        pl.exclude("own", "passages"), passages=pl.col("passages") - pl.col("own").fill_null(0)
    )


class MaskedPool:
    """`own_Q`: the column of the passage that has the query's id, or -1."""

    def __init__(self, over: PoolScorer, own_Q: Positions) -> None:
        self.width = over.width
        self._over = over
        self._own_Q = own_Q

    def scores(self, queries: Positions, columns: Positions) -> Matrix:
        scores_CB = self._over.scores(queries, columns)
        own_C = self._own_Q[queries]
        place_C = np.minimum(np.searchsorted(columns, own_C), len(columns) - 1)
        here = np.flatnonzero(columns[place_C] == own_C)
        scores_CB[here, place_C[here]] = BEHIND
        return scores_CB
