"""Self matches: where queries are passages of the corpus, each ranks only the others, as in BEIR
(`ignore_identical_ids`)."""

import numpy as np
import polars as pl

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.evaluation.pools import Matrix, Pool, PoolScorer, Positions, Scorer

MASKED = -1e30
"""The score of a self match: below all others, and finite, so that a softmax gives it 0."""


def scored(scorer: Scorer, pool: Pool, evaluation_set: EvaluationSet) -> PoolScorer:
    """Prepares a pool, in which self matches rank last where the set ignores them."""
    over = scorer.over(pool.passages_P)
    return MaskedPool(over, pool, evaluation_set) if evaluation_set.ignore_own else over


def without_self_matches(evaluation_set: EvaluationSet, places: pl.DataFrame) -> pl.DataFrame:
    """Subtracts self matches from the number of `passages` in `Ranked.places`."""
    if not evaluation_set.ignore_own:
        return places
    match_Q = evaluation_set.self_matches
    queries = np.flatnonzero(match_Q >= 0)
    languages = [evaluation_set.passage_languages[p] for p in match_Q[queries].tolist()]
    matches = pl.DataFrame(
        {"query": queries, "passage_language": pl.Series(languages, dtype=pl.String)}
    ).with_columns(matches=1)
    on = ["query", "passage_language"]
    return places.join(matches, on=on, how="left", maintain_order="left").select(
        pl.exclude("matches", "passages"),
        passages=pl.col("passages") - pl.col("matches").fill_null(0),
    )


class MaskedPool:
    """Scores a pool as `over` does, but self matches by `MASKED`, which ranks them last."""

    def __init__(self, over: PoolScorer, pool: Pool, evaluation_set: EvaluationSet) -> None:
        self.width = over.width
        self._over = over
        column_P = np.full(len(evaluation_set.passage_ids) + 1, -1)  # the last: no self match
        column_P[pool.passages_P] = np.arange(len(pool.passages_P))
        self._match_Q = column_P[evaluation_set.self_matches]

    def scores(self, queries: Positions, columns: Positions) -> Matrix:
        scores_CB = self._over.scores(queries, columns)
        match_C = self._match_Q[queries]
        index_C = np.minimum(np.searchsorted(columns, match_C), len(columns) - 1)
        here = np.flatnonzero(columns[index_C] == match_C)
        scores_CB[here, index_C[here]] = MASKED
        return scores_CB
