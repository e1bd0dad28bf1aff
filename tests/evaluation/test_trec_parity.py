"""The evaluator against trec_eval itself, by pytrec_eval and by ir_measures."""

from collections import defaultdict
from typing import Any

import ir_measures
import numpy as np
import pytest
import pytrec_eval

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.evaluation.scores import score
from lingmix.evaluation.tally import Matrix
from tests.evaluation.made import matrix_scores, random_set

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
            qrels[query_id] = {of.passage_ids[p]: grade[q, p] for p in held if (q, p) in grade}
            run[query_id] = {of.passage_ids[p]: float(scores_QP[q, p]) for p in best[:depth]}
    return files


def ours(of: EvaluationSet, scores_QP: Matrix, depth: int | None) -> dict[Ranking, dict[str, Any]]:
    scores = score(of, matrix_scores(scores_QP), depth=depth, temperature=None, seed=0)
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
        judged = {q: of_q for q, of_q in qrels.items() if any(g > 0 for g in of_q.values())}
        for q, values in pytrec_eval.RelevanceEvaluator(judged, set(PYTREC)).evaluate(run).items():
            theirs[setting, q, language] |= {PYTREC[name]: values[name] for name in PYTREC}
        cut = {q: dict(list(scored.items())[:10]) for q, scored in run.items()}
        first = pytrec_eval.RelevanceEvaluator(judged, {"recip_rank"}).evaluate(cut)
        for q, values in first.items():
            theirs[setting, q, language]["mrr_at_10"] = values["recip_rank"]
        names = set(IR_MEASURES) - ({"RR@10"} if decimals < 7 else set())
        metrics = [ir_measures.parse_measure(name) for name in names]
        for value in ir_measures.iter_calc(metrics, judged, run):
            name = IR_MEASURES[str(value.measure)]
            theirs[setting, value.query_id, language][f"{name} by ir_measures"] = value.value
    assert mine.keys() == theirs.keys()
    assert len(mine) > 50
    for ranking, values in theirs.items():
        for name, expected in values.items():
            found = mine[ranking][name.split()[0]]
            assert found == pytest.approx(expected, abs=1e-6), (ranking, name)
