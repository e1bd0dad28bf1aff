"""Retrieval metrics as trec_eval computes them, from the ranks of the relevant passages."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from lingmix.evaluation.metric_names import MAP, SHARE, Measure, Range

Figures = NDArray[np.float64]


class Rankings(NamedTuple):
    """The J relevant passages of G rankings, ranking after ranking: `rank_J` and `grade_J` by rank,
    best first, and `ideal_J` the grades in descending order, for the ideal ranking. `place_J`
    counts from 1 within a ranking; rank inf is not retrieved."""

    ranking_J: NDArray[np.int64]
    place_J: NDArray[np.int64]
    rank_J: Figures
    grade_J: Figures
    ideal_J: Figures

    @classmethod
    def of(
        cls,
        ranking_J: NDArray[np.int64],
        rank_J: NDArray[np.int64],
        grade_J: NDArray[np.int32],
        *,
        depth: int | None,
    ) -> Self:
        """A passage ranked beyond `depth` counts as not retrieved."""
        retrieved_J = np.where(rank_J <= (depth or np.inf), rank_J, np.inf)
        by_rank = np.lexsort((retrieved_J, ranking_J))
        by_grade = np.lexsort((-grade_J, ranking_J))
        ranking_J = ranking_J[by_rank]
        count_G = np.bincount(ranking_J)
        return cls(
            ranking_J=ranking_J,
            place_J=1 + np.arange(len(ranking_J)) - (np.cumsum(count_G) - count_G)[ranking_J],
            rank_J=retrieved_J[by_rank],
            grade_J=grade_J[by_rank].astype(float),
            ideal_J=grade_J[by_grade].astype(float),
        )

    def total(self, figure_J: Figures | NDArray[np.bool_]) -> Figures:
        return np.bincount(self.ranking_J, weights=figure_J).astype(np.float64)


def average_precision(rankings: Rankings) -> Figures:
    precision_J = rankings.place_J / rankings.rank_J
    return rankings.total(precision_J) / np.bincount(rankings.ranking_J)


def ndcg(rankings: Rankings, *, k: int) -> Figures:
    gain_J = rankings.grade_J / np.log2(rankings.rank_J + 1) * (rankings.rank_J <= k)
    ideal_J = rankings.ideal_J / np.log2(rankings.place_J + 1) * (rankings.place_J <= k)
    return rankings.total(gain_J) / rankings.total(ideal_J)


def recall(rankings: Rankings, *, k: int) -> Figures:
    return rankings.total(rankings.rank_J <= k) / np.bincount(rankings.ranking_J)


def reciprocal_rank(rankings: Rankings, *, k: int) -> Figures:
    first_J = (rankings.place_J == 1) & (rankings.rank_J <= k)
    return rankings.total(first_J / rankings.rank_J)


@dataclass(frozen=True, kw_only=True)
class Retrieval(Measure[Callable[[Rankings], Figures]]):
    """A retrieval metric."""

    range: Range = SHARE


METRICS: dict[str, Retrieval] = {
    MAP: Retrieval(compute=average_precision, label="mAP"),
    "ndcg_at_10": Retrieval(compute=partial(ndcg, k=10), label="nDCG@10"),
    "recall_at_1": Retrieval(compute=partial(recall, k=1), label="R@1"),
    "recall_at_10": Retrieval(compute=partial(recall, k=10), label="R@10"),
    "recall_at_100": Retrieval(compute=partial(recall, k=100), label="R@100"),
    "mrr_at_10": Retrieval(compute=partial(reciprocal_rank, k=10), label="MRR@10"),
}
"""By name: a row here is all that a new metric asks for."""


def retrieval_metrics(rankings: Rankings) -> dict[str, Figures]:
    """Computes all of `METRICS`, one value a ranking."""
    return {name: metric.compute(rankings) for name, metric in METRICS.items()}
