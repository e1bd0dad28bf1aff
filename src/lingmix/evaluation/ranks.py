"""Exact ranks of the relevant passages: the passages ahead of each are counted, without sorting."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.errors import InputError
from lingmix.evaluation.entropy import NEGATIVES, Negatives
from lingmix.evaluation.pools import (
    Chunk,
    Pool,
    PoolScorer,
    Positions,
    Scorer,
    blocks,
    chunks,
    pools,
)
from lingmix.evaluation.self_matches import scored
from lingmix.evaluation.tally import Tally
from lingmix.progress import with_progress


class Ranked(NamedTuple):
    """The ranks of every relevant passage, the languages of each query's first places, and its
    result list.

    `relevant` has a row a relevant passage: query (position), its language and the passage's,
    grade, score, the rank (from 1) in the corpus of the passage's language and in the pool, the
    contrastive entropy in both, and `first_share`, its share of the query's first R places in the
    pool, where R is the query's number of relevant passages. `places` has a row a query and
    language: the `share` of those places that its passages take, and how many `passages` it has.
    Ties over the last place share it, so that no language gains by its ids. `lists` are the first
    `LISTED` places of each query in the pool, in order: query, its language, `place` from 1,
    `passage` (position; -1 where a search has found no more) and its language. `whole` says that
    every rank is known, not only those that a search found.
    """

    relevant: pl.DataFrame
    places: pl.DataFrame
    lists: pl.DataFrame
    whole: bool = True

    @classmethod
    def joined(
        cls, parts: Sequence["Ranked"], evaluation_set: EvaluationSet, *, whole: bool
    ) -> "Ranked":
        """Joins parts, whose frames lack the query's language. Raises InputError where no query has
        a relevant passage."""
        if not sum(part.relevant.height for part in parts):
            raise InputError(
                f"evaluation set {evaluation_set.name}: no query has a relevant passage to be "
                "found: check its judgements and languages"
            )
        return cls(
            with_query_language(evaluation_set, pl.concat(part.relevant for part in parts)),
            with_query_language(evaluation_set, pl.concat(part.places for part in parts)),
            with_query_language(evaluation_set, pl.concat(part.lists for part in parts)),
            whole,
        )


def rank_relevant(
    evaluation_set: EvaluationSet, scorer: Scorer, *, temperature: float | None, seed: int
) -> Ranked:
    """Ranks every relevant passage in its pool. Without a temperature, for scores without a
    softmax, entropies are null; the seed draws their negatives.

    Raises InputError where no query has a relevant passage.
    """
    generator = np.random.Generator(np.random.Philox(seed))
    found: list[Ranked] = []
    with _threads() as threads:
        for pool in pools(evaluation_set):
            over = scored(scorer, pool, evaluation_set)
            ranked = partial(
                _ranked,
                evaluation_set=evaluation_set,
                pool=pool,
                over=over,
                temperature=temperature,
            )
            parts = list(chunks(evaluation_set, pool, width=over.width))
            draws = [generator.random((len(chunk.queries), NEGATIVES)) for chunk in parts]
            found += with_progress(
                threads.map(ranked, parts, draws),
                f"Ranking {evaluation_set.name}",
                total=len(parts),
                size=lambda _: 1,
            )
    return Ranked.joined(found, evaluation_set, whole=True)


def with_query_language(evaluation_set: EvaluationSet, frame: pl.DataFrame) -> pl.DataFrame:
    languages = pl.Series(evaluation_set.query_languages)
    return frame.with_columns(query_language=languages.gather(frame["query"]))


@contextmanager
def _threads() -> Iterator[ThreadPoolExecutor]:
    """Yields one thread a core, in which libraries use no threads of their own: chunks in parallel
    are faster than parallelism within one, and sums are rounded the same on any number of cores."""
    cores = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1), ThreadPoolExecutor(cores) as threads:
            yield threads
    finally:
        torch.set_num_threads(cores)


def _ranked(
    chunk: Chunk,
    draw_CN: NDArray[np.float64],
    *,
    evaluation_set: EvaluationSet,
    pool: Pool,
    over: PoolScorer,
    temperature: float | None,
) -> Ranked:
    samplers = () if temperature is None else (Negatives.of_languages, Negatives.of_pool)
    negatives = [draw(chunk, pool, draw_CN) for draw in samplers]
    tally = _tally(pool, chunk, over, negatives)
    entropies = [
        sample.entropies(scores_GN, tally.relevant_J, temperature=temperature or 1)
        for sample, scores_GN in zip(negatives, tally.negative_scores, strict=True)
    ]
    of_language, of_pool = entropies or (None, None)
    language_J = pool.language_of(chunk.column_J)
    share_CX, share_J = tally.first_places()
    listed_CK = tally.lists.column_CK
    relevant = {
        "query": chunk.queries[chunk.row_J],
        "passage_language": pl.Series(pool.languages).gather(language_J),
        "grade": evaluation_set.grade_J[chunk.judgement_J],
        "score": tally.relevant_J,
        "language_rank": 1 + tally.ahead_JX[np.arange(len(language_J)), language_J],
        "pool_rank": 1 + tally.ahead_JX.sum(1),
        "language_entropy": of_language,
        "pool_entropy": of_pool,
        "first_share": share_J,
    }
    floats = {"language_entropy": pl.Float64, "pool_entropy": pl.Float64}
    return Ranked(
        pl.DataFrame(relevant, schema_overrides=floats, nan_to_null=True),
        places_frame(pool, chunk.queries, share_CX),
        lists_frame(pool, chunk.queries, pool.passages_P[listed_CK], pool.language_of(listed_CK)),
    )


def places_frame(pool: Pool, queries: Positions, share_CX: NDArray[np.float64]) -> pl.DataFrame:
    """Returns `Ranked.places` without the queries' languages."""
    return pl.DataFrame(
        {
            "query": queries.repeat(len(pool.languages)),
            "passage_language": pl.Series(pool.languages * len(queries), dtype=pl.String),
            "share": share_CX.reshape(-1),
            "passages": np.tile(pool.end_X - pool.begin_X, len(queries)),
        }
    )


def lists_frame(
    pool: Pool, queries: Positions, passage_CK: Positions, language_CK: Positions
) -> pl.DataFrame:
    """Returns `Ranked.lists` without the queries' languages; a language beyond the last is none."""
    C, K = passage_CK.shape
    languages = pl.Series([*pool.languages, None], dtype=pl.String)
    return pl.DataFrame(
        {
            "query": queries.repeat(K),
            "place": np.tile(np.arange(1, K + 1), C),
            "passage": passage_CK.reshape(-1),
            "passage_language": languages.gather(language_CK.reshape(-1)),
        }
    )


def _tally(pool: Pool, chunk: Chunk, over: PoolScorer, negatives: Sequence[Negatives]) -> Tally:
    parts = blocks(pool, over.width)
    if len(parts) == 1:
        scores_CP = over.scores(chunk.queries, np.arange(parts[0].stop))
        tally = Tally(pool, chunk, scores_CP[chunk.row_J, chunk.column_J], negatives)
        tally.add(scores_CP, parts[0])
        return tally
    tally = Tally(pool, chunk, _relevant_scores(chunk, over), negatives)
    for columns in parts:
        tally.add(over.scores(chunk.queries, np.arange(columns.start, columns.stop)), columns)
    return tally


def _relevant_scores(chunk: Chunk, over: PoolScorer) -> NDArray[np.float32]:
    """Scores the relevant passages first: every block is compared with them."""
    distinct_U, index_J = np.unique(chunk.column_J, return_inverse=True)
    scores_J = np.empty(len(index_J), dtype=np.float32)
    for begin in range(0, len(distinct_U), over.width):
        scores_CB = over.scores(chunk.queries, distinct_U[begin : begin + over.width])
        part_J = (index_J >= begin) & (index_J < begin + over.width)
        scores_J[part_J] = scores_CB[chunk.row_J[part_J], index_J[part_J] - begin]
    return scores_J
