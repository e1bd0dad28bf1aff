from typing import Any

import numpy as np
import polars as pl
import pytest

from lingmix.evaluation.bias import BIAS
from lingmix.evaluation.metric_names import Measure
from lingmix.evaluation.metrics import METRICS, Rankings, retrieval_metrics
from lingmix.evaluation.parallel import PARALLEL
from lingmix.evaluation.scores import score
from tests.evaluation.made import MatrixScorer, parallel_set, random_set


def measured(
    ranks: list[int], grades: list[int] | None = None, depth: int | None = None
) -> dict[str, float]:
    rankings = Rankings.of(
        np.zeros(len(ranks), dtype=np.int64),
        np.array(ranks),
        np.array(grades or [1] * len(ranks), dtype=np.int32),
        depth=depth,
    )
    return {name: float(figure[0]) for name, figure in retrieval_metrics(rankings).items()}


def test_relevant_passages_first_and_third() -> None:
    metrics = measured([3, 1])
    assert metrics["map"] == pytest.approx((1 + 2 / 3) / 2)
    assert metrics["mrr_at_10"] == 1
    assert metrics["recall_at_1"] == 1 / 2
    assert metrics["recall_at_10"] == 1
    assert metrics["ndcg_at_10"] == pytest.approx((1 + 1 / 2) / (1 + 1 / np.log2(3)))


def test_a_gain_is_the_grade_and_the_ideal_ranking_has_the_highest_grade_first() -> None:
    metrics = measured([1, 2], grades=[1, 3])
    assert metrics["ndcg_at_10"] == pytest.approx((1 + 3 / np.log2(3)) / (3 + 1 / np.log2(3)))


def test_ten_and_a_hundred_are_the_last_ranks_that_count() -> None:
    at_10, at_11, at_100, at_101 = (measured([rank]) for rank in (10, 11, 100, 101))
    assert (at_10["mrr_at_10"], at_11["mrr_at_10"]) == (1 / 10, 0)
    assert (at_10["recall_at_10"], at_11["recall_at_10"]) == (1, 0)
    assert (at_10["ndcg_at_10"] > 0, at_11["ndcg_at_10"]) == (True, 0)
    assert (at_100["recall_at_100"], at_101["recall_at_100"]) == (1, 0)


def test_a_passage_beyond_the_depth_is_not_retrieved_but_still_relevant() -> None:
    assert measured([1, 6], depth=5)["map"] == 1 / 2
    assert measured([1, 6], depth=6)["map"] == pytest.approx((1 + 2 / 6) / 2)
    assert set(measured([6], depth=5).values()) == {0}


def test_more_relevant_passages_than_places_leave_recall_below_one() -> None:
    assert measured(list(range(1, 21)))["recall_at_10"] == 1 / 2
    assert measured(list(range(1, 21)))["ndcg_at_10"] == 1


def test_each_ranking_is_measured_alone_in_whatever_order_they_come() -> None:
    rankings = Rankings.of(
        np.array([1, 0, 1]), np.array([4, 2, 1]), np.ones(3, dtype=np.int32), depth=None
    )
    assert retrieval_metrics(rankings)["map"].tolist() == [1 / 2, (1 + 2 / 4) / 2]


MEASURES: dict[str, Measure[Any]] = {**METRICS, **BIAS, **PARALLEL}
RANDOM = np.random.default_rng(0)
SETS = [
    random_set(RANDOM, queries=60, passages=90),
    parallel_set(items=12, languages=("de", "en", "th")),
]


@pytest.mark.parametrize("ranked", ["at random", "all alike", "relevant first", "relevant last"])
def test_no_score_of_a_query_leaves_the_range_of_its_measure(ranked) -> None:
    measured = set()
    for evaluation_set in SETS:
        shape = len(evaluation_set.queries), len(evaluation_set.passages)
        scores_QP = np.zeros(shape, np.float32)
        if ranked != "all alike":
            scores_QP = RANDOM.standard_normal(shape, np.float32)
        if ranked.startswith("relevant"):
            sign = 1 if ranked == "relevant first" else -1
            scores_QP[evaluation_set.query_J, evaluation_set.passage_J] += 99 * sign
        scores = score(
            evaluation_set, MatrixScorer(scores_QP), depth=None, temperature=None, seed=0
        ).per_query
        for name in MEASURES.keys() & {*scores.columns}:
            low, high = MEASURES[name].range
            values = scores[name].drop_nulls()
            assert values.is_between(low - 1e-9, high + 1e-9).all(), (name, values.describe())
            measured |= {name} if len(values) else set()
        if ranked == "relevant first" and evaluation_set.name == "parallel":
            ends = scores.filter(setting="monolingual").select(pl.col(*METRICS).unique())
            assert ends.row(0) == (1,) * len(METRICS)
    assert measured == MEASURES.keys()
