from itertools import product

import polars as pl
import pytest

from lingmix.analysis.predictor_rows import predictor_rows, predictors_said, script

LANGUAGES = ("de", "en", "hi", "ru", "tr", "zh")


def comparisons(gain):
    return [
        {"scale": 100, "pair": f"{q}-{p}", "alpha": 0.5, "against": 1.0, "difference": gain(q, p)}
        for q, p in product(LANGUAGES, LANGUAGES)
    ]


def rows_of(gain, pairs="all"):
    return {row["predictor"]: row for row in predictor_rows(comparisons(gain), pairs, 0.95)}


def test_what_pairs_gain_by_script_and_language_is_told_apart():
    def gain(query, passage):
        latin = {query, passage} <= {"de", "en", "tr"}
        return 0.1 - 0.03 * (query == passage) + 0.02 * (latin or query == passage)

    found = rows_of(gain)
    assert found["one_language"]["effect"] == pytest.approx(-0.03)
    assert found["one_script"]["effect"] == pytest.approx(0.02)
    assert "trained" not in found  # all are
    said = " ".join(predictors_said(pl.DataFrame([*found.values()]), {"alpha": 0.5}, 0.95))
    assert (
        "language pairs of one script gain more than others: +.020 (+.020 to +.020), p below .01"
        in said
    )
    none = predictors_said(pl.DataFrame([*found.values()]), {"alpha": 0.75}, 0.95)
    assert [*none] == []
    of_rival = predictors_said(pl.DataFrame([*found.values()]), {"alpha": 1.0}, 0.95)
    assert [*of_rival]


def test_pairs_that_were_trained_are_those_of_the_param():
    found = rows_of(lambda q, p: 0.05 * (f"{q}-{p}" in ("de-en", "hi-zh")), "[de-en,hi-zh]")
    assert found["trained"]["effect"] == pytest.approx(0.05)
    assert found["one_language"]["effect"] == pytest.approx(0)


def test_scripts_are_those_of_cldr_unless_stated():
    assert [script(code) for code in ("en", "hi", "zh", "zh-Hant", "sr_Latn", "xx1")] == [
        "Latn", "Deva", "Hans", "Hant", "Latn", "xx1",
    ]  # fmt: skip


def test_a_script_that_two_languages_alone_share_is_not_told_from_them():
    """Of German, Hindi, Russian, Turkish and Chinese: what remains without Turkish has none."""
    rows = [row for row in comparisons(lambda q, p: 0.1 * (q == p)) if "en" not in row["pair"]]
    found = {row["predictor"]: row for row in predictor_rows(rows, "all", 0.95)}
    assert {*found} == {"one_language"}
    assert found["one_language"]["effect"] == pytest.approx(0.1)
