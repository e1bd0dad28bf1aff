"""The evaluator against trec_eval itself, by pytrec_eval and by ir_measures."""

from collections import defaultdict
from typing import Any

import ir_measures
import numpy as np
import pytest
import pytrec_eval

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.evaluation.pools import Matrix
from lingmix.evaluation.scores import score
from tests.evaluation.made import MatrixScorer, random_set

PYTREC = {
    "map": "map",
    "ndcg_cut_10": "ndcg_at_10",
    "recall_1": "recall_at_1",
    "recall_10": "recall_at_10",
    "recall_100": "recall_at_100",
}
# Its RR@10 is the MS MARCO script's, which orders equal scores the other way round.
IR_MEASURES = {
    "AP": "map",
    "nDCG@10": "ndcg_at_10",
    "R@1": "recall_at_1",
    "R@10": "recall_at_10",
    "R@100": "recall_at_100",
    "RR@10": "mrr_at_10",
}

Run = dict[str, dict[str, float]]
Qrels = dict[str, dict[str, int]]
Ranking = tuple[str, str, str | None]


def trec_files(
    of: EvaluationSet, scores_QP: Matrix, depth: int | None
) -> dict[tuple[str, str | None], tuple[Qrels, Run]]:
    """By setting and passage language, straight from the definition of the settings."""
    files: dict[tuple[str, str | None], tuple[Qrels, Run]] = defaultdict(lambda: ({}, {}))
    grade = {
        (int(q), int(p)): int(g)
        for q, p, g in zip(of.query_J, of.passage_J, of.grade_J, strict=True)
    }
    for q, (query_id, own) in enumerate(zip(of.query_ids, of.query_languages, strict=True)):
        corpora: dict[tuple[str, str | None], list[int]] = defaultdict(list)
        for p, language in enumerate(of.passage_languages):
            if own == language and of.other_languages_only:
                continue
            corpora["monolingual" if own == language else "crosslingual", language].append(p)
            corpora["multilingual", None].append(p)
        for corpus, held in corpora.items():
            best = sorted(held, key=lambda p: (scores_QP[q, p], of.passage_ids[p]), reverse=True)
            qrels, run = files[corpus]
            if judged := {of.passage_ids[p]: grade[q, p] for p in held if (q, p) in grade}:
                qrels[query_id] = judged
            run[query_id] = {of.passage_ids[p]: float(scores_QP[q, p]) for p in best[:depth]}
    return files


def ours(of: EvaluationSet, scores_QP: Matrix, depth: int | None) -> dict[Ranking, dict[str, Any]]:
    scores = score(of, MatrixScorer(scores_QP), depth=depth, temperature=None, seed=0)
    return {
        (row["setting"], row["query_id"], row["passage_language"]): row
        for row in scores.per_query.iter_rows(named=True)
    }


@pytest.mark.parametrize("other_languages_only", [False, True])
@pytest.mark.parametrize("depth", [None, 7])
@pytest.mark.parametrize("decimals", [0, 1, 7])
def test_every_ranking_scores_as_trec_eval_scores_it(
    decimals: int, depth: int | None, *, other_languages_only: bool
) -> None:
    rng = np.random.default_rng(decimals)
    of = random_set(rng, queries=40, passages=150, other_languages_only=other_languages_only)
    scores_QP = rng.standard_normal((40, 150)).round(decimals).astype(np.float32)
    mine = ours(of, scores_QP, depth)
    theirs: dict[Ranking, dict[str, float]] = defaultdict(dict)
    for (setting, language), (qrels, run) in trec_files(of, scores_QP, depth).items():
        for q, values in pytrec_eval.RelevanceEvaluator(qrels, set(PYTREC)).evaluate(run).items():
            theirs[setting, q, language] |= {PYTREC[name]: values[name] for name in PYTREC}
        cut = {q: dict(list(scored.items())[:10]) for q, scored in run.items()}
        first = pytrec_eval.RelevanceEvaluator(qrels, {"recip_rank"}).evaluate(cut)
        for q, values in first.items():
            theirs[setting, q, language]["mrr_at_10"] = values["recip_rank"]
        names = set(IR_MEASURES) - ({"RR@10"} if decimals < 7 else set())
        metrics = [ir_measures.parse_measure(name) for name in names]
        for value in ir_measures.iter_calc(metrics, qrels, run):
            name = IR_MEASURES[str(value.measure)]
            theirs[setting, value.query_id, language][f"{name} by ir_measures"] = value.value
    assert mine.keys() == theirs.keys()
    assert len(mine) > 70
    assert 5 < sum(not row["relevant"] for row in mine.values()) < len(mine) - 50
    for ranking, values in theirs.items():
        for name, expected in values.items():
            found = mine[ranking][name.split()[0]]
            assert found == pytest.approx(expected, abs=1e-6), (ranking, name)


@pytest.mark.parametrize("other_languages_only", [False, True])
def test_the_means_are_trec_evals_over_the_judged_queries_of_a_setting(
    *, other_languages_only: bool
) -> None:
    """Macro over query languages and language pairs, each corpus averaged by ir_measures, which
    divides by the queries of its qrels."""
    rng = np.random.default_rng(5)
    of = random_set(rng, queries=60, passages=150, other_languages_only=other_languages_only)
    scores_QP = rng.standard_normal((60, 150)).astype(np.float32)
    metrics = score(of, MatrixScorer(scores_QP), depth=None, temperature=None, seed=0).metrics
    language_of = dict(zip(of.query_ids, of.query_languages, strict=True))
    measures = {ir_measures.parse_measure(name): ours for name, ours in IR_MEASURES.items()}
    means: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for (setting, language), (qrels, run) in trec_files(of, scores_QP, None).items():
        for asked in sorted({language_of[q] for q in qrels}):
            own = {q: grades for q, grades in qrels.items() if language_of[q] == asked}
            of_pair = ir_measures.calc_aggregate(measures, own, run)
            for measure, value in of_pair.items():
                means[setting][measures[measure]].append(value)
                if language:
                    found = metrics[f"pair/{asked}-{language}/{measures[measure]}"]
                    assert found == pytest.approx(value, abs=1e-6)
    assert set(means) == {"crosslingual", "multilingual"} | (
        set() if other_languages_only else {"monolingual"}
    )
    for setting, by_name in means.items():
        assert metrics[f"{setting}/without_relevant"] > 0
        for name, values in by_name.items():
            expected = np.mean(values)
            assert metrics[f"{setting}/{name}"] == pytest.approx(expected, abs=1e-6)
            assert metrics[f"{setting}/{name}_answerable"] > expected
