"""A metric and a figure of language bias that are added where they are computed, and nowhere else,
are measured, shown and analysed."""

from collections.abc import Iterator

import numpy as np
import polars as pl
import pytest

from lingmix.analysis.page.report import bias_note
from lingmix.analysis.results import in_tables, results_of
from lingmix.evaluation.bias import BIAS, Bias, PooledRanking
from lingmix.evaluation.metric_names import on_test_set
from lingmix.evaluation.metrics import METRICS, Figures, Rankings, Retrieval
from lingmix.evaluation.score_table import score_table
from lingmix.evaluation.scores import SetScores, score
from tests.evaluation.made import MatrixScorer, parallel_set

from .conftest import NO_EVALUATIONS, cell, frame


def success_at_2(rankings: Rankings) -> Figures:
    """1 where a relevant passage is among the first two."""
    return np.minimum(1, rankings.total(rankings.rank_J <= 2))


def first_language_share(pooled: PooledRanking) -> pl.DataFrame:
    """The share of relevant passages in German."""
    german = (pl.col("passage_language") == "de").mean()
    return pooled.relevant.group_by("query").agg(german_share=german)


@pytest.fixture
def scores(monkeypatch: pytest.MonkeyPatch) -> Iterator[SetScores]:
    """Two items in two languages; each query scores its own item's passages 1 and others 0, but
    the last one, for which it is the other way round."""
    monkeypatch.setitem(METRICS, "success_at_2", Retrieval(compute=success_at_2, label="S@2"))
    german = Bias(
        compute=first_language_share, label="German share", note="German share: for this test."
    )
    monkeypatch.setitem(BIAS, "german_share", german)
    evaluation_set = parallel_set(items=2, languages=("de", "en"))
    scores_QP = np.tile(np.eye(2, dtype=np.float32), (2, 2))
    scores_QP[3] = 1 - scores_QP[3]
    yield score(evaluation_set, MatrixScorer(scores_QP), depth=None, temperature=None, seed=0)


def test_a_foreign_metric_is_measured_in_every_setting_and_pair_and_shown(
    scores: SetScores,
) -> None:
    assert scores.metrics["multilingual/success_at_2"] == 3 / 4
    assert scores.metrics["pair/en-de/success_at_2"] == 1  # both passages are among the first two
    assert "success_at_2" in scores.per_query.columns
    header, _, *rows = score_table([scores]).splitlines()
    assert header.split()[-1] == "S@2"
    assert rows[2].split()[-1] == "0.7500"


def test_a_foreign_figure_of_bias_is_measured_shown_and_analysed(scores: SetScores) -> None:
    assert scores.metrics["multilingual/german_share"] == 1 / 2
    assert "German share 0.500" in score_table([scores])
    metrics = {on_test_set("toy", name): value for name, value in scores.metrics.items()}
    tables = in_tables(results_of(frame(cell() | metrics), NO_EVALUATIONS))
    (header,) = [line for line in tables.splitlines() if "German share" in line]
    (row,) = [line for line in tables.splitlines() if line.endswith("| .500 |")]
    assert header.endswith("| German share |")
    assert header.count("|") == row.count("|")
    assert bias_note().endswith("German share: for this test.")
