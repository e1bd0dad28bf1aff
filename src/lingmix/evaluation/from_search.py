"""Scores from the hits of a search, for corpora that are too large to rank or are indexed."""

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.evaluation.dense import refuse_bad_vectors
from lingmix.evaluation.metric_names import SEARCH_RECALL
from lingmix.evaluation.pools import LISTED, Pool, Positions, pools
from lingmix.evaluation.ranks import Ranked, lists_frame, places_frame
from lingmix.evaluation.scores import SetScores, set_scores
from lingmix.search.exact import Hits, Searcher, merge_hits, recall_against_exact
from lingmix.search.vectors import Vectors

NOT_FOUND = 2**31
"""The rank of a passage that is not among the hits, beyond every depth."""

RECALL_SAMPLE = 100
"""The queries of each corpus that are also searched exactly, to measure the search's recall."""

SHARD_MIB = 256
SLAB = 2**16

COMPARED = 2048
"""Rows of hits that are compared at once: they fit into the processor's cache."""


class Found(NamedTuple):
    """The hits of a pool's queries in each language's corpus and in the pool, as positions in the
    evaluation set; `recalls` are against exact search, one a language."""

    languages: list[Hits]
    pool: Hits
    recalls: list[float]


def searched_scores(
    evaluation_set: EvaluationSet,
    queries: Vectors,
    passages: Vectors,
    searcher: Searcher,
    *,
    depth: int,
    seed: int,
) -> SetScores:
    """Scores a set by the first `depth` hits of each query; other passages count as not retrieved.

    Measures that need every rank (rank distance, PEER) are left out, and so is the contrastive
    entropy. Raises InputError where no query has a relevant passage.
    """
    refuse_bad_vectors(evaluation_set.name, "query", queries, evaluation_set.query_ids)
    refuse_bad_vectors(evaluation_set.name, "passage", passages, evaluation_set.passage_ids)
    parts, recalls = [], []
    for pool in pools(evaluation_set):
        searched = depth + evaluation_set.ignore_own
        found = _search(
            evaluation_set, pool, queries, passages, searcher, depth=searched, seed=seed
        )
        if evaluation_set.ignore_own:
            match_Q = evaluation_set.self_matches[pool.queries]
            found = _without_matches(found, match_Q, depth=depth)
        relevant = _relevant(evaluation_set, pool, found, queries, passages)
        places = _places(evaluation_set, pool, found, relevant)
        parts.append(Ranked(relevant, places, _listed(evaluation_set, pool, found, relevant)))
        recalls += found.recalls
    ranked = Ranked.joined(parts, evaluation_set, whole=False)
    scores = set_scores(evaluation_set, ranked, depth=depth)
    scores.metrics[SEARCH_RECALL] = float(np.mean(recalls))
    return scores


def _search(
    evaluation_set: EvaluationSet,
    pool: Pool,
    queries: Vectors,
    passages: Vectors,
    searcher: Searcher,
    *,
    depth: int,
    seed: int,
) -> Found:
    """Searches each language's corpus; the hits in the pool are these, merged."""
    queries_QD = queries[pool.queries]
    languages, recalls, ties = [], [], []
    for begin, end in zip(pool.begin_X, pool.end_X, strict=True):
        corpus_P = begin + np.argsort(pool.tie_P[begin:end])
        ties.append(pool.tie_P[corpus_P])
        vectors = Vectors(passages.distinct_UD, passages.row_N[pool.passages_P[corpus_P]])
        languages.append(searcher(queries_QD, vectors, depth=depth))
        recalls.append(
            recall_against_exact(
                languages[-1],
                queries_QD,
                vectors,
                sample=RECALL_SAMPLE,
                seed=seed,
                shard_mib=SHARD_MIB,
            )
        )
    by_id = evaluation_set.by_descending_id
    return Found(
        [_positions(hits, by_id[tie_P]) for hits, tie_P in zip(languages, ties, strict=True)],
        _positions(merge_hits(languages, ties, depth=depth), by_id),
        recalls,
    )


def _positions(hits: Hits, position_P: Positions) -> Hits:
    found_QK = position_P[np.maximum(hits.passage_QK, 0)]
    return Hits(np.where(hits.found, found_QK, -1), hits.score_QK)


def _without_matches(found: Found, match_Q: Positions, *, depth: int) -> Found:
    """Removes self matches, and cuts to `depth` hits; a row with a self match ends in -1."""

    def without(hits: Hits) -> Hits:
        match_QK = hits.passage_QK == match_Q[:, None]
        order_QK = np.argsort(match_QK, axis=1, kind="stable")[:, :depth]
        return Hits(
            np.take_along_axis(np.where(match_QK, -1, hits.passage_QK), order_QK, axis=1),
            np.take_along_axis(np.where(match_QK, -np.inf, hits.score_QK), order_QK, axis=1),
        )

    return Found([without(hits) for hits in found.languages], without(found.pool), found.recalls)


def _relevant(
    evaluation_set: EvaluationSet, pool: Pool, found: Found, queries: Vectors, passages: Vectors
) -> pl.DataFrame:
    row_of, language_P = _in_pool(evaluation_set, pool)
    judged = (evaluation_set.grade_J > 0) & (row_of[evaluation_set.query_J] >= 0)
    judgement_J = np.flatnonzero(judged & (language_P[evaluation_set.passage_J] >= 0))
    query_J = evaluation_set.query_J[judgement_J].astype(np.int64)
    passage_J = evaluation_set.passage_J[judgement_J].astype(np.int64)
    row_J, language_J = row_of[query_J], language_P[passage_J]
    language_rank_J = np.empty(len(row_J), dtype=np.int64)
    for language, hits in enumerate(found.languages):
        of_language_J = language_J == language
        language_rank_J[of_language_J] = found_ranks(
            hits, row_J[of_language_J], passage_J[of_language_J]
        )
    pool_rank_J = found_ranks(found.pool, row_J, passage_J)
    first_J = np.minimum(np.bincount(query_J)[query_J], found.pool.found.sum(1)[row_J])
    return pl.DataFrame(
        {
            "query": query_J,
            "passage_language": pl.Series(pool.languages, dtype=pl.String).gather(language_J),
            "grade": evaluation_set.grade_J[judgement_J],
            "score": _scores(queries, passages, query_J, passage_J),
            "language_rank": language_rank_J,
            "pool_rank": pool_rank_J,
            "language_entropy": pl.Series([None] * len(row_J), dtype=pl.Float64),
            "pool_entropy": pl.Series([None] * len(row_J), dtype=pl.Float64),
            "first_share": (pool_rank_J <= first_J) / np.maximum(first_J, 1),
        }
    )


def _in_pool(evaluation_set: EvaluationSet, pool: Pool) -> tuple[Positions, Positions]:
    """Returns the row of each query of the set, and the language's number of each passage, -1 for
    those that are not in the pool."""
    row_Q = np.full(len(evaluation_set.query_ids), -1)
    row_Q[pool.queries] = np.arange(len(pool.queries))
    language_P = np.full(len(evaluation_set.passage_ids), -1)
    language_P[pool.passages_P] = pool.language_of(np.arange(len(pool.passages_P)))
    return row_Q, language_P


def found_ranks(hits: Hits, row_J: Positions, passage_J: Positions) -> Positions:
    """Returns the rank, from 1, of each passage among the hits of its row, else `NOT_FOUND`."""
    rank_J = np.full(len(row_J), NOT_FOUND)
    for begin in range(0, len(row_J), COMPARED):
        part = slice(begin, begin + COMPARED)
        match_SK = hits.passage_QK[row_J[part]] == passage_J[part, None]
        rank_J[part] = np.where(match_SK.any(1), match_SK.argmax(1) + 1, NOT_FOUND)
    return rank_J


def _scores(
    queries: Vectors, passages: Vectors, query_J: Positions, passage_J: Positions
) -> NDArray[np.float64]:
    parts = [
        np.vecdot(
            queries[query_J[begin : begin + SLAB]].astype(np.float64),
            passages[passage_J[begin : begin + SLAB]].astype(np.float64),
        )
        for begin in range(0, len(query_J), SLAB)
    ]
    return np.concatenate([np.zeros(0), *parts])


def _places(
    evaluation_set: EvaluationSet, pool: Pool, found: Found, relevant: pl.DataFrame
) -> pl.DataFrame:
    """Computes `Ranked.places` from the hits, in which ties are ordered by id."""
    row_of, language_P = _in_pool(evaluation_set, pool)
    counts = relevant.group_by("query", maintain_order=True).len()
    query_C, count_C1 = counts["query"].to_numpy(), counts["len"].to_numpy()[:, None]
    passage_CK = found.pool.passage_QK[row_of[query_C]]
    first_CK = (np.arange(passage_CK.shape[1]) < count_C1) & (passage_CK >= 0)
    language_CK = np.where(first_CK, language_P[passage_CK], -1)
    places_CX = np.stack([(language_CK == x).sum(1) for x in range(len(pool.languages))], axis=1)
    share_CX = places_CX / np.maximum(places_CX.sum(1, keepdims=True), 1)
    return places_frame(pool, query_C, share_CX)


def _listed(
    evaluation_set: EvaluationSet, pool: Pool, found: Found, relevant: pl.DataFrame
) -> pl.DataFrame:
    """Returns `Ranked.lists` of the queries with a relevant passage."""
    row_of, language_P = _in_pool(evaluation_set, pool)
    query_C = relevant["query"].unique(maintain_order=True).to_numpy()
    passage_CK = found.pool.passage_QK[row_of[query_C], :LISTED]
    language_CK = np.where(passage_CK < 0, len(pool.languages), language_P[passage_CK])
    return lists_frame(pool, query_C, passage_CK, language_CK)
