"""Which passages a query is ranked against, in the order trec_eval gives equal scores."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lingmix.data.evaluation_set import EvaluationSet

Positions = NDArray[np.int64]

WHOLE = 2**16
"""Passages of the largest pool that is scored in one piece."""

BLOCK = 2**13
"""Passages at a time of a larger one: read from disk in order, few enough for many queries."""

CHUNK_CELLS = 2**22
"""Queries times passages scored at once."""


CELLS_A_LANGUAGE = 512
"""What a query costs beside its scores: its negatives in each language."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Pool:
    """The corpora of `languages` one after the other, passages of each in the set's order.

    `queries` and `passages_P` are positions in the evaluation set; a language's columns are
    `begin_X` up to `end_X`; `tie_P` is a passage's place among equal scores of the whole pool.
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
        """The languages among these columns: which, and where counted from the first column."""
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
    """C queries of a pool and their J relevant passages; a query's R stand by ascending column.

    Queries with more relevant passages come first. `judgement_J` are positions in the evaluation
    set's judgements, `row_J` and `slot_J` places in `column_CR`, whose padding goes on from P.
    """

    queries: Positions
    judgement_J: Positions
    count_C: Positions
    row_J: Positions
    slot_J: Positions
    column_J: Positions
    column_CR: Positions


def pools(evaluation_set: EvaluationSet) -> Iterator[Pool]:
    """One pool of all passages; or, where a query's own language is left out, one a language."""
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
    held = np.flatnonzero(language_of != (without or ""))
    passages_P = held[np.argsort(language_P[held], kind="stable")]
    size_X = np.bincount(language_P[held], minlength=len(languages))
    by_id = evaluation_set.by_descending_id
    place = np.empty(len(by_id), dtype=np.int64)
    place[by_id] = np.arange(len(by_id))
    return Pool(
        queries=queries,
        passages_P=passages_P,
        tie_P=place[passages_P],
        languages=languages,
        begin_X=size_X.cumsum() - size_X,
        end_X=size_X.cumsum(),
    )


def blocks(pool: Pool, width: int) -> list[slice]:
    """The pool's columns in pieces of `width`, the last one shorter."""
    P = len(pool.passages_P)
    return [slice(begin, min(begin + width, P)) for begin in range(0, P, width)]


def chunks(evaluation_set: EvaluationSet, pool: Pool, *, width: int) -> Iterator[Chunk]:
    """All queries with a relevant passage in the pool, as many at once as `width` allows."""
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
    size = max(1, CHUNK_CELLS // max(width, CELLS_A_LANGUAGE * len(pool.languages)))
    for first in range(0, len(start_Q), size):
        chosen = slice(first, first + size)
        count_C = count_Q[chosen]
        here = slice(start_Q[first], start_Q[first] + count_C.sum())
        row_J = np.repeat(np.arange(len(count_C)), count_C)
        slot_J = np.arange(len(row_J)) - (count_C.cumsum() - count_C)[row_J]
        column_CR = np.tile(np.arange(P, P + count_C[0]), (len(count_C), 1))
        column_CR[row_J, slot_J] = column_J[here]
        queries = query_J[start_Q[chosen]].astype(np.int64)
        yield Chunk(queries, judgement_J[here], count_C, row_J, slot_J, column_J[here], column_CR)
