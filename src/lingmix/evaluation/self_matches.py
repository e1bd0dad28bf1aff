"""Queries that are passages of the corpus: each ranks all others, as BEIR's evaluator has it."""

import numpy as np
import polars as pl

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.evaluation.pools import Positions
from lingmix.evaluation.ranks import Rows, Scores
from lingmix.evaluation.tally import Matrix

BEHIND = -1e30
"""Below every score, and finite, so that a softmax over it is 0."""


def others(evaluation_set: EvaluationSet, scores: Scores) -> Scores:
    """The scores, with a query's own passage at `BEHIND` all others where the set ignores it."""
    if not evaluation_set.ignore_own:
        return scores
    own_Q, P = own_passages(evaluation_set), len(evaluation_set.passage_ids)

    def over(passages: Positions) -> Rows:
        column_P = np.full(P + 1, -1)
        column_P[passages] = np.arange(len(passages))
        return OthersRows(scores(passages), column_P[own_Q])

    return over


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


class OthersRows:
    """`own_Q`: the column of each query's own passage, or -1."""

    def __init__(self, rows: Rows, own_Q: Positions) -> None:
        self.width = rows.width
        self._rows = rows
        self._own_Q = own_Q

    def __call__(self, queries: Positions, columns: Positions) -> Matrix:
        """The columns ascend."""
        scores_CB = self._rows(queries, columns)
        own_C = self._own_Q[queries]
        place_C = np.minimum(np.searchsorted(columns, own_C), len(columns) - 1)
        here = np.flatnonzero(columns[place_C] == own_C)
        scores_CB[here, place_C[here]] = BEHIND
        return scores_CB
