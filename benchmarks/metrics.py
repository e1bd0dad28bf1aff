"""Metrics of 10,000 queries from their 100 best passages.

All sides get the same hits, as each wants them: passages and judgements as arrays (ours), flat
tensors of scores, relevance and query numbers (torchmetrics), dicts by id (pytrec_eval; with and
without the time to build them). Ours includes looking the relevant passages up in the hits. It
computes six figures of every query, the peers the four named below.

Equal to 1e-6, or there is no row: to torchmetrics where every relevant passage is among the hits
and every score is positive, since it counts the others wrongly; to pytrec_eval also where a third
of the relevant passages was not found.
"""

from dataclasses import dataclass

import numpy as np
import pytrec_eval
import torch
from numpy.typing import NDArray
from torchmetrics import MetricCollection
from torchmetrics.retrieval import (
    RetrievalMAP,
    RetrievalMRR,
    RetrievalNormalizedDCG,
    RetrievalRecall,
)

from benchmarks.harness.comparison import Row, Timed, named, timed
from lingmix.evaluation.from_search import found_ranks
from lingmix.evaluation.metrics import Rankings, retrieval_metrics
from lingmix.search.exact import Hits

QUERIES = 10_000
DEPTH = 100
PASSAGES = 1_000_000
MOST_RELEVANT = 11
ROUNDS = 5

FIGURES = ("map", "ndcg_at_10", "recall_at_100", "mrr_at_10")
TREC = {"map": "map", "ndcg_cut_10": "ndcg_at_10", "recall_100": "recall_at_100"}

Run = dict[str, dict[str, float]]
Qrels = dict[str, dict[str, int]]
Means = dict[str, float]


@dataclass(frozen=True)
class HitLists:
    passage_QK: NDArray[np.int64]
    score_QK: NDArray[np.float32]
    query_J: NDArray[np.int64]
    passage_J: NDArray[np.int64]


def made(*, seed: int, missed: float) -> HitLists:
    """1 to 11 relevant passages a query, a share of them not among its hits; no two scores of a
    query are equal, and all are positive."""
    generator = np.random.Generator(np.random.Philox(seed))
    passage_QK = generator.integers(PASSAGES // DEPTH, size=(QUERIES, DEPTH))
    passage_QK = passage_QK * DEPTH + generator.permuted(
        np.tile(np.arange(DEPTH), (QUERIES, 1)), axis=1
    )
    step_QK = np.arange(DEPTH) + generator.uniform(0.1, 0.9, size=(QUERIES, DEPTH))
    count_Q = generator.integers(1, MOST_RELEVANT + 1, size=QUERIES)
    query_J = np.repeat(np.arange(QUERIES), count_Q)
    place_J = np.concatenate([generator.permutation(DEPTH)[:count] for count in count_Q])
    passage_J = passage_QK[query_J, place_J]
    unfound_J = generator.random(len(query_J)) < missed
    passage_J[unfound_J] = PASSAGES + np.flatnonzero(unfound_J)
    return HitLists(passage_QK, (1 - step_QK / 128).astype(np.float32), query_J, passage_J)


def ours(hits: HitLists) -> dict[str, NDArray[np.float64]]:
    rank_J = found_ranks(
        Hits(hits.passage_QK, hits.score_QK), row_J=hits.query_J, passage_J=hits.passage_J
    )
    grade_J = np.ones(len(rank_J), dtype=np.int32)
    return retrieval_metrics(Rankings.of(hits.query_J, rank_J, grade_J, depth=DEPTH))


def by_torchmetrics(
    scores: torch.Tensor, relevant: torch.Tensor, queries: torch.Tensor
) -> dict[str, float]:
    collection = MetricCollection(
        {
            "map": RetrievalMAP(),
            "ndcg_at_10": RetrievalNormalizedDCG(top_k=10),
            "recall_at_100": RetrievalRecall(top_k=100),
            "mrr_at_10": RetrievalMRR(top_k=10),
        }
    )
    collection.update(scores, relevant, indexes=queries)
    return {name: float(figure) for name, figure in collection.compute().items()}


def tensors(hits: HitLists) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    relevant = np.isin(
        hits.passage_QK + np.arange(QUERIES)[:, None] * PASSAGES,
        hits.passage_J + hits.query_J * PASSAGES,
    )
    queries = np.arange(QUERIES).repeat(DEPTH)
    flat = hits.score_QK.reshape(-1), relevant.reshape(-1), queries
    scores, relevance, numbers = map(torch.from_numpy, flat)
    return scores, relevance, numbers


def dicts(hits: HitLists) -> tuple[Qrels, Run]:
    qrels: Qrels = {str(query): {} for query in range(QUERIES)}
    for query, passage in zip(hits.query_J.tolist(), hits.passage_J.tolist(), strict=True):
        qrels[str(query)][str(passage)] = 1
    run = {
        str(query): dict(zip(map(str, passages), scores, strict=True))
        for query, (passages, scores) in enumerate(
            zip(hits.passage_QK.tolist(), hits.score_QK.tolist(), strict=True)
        )
    }
    return qrels, run


def by_pytrec_eval(qrels: Qrels, run: Run) -> dict[str, dict[str, float]]:
    measures = {"map", "ndcg_cut.10", "recall.100", "recip_rank"}
    return pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(run)


def check_torchmetrics(mine: dict[str, NDArray[np.float64]], theirs: Means) -> None:
    for name in FIGURES:
        np.testing.assert_allclose(mine[name].mean(), theirs[name], rtol=0, atol=1e-6)


def check_pytrec_eval(mine: dict[str, NDArray[np.float64]], theirs: dict[str, Means]) -> None:
    def every(measure: str) -> NDArray[np.float64]:
        return np.array([theirs[str(query)][measure] for query in range(QUERIES)])

    for measure, name in TREC.items():
        np.testing.assert_allclose(mine[name], every(measure), rtol=0, atol=1e-6)
    first = every("recip_rank")
    np.testing.assert_allclose(mine["mrr_at_10"], first * (first > 1 / 10.5), rtol=0, atol=1e-6)


def compare() -> list[Row]:
    found, missed = made(seed=0, missed=0), made(seed=1, missed=1 / 3)
    flat, (qrels, run) = tensors(found), dicts(missed)
    found_ours, torchmetrics, missed_ours, built, given = timed(
        {
            "ours, all relevant found": lambda: ours(found),
            "torchmetrics": lambda: by_torchmetrics(*flat),
            "ours, a third not found": lambda: ours(missed),
            "pytrec_eval, dicts built": lambda: by_pytrec_eval(*dicts(missed)),
            "pytrec_eval, dicts given": lambda: by_pytrec_eval(qrels, run),
        },
        rounds=ROUNDS,
    ).values()
    check_torchmetrics(found_ours.outcomes[0], torchmetrics.outcomes[0])
    check_pytrec_eval(missed_ours.outcomes[0], given.outcomes[0])

    def row(case: str, mine: Timed, package: str, peer: Timed) -> Row:
        return Row(
            case=f"{QUERIES:,} queries x top {DEPTH}, {case}",
            ours=mine.median,
            peer=peer.median,
            peer_name=named(package),
            unit="s",
        )

    return [
        row("every relevant passage found", found_ours, "torchmetrics", torchmetrics),
        row("a third not found", missed_ours, "pytrec-eval-terrier", built),
        row("a third not found, its dicts given", missed_ours, "pytrec-eval-terrier", given),
    ]
