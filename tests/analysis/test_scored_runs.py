import numpy as np
import polars as pl
import pytest

from lingmix.analysis.question_scores import with_questions
from lingmix.analysis.scored_runs import RANKING, grid, scored_runs
from lingmix.errors import InputError

RUNS = pl.DataFrame({"run_id": ["a", "b"], "alpha": [0.0, 1.0], "scale": [0, 0], "seed": [1, 1]})
RANKINGS = [
    ("monolingual", "de-de", "de", "q1"),
    ("monolingual", "de-de", "de", "q2"),
    ("monolingual", "en-en", "en", "q1"),
    ("crosslingual", "de-en", "de", "q1"),
]


def table(*scores: float, rankings: list[tuple[str, ...]] = RANKINGS) -> pl.DataFrame:
    return pl.DataFrame(rankings, schema=RANKING, orient="row").with_columns(
        pl.Series("score", scores, dtype=pl.Float32)
    )


def test_ids_that_differ_in_the_language_alone_are_of_one_question() -> None:
    rows = [("en:17", "en"), ("de:17", "de"), ("17-en", "en"), ("17-de", "de"), ("17-es", "en")]
    scores = pl.LazyFrame(rows, schema=["query_id", "query_language"], orient="row").with_columns(
        setting=pl.lit("multilingual"), passage_language=pl.lit(None, pl.String)
    )
    assert with_questions(scores).collect()["question"].to_list() == ["17"] * 4 + ["17-es"]


def test_a_questions_score_is_what_it_adds_to_the_macro_average() -> None:
    """Means .4 of de and .8 of en, macro .6. English has q1 alone, at its mean; German's q1 is .2
    above its mean and counts 2 / (2 x 2): .7 and .5, whose mean is the macro average."""
    scored = scored_runs(RUNS, {"a": table(0.6, 0.2, 0.8, 1), "b": table(0, 0, 0, 0)}.items())
    found = scored.grid("monolingual")
    assert (found.alphas_A, found.questions_Q) == ((0.0, 1.0), ("q1", "q2"))
    assert found.scores_ACSQ[0, 0, 0] == pytest.approx([0.7, 0.5])
    assert found.means[:, 0] == pytest.approx([0.6, 0])


def test_a_question_that_a_setting_lacks_adds_nothing() -> None:
    scored = scored_runs(RUNS, {"a": table(0.6, 0.2, 0.8, 0.3), "b": table(0, 0, 0, 1)}.items())
    assert scored.grid("crosslingual").scores_ACSQ[0, 0, 0] == pytest.approx([0.3, 0.3])
    assert scored.grid("crosslingual", "de-en").questions_Q == ("q1",)
    assert scored.pairs == {"de-de": "monolingual", "de-en": "crosslingual", "en-en": "monolingual"}


def test_scores_in_another_order_are_the_same() -> None:
    shuffled = table(1, 0.8, 0.2, 0.6, rankings=RANKINGS[::-1])
    scored = scored_runs(RUNS, {"a": table(0.6, 0.2, 0.8, 1), "b": shuffled}.items())
    assert np.array_equal(scored.scores_RN[0], scored.scores_RN[1])


def test_runs_scored_on_other_queries_are_refused_by_name() -> None:
    other = table(1, rankings=RANKINGS[:1])
    with pytest.raises(InputError, match="run b: its scores are of other queries"):
        scored_runs(RUNS, {"a": table(0.6, 0.2, 0.8, 1), "b": other}.items())


def test_a_setting_that_no_run_has_and_runs_without_scores_are_refused() -> None:
    scored = scored_runs(RUNS, {"a": table(0.6, 0.2, 0.8, 1)}.items())
    with pytest.raises(InputError, match="no run has multilingual scores"):
        scored.grid("multilingual")
    with pytest.raises(InputError, match="none of the runs"):
        scored_runs(RUNS, {}.items())


def test_a_table_of_several_groups_is_to_be_filtered_first() -> None:
    runs = [
        table(0.6, 0.2, 0.8, 1).with_columns(
            pl.lit("toy").alias("set"), pl.lit(lr).alias("param.lr"), pl.lit(0).alias("scale"),
            pl.lit(0.5).alias("alpha"), pl.lit(1).alias("seed"), pl.lit(lr).alias("run_id"),
        )
        for lr in ("1", "2")
    ]  # fmt: skip
    frame = pl.concat(runs).lazy()
    with pytest.raises(InputError, match=r"param\.lr: the runs differ in it \(1, 2\)"):
        grid(frame, setting="monolingual")
    found = grid(frame.filter(pl.col("param.lr") == "2"), setting="monolingual", pair="en-en")
    assert found.means[0, 0] == pytest.approx(0.8)
