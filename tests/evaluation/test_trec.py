from dataclasses import replace
from pathlib import Path

import ir_measures
import numpy as np
import pytest
import pytrec_eval

from lingmix.errors import InputError
from lingmix.evaluation import pools, trec
from lingmix.evaluation.dense import DenseScorer
from lingmix.evaluation.lexical import tfidf_scorer
from lingmix.evaluation.scores import score
from lingmix.evaluation.trec import write_trec
from tests.evaluation.made import MatrixScorer, parallel_set, random_set, unit
from tests.evaluation.xquad_r import xquad_r


@pytest.mark.parametrize("other_languages_only", [False, True])
@pytest.mark.parametrize("depth", [None, 6])
def test_trec_eval_reads_the_files_and_finds_our_figures(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    depth: int | None,
    *,
    other_languages_only: bool,
) -> None:
    for module in (pools, trec):
        monkeypatch.setattr(module, "CHUNK_SCORES", 7 * 120)
    rng = np.random.default_rng(0)
    of = random_set(rng, queries=40, passages=120, other_languages_only=other_languages_only)
    scores = MatrixScorer(rng.standard_normal((40, 120)).round(1).astype(np.float32))
    write_trec(of, scores, depth=depth, folder=tmp_path)
    ours = score(of, scores, depth=depth, temperature=None, seed=0).per_query
    theirs = {file.stem: judged(file.with_suffix("")) for file in tmp_path.glob("*.qrels")}
    assert sum(map(len, theirs.values())) == len(ours) > 90
    assert len(ours.filter(relevant=0)) > 10
    for row in ours.iter_rows(named=True):
        name = row["setting"]
        if name == "crosslingual":
            name += f"-{row['passage_language']}"
        values = theirs[name][row["query_id"]]
        assert row["map"] == pytest.approx(values["map"], abs=1e-6)
        assert row["ndcg_at_10"] == pytest.approx(values["ndcg_cut_10"], abs=1e-6)
        assert row["recall_at_10"] == pytest.approx(values["recall_10"], abs=1e-6)


def judged(files: Path) -> dict[str, dict[str, float]]:
    """By pytrec_eval, of a .qrels and a .run file."""
    with (
        files.with_suffix(".qrels").open() as qrels,
        files.with_suffix(".run").open() as run,
    ):
        judge = pytrec_eval.RelevanceEvaluator(
            pytrec_eval.parse_qrel(qrels), {"map", "ndcg_cut_10", "recall_10"}
        )
        return judge.evaluate(pytrec_eval.parse_run(run))


def test_a_run_lists_the_best_passages_in_order_and_equal_ones_by_id_descending(
    tmp_path: Path,
) -> None:
    of = parallel_set(items=2, languages=("de", "en"))
    scores_QP = np.tile(np.array([0.5, 0.25, 0.5, 0.5], dtype=np.float32), (4, 1))
    files = write_trec(of, MatrixScorer(scores_QP), depth=3, folder=tmp_path)
    assert [file.name for file in files] == [
        "crosslingual-de.qrels",
        "crosslingual-de.run",
        "crosslingual-en.qrels",
        "crosslingual-en.run",
        "monolingual.qrels",
        "monolingual.run",
        "multilingual.qrels",
        "multilingual.run",
    ]
    assert sorted(tmp_path.iterdir()) == files
    assert (tmp_path / "multilingual.run").read_text().splitlines()[:3] == [
        "q0-de Q0 p1-en 1 0.5 lingmix",
        "q0-de Q0 p0-en 2 0.5 lingmix",
        "q0-de Q0 p0-de 3 0.5 lingmix",
    ]
    assert (tmp_path / "monolingual.run").read_text().splitlines()[:2] == [
        "q0-de Q0 p0-de 1 0.5 lingmix",
        "q0-de Q0 p1-de 2 0.25 lingmix",
    ]
    assert (tmp_path / "crosslingual-en.qrels").read_text() == "q0-de 0 p0-en 1\nq1-de 0 p1-en 1\n"


def test_an_id_that_a_trec_file_cannot_carry_is_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    of = replace(parallel_set(items=1, languages=("de", "en")), passage_ids=("p 0", "p1"))
    with pytest.raises(InputError, match="id 'p 0' is empty or holds a blank"):
        scores = MatrixScorer(np.ones((2, 2), dtype=np.float32))
        write_trec(of, scores, depth=None, folder=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_query_scores_the_same_alone_and_in_company() -> None:
    rng = np.random.default_rng(0)
    of = random_set(rng, queries=40, passages=300)
    queries, passages = unit(rng.standard_normal((40, 384))), unit(rng.standard_normal((300, 384)))
    pool = DenseScorer(of, queries, passages).over(np.arange(300))
    together = pool.scores(np.arange(40), np.arange(300))
    for query in range(40):
        assert (pool.scores(np.array([query]), np.arange(300))[0] == together[query]).all()


PYTREC = {"map": "map", "ndcg_at_10": "ndcg_cut_10", "recall_at_100": "recall_100"}
IR_MEASURES = {"map": "AP", "ndcg_at_10": "nDCG@10", "recall_at_100": "R@100"}


def test_run_files_of_xquad_r_score_as_our_metrics_in_every_setting(tmp_path: Path) -> None:
    of = xquad_r().within(["en", "th", "zh"])
    scores = tfidf_scorer(of)
    write_trec(of, scores, depth=100, folder=tmp_path)
    ours = score(of, scores, depth=100, temperature=None, seed=0).per_query
    for name in ("monolingual", "multilingual", *(f"crosslingual-{x}" for x in of.languages)):
        setting, _, language = name.partition("-")
        rows = ours.filter(setting=setting, **({"passage_language": language} if language else {}))
        with (tmp_path / f"{name}.qrels").open() as qrels, (tmp_path / f"{name}.run").open() as run:
            judge = pytrec_eval.RelevanceEvaluator(
                pytrec_eval.parse_qrel(qrels), {*PYTREC.values()}
            )
            trec = judge.evaluate(pytrec_eval.parse_run(run))
        measures = [ir_measures.parse_measure(one) for one in IR_MEASURES.values()]
        told = ir_measures.iter_calc(
            measures,
            ir_measures.read_trec_qrels(str(tmp_path / f"{name}.qrels")),
            ir_measures.read_trec_run(str(tmp_path / f"{name}.run")),
        )
        by_ir_measures = {(one.query_id, str(one.measure)): one.value for one in told}
        assert len(rows) == len(trec) > 1000
        for row in rows.iter_rows(named=True):
            query = row["query_id"]
            for metric, value in ((metric, row[metric]) for metric in PYTREC):
                assert value == pytest.approx(trec[query][PYTREC[metric]], abs=1e-6)
                expected = by_ir_measures[query, IR_MEASURES[metric]]
                assert value == pytest.approx(expected, abs=1e-6)
