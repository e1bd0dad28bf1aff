"""Evaluation sets and encoders made for tests."""

import numpy as np
from numpy.typing import NDArray

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.evaluation.pools import Matrix, PoolScorer, Positions


def parallel_set(
    *, items: int, languages: tuple[str, ...], other_languages_only: bool = False
) -> EvaluationSet:
    """Item i has one query and one passage in each language, relevant to each other."""
    texts = [(i, of) for of in languages for i in range(items)]
    judged = [
        (q, p)
        for q, (i, query_language) in enumerate(texts)
        for p, (j, passage_language) in enumerate(texts)
        if i == j and not (other_languages_only and query_language == passage_language)
    ]
    query_J, passage_J = np.array(judged, dtype=np.int32).T
    return EvaluationSet(
        name="parallel",
        query_ids=tuple(f"q{i}-{of}" for i, of in texts),
        queries=tuple(f"query {i} in {of}" for i, of in texts),
        query_languages=tuple(of for _, of in texts),
        passage_ids=tuple(f"p{i}-{of}" for i, of in texts),
        passages=tuple(f"passage {i} in {of}" for i, of in texts),
        passage_languages=tuple(of for _, of in texts),
        query_J=query_J,
        passage_J=passage_J,
        grade_J=np.ones(len(judged), dtype=np.int32),
        other_languages_only=other_languages_only,
    )


def random_set(
    rng: np.random.Generator, *, queries: int, passages: int, other_languages_only: bool = False
) -> EvaluationSet:
    """Languages unevenly held, zero to nine judgements a query, grades from -1 to 3, ids in the
    order of neither numbers nor positions."""
    query_languages = rng.choice(["de", "en", "th"], size=queries, p=[0.2, 0.5, 0.3])
    passage_languages = rng.choice(["de", "en", "th", "zh"], size=passages, p=[0.1, 0.5, 0.3, 0.1])
    judged = [
        (q, p)
        for q in range(queries)
        for p in rng.choice(passages, size=rng.integers(0, 10), replace=False)
    ]
    query_J, passage_J = np.array(judged, dtype=np.int32).T
    names = rng.permutation(10 * passages)[:passages]
    return EvaluationSet(
        name="random",
        query_ids=tuple(f"q{i}" for i in range(queries)),
        queries=tuple(f"query {i}" for i in range(queries)),
        query_languages=tuple(query_languages.tolist()),
        passage_ids=tuple(f"{'pPé章'[n % 4]}{n}" for n in names.tolist()),
        passages=tuple(f"passage {i}" for i in range(passages)),
        passage_languages=tuple(passage_languages.tolist()),
        query_J=query_J,
        passage_J=passage_J,
        grade_J=rng.integers(-1, 4, size=len(judged)).astype(np.int32),
        other_languages_only=other_languages_only,
    )


class MatrixScorer:
    """Scores as they stand in a matrix, `width` columns of a pool at once (None: all)."""

    def __init__(self, scores_QP: Matrix, *, width: int | None = None) -> None:
        self._scores_QP = scores_QP
        self._width = width

    def over(self, passages_P: Positions) -> PoolScorer:
        return MatrixPool(self._scores_QP, passages_P, self._width or len(passages_P))


class MatrixPool:
    def __init__(self, scores_QP: Matrix, passages_P: Positions, width: int) -> None:
        self.width = width
        self._scores_QP = scores_QP
        self._passages_P = passages_P

    def scores(self, queries: Positions, columns: Positions) -> Matrix:
        return self._scores_QP[np.ix_(queries, self._passages_P[columns])]


def unit(vectors: NDArray[np.float64]) -> Matrix:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
