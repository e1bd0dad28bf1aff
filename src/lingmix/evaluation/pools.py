"""Which passages a query is ranked against, in the order trec_eval gives equal scores, and what
scores them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from lingmix.data.evaluation_set import EvaluationSet

Matrix = NDArray[np.float32]
Positions = NDArray[np.int64]

LISTED = 10
"""Passages of a query's result list, or all of a smaller pool."""

WHOLE = 2**16
"""Passages of the largest pool that is scored in one piece."""

BLOCK = 2**13
"""Passages at a time of a larger one: read from disk in order, few enough for many queries."""

CHUNK_SCORES = 2**22
"""Queries times passages whose scores are in memory at once."""

COST_A_LANGUAGE = 512
"""The memory of a query's negatives in each language, in scores."""


class PoolScorer(Protocol):
    """Scores queries against the passages of one pool, at most `width` of them at once.

    A query and a passage score the same to the last bit whatever else is asked for with them, and
    so do equal passages: equal scores must tie.
    """

    @property
    def width(self) -> int: ...

    def scores(self, queries: Positions, columns: Positions) -> Matrix:
        """Returns `scores_CB` of queries of the set and ascending columns of the pool, as an array
        that the caller may change."""
        ...


class Scorer(Protocol):
    """Scores a set's queries against its passages, pool by pool.

    A pool is prepared once, its passages in the order of its columns, and then scored chunk after
    chunk, so that no chunk has to gather columns from the set.
    """

    def over(self, passages_P: Positions) -> PoolScorer:
        """Prepares the pool of these passages, in the order of its columns."""
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class Pool:
    """The passages that queries are ranked against, as columns: language by language, those of each
    in the set's order.

    `queries` and `passages_P` are positions in the evaluation set; a language's columns are
    `begin_X` up to `end_X`; `tie_P` is a passage's rank among equal scores of the whole pool.
    """

    queries: Positions
    passages_P: Positions
    tie_P: Positions
    languages: tuple[str, ...]
    begin_X: Positions
    end_X: Positions

    def language_of(self, columns: Positions) -> Positions:
        return np.searchsorted(self.end_X, columns, side="right")

    def segments(self, columns: slice) -> list[tuple[int, slice]]:
        """Yields each language among these columns, by number, and its part of them."""
        bounds = [
            (language, max(begin, columns.start), min(end, columns.stop))
            for language, (begin, end) in enumerate(zip(self.begin_X, self.end_X, strict=True))
        ]
        return [
            (language, slice(begin - columns.start, end - columns.start))
            for language, begin, end in bounds
            if begin < end
        ]


class Chunk(NamedTuple):
    """C queries of a pool, those with the most relevant passages first, and their J relevant
    passages by query and ascending column.

    `judgement_J` are positions in the evaluation set's judgements. `column_CR` has the columns of a
    query's relevant passages in a row, padded with P, P + 1 ..., columns that do not exist but
    still ascend; `row_J` and `slot_J` say where each stands in it. A pool of P = 9 columns, and
    three queries with relevant passages in columns 1 4 7, 3 8 and 4:

        column_CR   1  4  7      count_C    3 2 1
                    3  8 11      row_J      0 0 0 1 1 2
                    4 10 11      slot_J     0 1 2 0 1 0
                                 column_J   1 4 7 3 8 4
    """

    queries: Positions
    judgement_J: Positions
    count_C: Positions
    row_J: Positions
    slot_J: Positions
    column_J: Positions
    column_CR: Positions


def pools(evaluation_set: EvaluationSet) -> Iterator[Pool]:
    """Yields one pool of all passages; or, where queries are ranked against other languages only,
    one a query language."""
    languages = np.asarray(evaluation_set.query_languages)
    if not evaluation_set.other_languages_only:
        yield _pool(evaluation_set, np.arange(len(languages)), without=None)
        return
    for language in sorted(set(evaluation_set.query_languages)):
        if not set(evaluation_set.passage_languages) - {language}:
            continue
        yield _pool(evaluation_set, np.flatnonzero(languages == language), without=language)


def _pool(evaluation_set: EvaluationSet, queries: Positions, *, without: str | None) -> Pool:
    language_of = np.asarray(evaluation_set.passage_languages)
    languages = tuple(sorted(set(evaluation_set.passage_languages) - {without}))
    language_P = np.searchsorted(languages, language_of)
    included = np.flatnonzero(language_of != (without or ""))
    passages_P = included[np.argsort(language_P[included], kind="stable")]
    size_X = np.bincount(language_P[included], minlength=len(languages))
    by_id = evaluation_set.by_descending_id
    rank_of = np.empty(len(by_id), dtype=np.int64)
    rank_of[by_id] = np.arange(len(by_id))
    return Pool(
        queries=queries,
        passages_P=passages_P,
        tie_P=rank_of[passages_P],
        languages=languages,
        begin_X=size_X.cumsum() - size_X,
        end_X=size_X.cumsum(),
    )


def blocks(pool: Pool, width: int) -> list[slice]:
    """Cuts the pool's columns into blocks of `width`, the last one shorter."""
    P = len(pool.passages_P)
    return [slice(begin, min(begin + width, P)) for begin in range(0, P, width)]


def chunks(evaluation_set: EvaluationSet, pool: Pool, *, width: int) -> Iterator[Chunk]:
    """Yields all queries with a relevant passage in the pool, in chunks of which a block of `width`
    columns is scored at once."""
    P = len(pool.passages_P)
    column_of = np.full(len(evaluation_set.passages), P)
    column_of[pool.passages_P] = np.arange(P)
    in_pool = np.isin(evaluation_set.query_J, pool.queries)
    column_J = column_of[evaluation_set.passage_J]
    judgement_J = np.flatnonzero((evaluation_set.grade_J > 0) & in_pool & (column_J < P))
    query_J, column_J = evaluation_set.query_J[judgement_J], column_J[judgement_J]
    count_J = np.bincount(query_J, minlength=1)[query_J]
    order = np.lexsort((column_J, query_J, -count_J))
    judgement_J, query_J, column_J = judgement_J[order], query_J[order], column_J[order]
    start_Q = np.flatnonzero(np.diff(query_J, prepend=-1))
    count_Q = np.diff(start_Q, append=len(query_J))
    size = max(1, CHUNK_SCORES // max(width, COST_A_LANGUAGE * len(pool.languages)))
    for first in range(0, len(start_Q), size):
        chosen = slice(first, first + size)
        count_C = count_Q[chosen]
        of_chunk = slice(start_Q[first], start_Q[first] + count_C.sum())
        row_J = np.repeat(np.arange(len(count_C)), count_C)
        slot_J = np.arange(len(row_J)) - (count_C.cumsum() - count_C)[row_J]
        column_CR = np.tile(np.arange(P, P + count_C[0]), (len(count_C), 1))
        column_CR[row_J, slot_J] = column_J[of_chunk]
        yield Chunk(
            query_J[start_Q[chosen]].astype(np.int64),
            judgement_J[of_chunk],
            count_C,
            row_J,
            slot_J,
            column_J[of_chunk],
            column_CR,
        )
