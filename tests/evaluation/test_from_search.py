"""Scores from a search: those of exact ranks cut at the depth."""

from dataclasses import replace

import numpy as np
import pytest

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.errors import InputError
from lingmix.evaluation.dense import DenseScorer
from lingmix.evaluation.from_search import searched_scores
from lingmix.evaluation.scores import SetScores, score
from lingmix.search.exact import Hits, search
from lingmix.search.vectors import Vectors
from tests.evaluation.made import random_set, unit

DEPTH = 12
WHOLE = ("rank_distance", "peer", "max_rank")


def exact(queries, passages, *, depth: int) -> Hits:
    return search(queries, passages, depth=depth, shard_mib=0.01)


def blind(queries, passages, *, depth: int) -> Hits:
    """Finds the first of the corpus alone."""
    hits = exact(queries, passages, depth=depth)
    hits.passage_QK[:], hits.score_QK[:] = -1, -np.inf
    hits.passage_QK[:, 0], hits.score_QK[:, 0] = 0, queries @ passages[np.arange(1)][0]
    return hits


def example(*, other_languages_only: bool) -> tuple[EvaluationSet, Vectors, Vectors]:
    rng = np.random.default_rng(3)
    of = random_set(rng, queries=50, passages=90, other_languages_only=other_languages_only)
    vectors = unit(rng.standard_normal((60, 24)))
    return (
        of,
        Vectors(vectors, rng.integers(60, size=50)),
        Vectors(vectors, rng.integers(60, size=90)),
    )


@pytest.mark.parametrize("other_languages_only", [False, True])
def test_an_exact_search_scores_as_exact_ranks_cut_at_its_depth(other_languages_only: bool) -> None:
    of, queries, passages = example(other_languages_only=other_languages_only)
    ranked: SetScores = score(
        of, DenseScorer(of, queries, passages), depth=DEPTH, temperature=None, seed=0
    )
    found = searched_scores(of, queries, passages, exact, depth=DEPTH, seed=0)
    assert found.metrics.pop("search_recall") == 1
    assert found.counts == ranked.counts
    assert found.counts["multilingual/without_relevant"] > 0
    left_out = {f"multilingual/{name}" for name in WHOLE}
    assert set(ranked.metrics) - set(found.metrics) == left_out & set(ranked.metrics)
    for name, value in found.metrics.items():
        if "excess" not in name and "share" not in name:  # there ties over a place are shared
            assert value == pytest.approx(ranked.metrics[name], abs=1e-6), name


def test_a_language_whose_queries_have_no_relevant_passage_counts_0() -> None:
    """With the own language left out, each query language has a pool of its own."""
    of, queries, passages = example(other_languages_only=True)
    german_J = np.array(of.query_languages)[of.query_J] == "de"
    of = replace(of, grade_J=np.where(german_J, 0, of.grade_J))
    ranked = score(of, DenseScorer(of, queries, passages), depth=DEPTH, temperature=None, seed=0)
    found = searched_scores(of, queries, passages, exact, depth=DEPTH, seed=0)
    assert ranked.metrics["pair/de-en/map"] == found.metrics["pair/de-en/map"] == 0
    for setting in ("crosslingual", "multilingual"):
        name = f"{setting}/map"
        assert found.metrics[name] == pytest.approx(ranked.metrics[name], abs=1e-6)


def test_a_search_that_finds_little_says_so_and_scores_low() -> None:
    of, queries, passages = example(other_languages_only=False)
    full = searched_scores(of, queries, passages, exact, depth=DEPTH, seed=0)
    little = searched_scores(of, queries, passages, blind, depth=DEPTH, seed=0)
    assert little.metrics["search_recall"] < 0.2
    assert little.metrics["multilingual/recall_at_10"] < full.metrics["multilingual/recall_at_10"]


@pytest.mark.parametrize(("role", "position"), [("query", 1), ("passage", 3)])
def test_vectors_that_are_not_finite_are_named(role: str, position: int) -> None:
    of, *vectors = example(other_languages_only=False)
    spoilt = [Vectors(one.distinct_UD[one.row_N], np.arange(len(one))) for one in vectors]
    spoilt[role == "passage"].distinct_UD[position] = np.nan
    ids = of.query_ids if role == "query" else of.passage_ids
    with pytest.raises(InputError, match=f"the vector of {role} '{ids[position]}' is not finite"):
        searched_scores(of, *spoilt, exact, depth=DEPTH, seed=0)
