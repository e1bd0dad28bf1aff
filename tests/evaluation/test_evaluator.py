from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.tokens import Role
from lingmix.errors import InputError
from lingmix.evaluation.evaluator import evaluate_encoder
from lingmix.evaluation.score_table import score_table
from lingmix.evaluation.scores import SetScores, score
from tests.evaluation.made import MatrixScorer, parallel_set, random_set, unit
from tests.evaluation.xquad_r import xquad_r

PLAIN: dict[str, Any] = {"depth": None, "temperature": None, "seed": 0}


class Encoder:
    """Vectors are a function of text and role; remembers what it was asked for."""

    def __init__(self, dimension: int = 16) -> None:
        self.dimension = dimension
        self.encoded: list[tuple[str, Role]] = []

    def __call__(self, texts: Sequence[str], role: Role) -> NDArray[np.float32]:
        self.encoded += [(text, role) for text in texts]
        seeds = [[ord(c) for c in role + text] for text in texts]
        return unit(
            np.array([np.random.default_rng(s).standard_normal(self.dimension) for s in seeds])
        )


def evaluated(*sets: EvaluationSet, encode: Encoder | None = None) -> list[SetScores]:
    return list(evaluate_encoder(encode or Encoder(), sets, depth=None, temperature=0.05, seed=0))


def uneven_set() -> tuple[EvaluationSet, NDArray[np.float32]]:
    """Queries 0 and 1 in English, 2 in German. Ranks of the relevant passages in their own corpora:
    query 0: 1 (en), 2 (de); query 1: 2 (en), none (de); query 2: 1 (en), 1 (de)."""
    of = EvaluationSet(
        name="uneven",
        query_ids=("q0", "q1", "q2"),
        queries=("a", "b", "c"),
        query_languages=("en", "en", "de"),
        passage_ids=("p0", "p1", "p2", "p3"),
        passages=("A", "B", "C", "D"),
        passage_languages=("en", "en", "de", "de"),
        query_J=np.array([0, 0, 1, 2, 2], dtype=np.int32),
        passage_J=np.array([0, 2, 1, 1, 3], dtype=np.int32),
        grade_J=np.ones(5, dtype=np.int32),
    )
    scores_QP = np.array([[9, 8, 1, 2], [9, 8, 7, 6], [1, 3, 2, 4]], dtype=np.float32)
    return of, scores_QP


def test_averages_are_over_languages_and_pairs_not_over_queries() -> None:
    of, scores_QP = uneven_set()
    scores = score(of, MatrixScorer(scores_QP), depth=None, temperature=None, seed=0)
    metrics = scores.metrics
    assert metrics["pair/en-en/map"] == (1 + 1 / 2) / 2
    assert metrics["pair/de-de/map"] == 1
    assert metrics["monolingual/map"] == (3 / 4 + 1) / 2
    assert metrics["pair/en-de/map"] == 1 / 2
    assert metrics["pair/de-en/map"] == 1
    assert metrics["crosslingual/map"] == (1 / 2 + 1) / 2
    pooled_en = ((1 + 2 / 4) / 2 + 1 / 2) / 2
    assert metrics["multilingual/map"] == (pooled_en + 1) / 2
    assert metrics["multilingual/rank_distance"] == (3 + 1) / 2


def test_a_query_is_counted_where_it_is_judged_and_skipped_where_it_is_not() -> None:
    of, scores_QP = uneven_set()
    scores = score(of, MatrixScorer(scores_QP), depth=None, temperature=None, seed=0)
    ranked = {
        "monolingual": 3,
        "crosslingual": 2,
        "multilingual": 3,
        "pair/en-en": 2,
        "pair/de-de": 1,
        "pair/en-de": 1,
        "pair/de-en": 1,
    }
    assert scores.counts == {
        "unjudged": 0,
        **{f"{name}/ranked": n for name, n in ranked.items()},
        **{f"{name}/without_relevant": 0 for name in ranked},
        **{f"{name}/skipped": int(name in ("crosslingual", "pair/en-de")) for name in ranked},
    }
    assert not [name for name in scores.metrics if "answerable" in name or "without" in name]


def test_a_judged_query_without_a_relevant_passage_counts_0_and_the_mean_without_it_has_a_name():
    """Query 1 of `uneven_set` is now judged in German too, where nothing answers it, and a fourth
    query has grade 0 alone."""
    of, scores_QP = uneven_set()
    of = replace(
        of,
        query_ids=(*of.query_ids, "q3"),
        queries=(*of.queries, "d"),
        query_languages=(*of.query_languages, "en"),
        query_J=np.append(of.query_J, [1, 3]).astype(np.int32),
        passage_J=np.append(of.passage_J, [2, 1]).astype(np.int32),
        grade_J=np.append(of.grade_J, [0, 0]).astype(np.int32),
    )
    scores_QP = np.vstack([scores_QP, np.ones((1, 4), dtype=np.float32)])
    scores = score(of, MatrixScorer(scores_QP), depth=None, temperature=None, seed=0)
    metrics, counts = scores.metrics, scores.counts
    assert metrics["pair/en-en/map"] == pytest.approx((1 + 1 / 2 + 0) / 3)
    assert metrics["pair/en-en/map_answerable"] == (1 + 1 / 2) / 2
    assert metrics["monolingual/map"] == (1 / 2 + 1) / 2
    assert metrics["monolingual/map_answerable"] == (3 / 4 + 1) / 2
    assert metrics["pair/en-de/map"] == (1 / 2 + 0) / 2
    assert metrics["crosslingual/map"] == (1 / 4 + 1) / 2
    assert metrics["crosslingual/map_answerable"] == (1 / 2 + 1) / 2
    assert metrics["multilingual/map"] == pytest.approx(((3 / 4 + 1 / 2 + 0) / 3 + 1) / 2)
    assert "pair/de-de/map_answerable" not in metrics
    assert metrics["multilingual/rank_distance"] == (3 + 1) / 2
    assert counts["crosslingual/ranked"] == 3
    assert counts["crosslingual/without_relevant"] == 1
    assert counts["crosslingual/skipped"] == 1
    assert counts["multilingual/without_relevant"] == 1
    assert metrics["multilingual/without_relevant"] == 1
    rows = scores.per_query.filter(query_id="q3")["setting", "relevant", "map", "mrr_at_10"].rows()
    assert rows == [("monolingual", 0, 0.0, 0.0), ("multilingual", 0, 0.0, 0.0)]
    assert (
        "1 judged multilingual rankings have no relevant passage and count 0; mAP of the others "
        f"{(5 / 8 + 1) / 2:.4f}"
    ) in score_table([scores])
    assert "left out 1 of 4 crosslingual rankings, whose query is not judged" in score_table(
        [scores]
    )


def test_a_query_judged_in_other_languages_alone_is_not_counted_within_these() -> None:
    of, _ = uneven_set()
    german = of.within(["de"])
    scores = score(german, MatrixScorer(np.eye(1, 2, dtype=np.float32)), **PLAIN)
    assert scores.metrics["monolingual/map"] == 1 / 2
    english = replace(
        of,
        passage_J=np.array([2, 2, 1, 1, 3], dtype=np.int32)[[1, 2, 3, 4]],
        query_J=of.query_J[1:],
        grade_J=of.grade_J[1:],
    ).within(["en"])
    scores = score(english, MatrixScorer(np.array([[1, 2], [1, 2]], dtype=np.float32)), **PLAIN)
    assert scores.metrics["monolingual/map"] == 1
    assert (scores.counts["monolingual/ranked"], scores.counts["monolingual/skipped"]) == (1, 1)


def test_where_it_is_asked_a_pool_has_those_queries_alone_that_are_judged_in_every_language():
    of, scores_QP = uneven_set()
    of = replace(of, pooled_if_judged_everywhere=True)
    scores = score(of, MatrixScorer(scores_QP), **PLAIN)
    assert scores.metrics["multilingual/map"] == (3 / 4 + 1) / 2
    assert scores.metrics["monolingual/map"] == (3 / 4 + 1) / 2
    assert scores.counts["multilingual/ranked"] == 2
    assert scores.counts["multilingual/skipped"] == 1


def test_where_no_query_is_judged_in_every_language_there_is_no_figure_of_the_pool():
    of, scores_QP = uneven_set()
    english_J = np.isin(of.query_J, [1])
    judged = {name: getattr(of, name)[english_J] for name in ("query_J", "passage_J", "grade_J")}
    of = replace(of, pooled_if_judged_everywhere=True, **judged)
    metrics = score(of, MatrixScorer(scores_QP), **PLAIN).metrics
    assert metrics["monolingual/map"] == 1 / 2
    assert not {name for name in metrics if name.startswith("multilingual")}


def test_per_query_has_a_row_a_ranking_whose_means_are_the_metrics() -> None:
    of, scores_QP = uneven_set()
    scores = score(of, MatrixScorer(scores_QP), depth=None, temperature=None, seed=0)
    rows = scores.per_query["setting", "query_id", "query_language", "passage_language", "map"]
    assert rows.rows() == [
        ("monolingual", "q0", "en", "en", 1.0),
        ("monolingual", "q1", "en", "en", 0.5),
        ("monolingual", "q2", "de", "de", 1.0),
        ("crosslingual", "q0", "en", "de", 0.5),
        ("crosslingual", "q2", "de", "en", 1.0),
        ("multilingual", "q0", "en", None, 0.75),
        ("multilingual", "q1", "en", None, 0.5),
        ("multilingual", "q2", "de", None, 1.0),
    ]
    assert scores.per_query["rank_distance"].to_list() == [None] * 5 + [3.0, None, 1.0]
    assert set(scores.per_query["set"]) == {"uneven"}


def test_scores_do_not_depend_on_the_sets_evaluated_beside() -> None:
    one = parallel_set(items=4, languages=("de", "en"))
    other = random_set(np.random.default_rng(0), queries=9, passages=20)
    alone, beside = evaluated(one)[0], evaluated(other, one)[1]
    assert alone.metrics == beside.metrics
    assert alone.per_query.equals(beside.per_query)


def test_rank_distance_counts_the_whole_pool_whatever_the_depth() -> None:
    of = parallel_set(items=30, languages=("de", "en", "th"))
    whole, cut = (
        next(evaluate_encoder(Encoder(), [of], depth=depth, temperature=0.05, seed=0)).metrics
        for depth in (None, 5)
    )
    assert cut["multilingual/rank_distance"] == whole["multilingual/rank_distance"] > 10
    assert cut["multilingual/map"] < whole["multilingual/map"]


class Spoilt(Encoder):
    """Puts a value in the place of some passages' vectors."""

    def __init__(self, value: float, passages: slice) -> None:
        super().__init__()
        self.value, self.passages = value, passages

    def __call__(self, texts: Sequence[str], role: Role) -> NDArray[np.float32]:
        vectors = super().__call__(texts, role)
        if role == "passage":
            vectors[self.passages] = self.value
        return vectors


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_vectors_that_are_not_finite_are_refused_by_name(value: float) -> None:
    of = parallel_set(items=4, languages=("de", "en"))
    with pytest.raises(InputError, match=r"parallel: the vector of passage 'p2-de' is not finite"):
        evaluated(of, encode=Spoilt(value, slice(2, 5)))


def test_a_text_without_a_known_token_scores_nothing_and_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    of = parallel_set(items=4, languages=("de", "en"))
    evaluated(of, encode=Spoilt(0.0, slice(2, 5)))
    assert "3 of 8 passage vectors are zero" in caplog.text
    with pytest.raises(InputError, match="every passage vector is zero"):
        evaluated(of, encode=Spoilt(0.0, slice(None)))


def test_a_depth_below_one_is_refused() -> None:
    of = parallel_set(items=2, languages=("en",))
    with pytest.raises(InputError, match=r"depth: must be at least 1, .* got 0"):
        list(evaluate_encoder(Encoder(), [of], depth=0, temperature=0.05, seed=0))


def test_a_set_in_one_language_has_no_crosslingual_setting() -> None:
    metrics = evaluated(parallel_set(items=5, languages=("en",)))[0].metrics
    assert {name.split("/")[0] for name in metrics} == {
        "monolingual",
        "multilingual",
        "pair",
        "contrastive_entropy",
        "uniformity",
    }
    assert metrics["monolingual/map"] == metrics["multilingual/map"]


def test_metrics_are_plain_numbers() -> None:
    metrics = evaluated(parallel_set(items=5, languages=("de", "en")))[0].metrics
    assert {type(value) for value in metrics.values()} == {float}
    assert all(np.isfinite(value) for value in metrics.values())


def test_random_vectors_rank_xquad_r_by_chance() -> None:
    """Of 11 passages anywhere among 13,014, the first and last are 10/12 of 13,015 ranks apart."""
    of, rng = xquad_r(), np.random.default_rng(0)
    (scores,) = evaluate_encoder(
        lambda texts, role: unit(rng.standard_normal((len(texts), 256))),
        [of],
        depth=None,
        temperature=0.05,
        seed=0,
    )
    metrics = scores.metrics
    sizes = Counter(of.passage_languages)
    chance = np.mean([100 / size for size in sizes.values()])
    assert metrics["multilingual/rank_distance"] == pytest.approx(10 / 12 * 13015, rel=0.005)
    assert metrics["monolingual/recall_at_100"] == pytest.approx(chance, rel=0.05)
    assert metrics["crosslingual/recall_at_100"] == pytest.approx(chance, rel=0.02)
    assert metrics["multilingual/same_language_preference"] == pytest.approx(0, abs=0.02)
    assert metrics["multilingual/share_gap"] == pytest.approx(0, abs=0.02)
    assert scores.counts["crosslingual/ranked"] == 130_900
