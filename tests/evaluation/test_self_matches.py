"""A query that is a passage of the corpus, as in ArguAna."""

from dataclasses import replace

import numpy as np
import pytest
import pytrec_eval

from lingmix.errors import InputError
from lingmix.evaluation.dense import DenseScorer
from lingmix.evaluation.from_search import searched_scores
from lingmix.evaluation.scores import score
from lingmix.search.exact import search
from lingmix.search.vectors import Vectors
from tests.evaluation.made import MatrixScorer, random_set, unit


def named_alike(rng: np.random.Generator):
    """The first 30 queries have the ids of passages, which score highest of all."""
    of = random_set(rng, queries=40, passages=80)
    ids = (*of.passage_ids[:30], *of.query_ids[30:])
    kept = (of.query_J != of.passage_J) | (of.query_J >= 30)
    judged = {name: getattr(of, name)[kept] for name in ("query_J", "passage_J", "grade_J")}
    return replace(of, query_ids=ids, ignore_own=True, **judged)


@pytest.mark.parametrize("width", [None, 7])
def test_scores_are_trec_evals_of_rankings_without_the_querys_own_passage(width: int | None):
    rng = np.random.default_rng(0)
    of = named_alike(rng)
    scores_QP = rng.standard_normal((40, 80)).round(1).astype(np.float32)
    scores_QP[np.arange(30), np.arange(30)] = 9
    found = score(
        of,
        MatrixScorer(scores_QP, width=width),
        depth=None,
        temperature=0.1,
        seed=0,
    ).per_query.filter(setting="multilingual")
    qrels: dict[str, dict[str, int]] = {}
    for q, p, grade in zip(of.query_J, of.passage_J, of.grade_J, strict=True):
        qrels.setdefault(of.query_ids[q], {})[of.passage_ids[p]] = int(grade)
    run = {
        of.query_ids[q]: {
            of.passage_ids[p]: float(scores_QP[q, p])
            for p in range(80)
            if of.passage_ids[p] != of.query_ids[q]
        }
        for q in range(40)
    }
    judge = pytrec_eval.RelevanceEvaluator(qrels, {"map", "ndcg_cut_10"}).evaluate(run)
    assert len(found) > 30
    for row in found.iter_rows(named=True):
        assert row["map"] == pytest.approx(judge[row["query_id"]]["map"], abs=1e-6)
        assert row["ndcg_at_10"] == pytest.approx(judge[row["query_id"]]["ndcg_cut_10"], abs=1e-6)


@pytest.mark.parametrize("depth", [9, 30, 79, 80, 500])
def test_a_search_leaves_it_out_too(depth: int):
    """Nothing else is lost, also where the depth reaches the end of a corpus: 10 of the 40 queries
    have no passage of their own, and languages have 10 to 33 passages."""
    rng = np.random.default_rng(0)
    of = named_alike(rng)
    passages = unit(rng.standard_normal((80, 16)))
    queries = passages[:40]
    exact = score(
        of,
        DenseScorer(of, queries, passages),
        depth=depth,
        temperature=None,
        seed=0,
    )
    found = searched_scores(
        of,
        Vectors(queries, np.arange(40)),
        Vectors(passages, np.arange(80)),
        lambda q, p, *, depth: search(q, p, depth=depth, shard_mib=1),
        depth=depth,
        seed=0,
    )
    assert found.metrics.pop("search_recall") == 1
    assert set(exact.metrics) - set(found.metrics) == {
        "multilingual/rank_distance",
        "multilingual/peer",
        "multilingual/max_rank",
    }
    for name, value in found.metrics.items():
        assert value == pytest.approx(exact.metrics[name], abs=1e-6), name


def test_it_may_not_be_judged_relevant_to_itself():
    of = named_alike(np.random.default_rng(0))
    with pytest.raises(InputError, match="is judged relevant to itself"):
        replace(
            of,
            query_J=np.array([0], np.int32),
            passage_J=np.array([0], np.int32),
            grade_J=np.array([1], np.int32),
        )


def test_nothing_is_left_out_where_no_query_is_a_passage():
    rng = np.random.default_rng(0)
    of = random_set(rng, queries=40, passages=80)
    scores = MatrixScorer(rng.standard_normal((40, 80)).astype(np.float32))
    plain, ignoring = (
        score(each, scores, depth=None, temperature=None, seed=0)
        for each in (of, replace(of, ignore_own=True))
    )
    assert ignoring.metrics == plain.metrics
