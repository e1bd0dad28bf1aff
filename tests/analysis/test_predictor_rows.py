from itertools import product

import numpy as np
import polars as pl
import pytest

from lingmix.analysis.predictor_rows import (
    Known,
    known_of,
    predictor_rows,
    predictors_not_found,
    predictors_said,
    script,
)
from lingmix.tracking.languages import LanguageFacts

LANGUAGES = ("de", "en", "hi", "ru", "tr", "zh")


def comparisons(gain):
    return [
        {"scale": 100, "pair": f"{q}-{p}", "alpha": 0.5, "against": 1.0, "difference": gain(q, p)}
        for q, p in product(LANGUAGES, LANGUAGES)
    ]


def rows_of(gain, pairs="all", facts=None):
    known = known_of(pairs, facts, "toy")
    return {row["predictor"]: row for row in predictor_rows(comparisons(gain), known, 0.95)}


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
    found = {row["predictor"]: row for row in predictor_rows(rows, Known(None), 0.95)}
    assert found["one_language"]["effect"] == pytest.approx(0.1)
    assert found["one_script"]["effect"] is found["one_script"]["p"] is None
    [said] = predictors_not_found(pl.DataFrame([*found.values()]), {"alpha": 0.5})
    assert said.startswith("Whether language pairs of one script gain more or less cannot be told")


TOKENS = {"de": 12.0, "en": 10.0, "hi": 20.0, "ru": 14.0, "tr": 16.0, "zh": 11.0}
COUNTS = {"de-de": 7, "en-en": 100, "hi-hi": 25, "ru-ru": 30, "tr-tr": 3, "zh-zh": 50, "de-en": 5}


def test_what_pairs_gain_by_tokens_is_told_for_twice_as_many():
    """A pair has the mean of its languages: English and Hindi as one language of 10 sqrt(2)."""
    few = LanguageFacts({}, {"toy": TOKENS})
    found = rows_of(lambda q, p: -0.04 * (np.log2(TOKENS[q]) + np.log2(TOKENS[p])) / 2, facts=few)
    assert found["fertility"]["effect"] == pytest.approx(-0.04)
    assert found["one_language"]["effect"] == pytest.approx(0)
    assert "resource" not in found
    assert "fertility" not in rows_of(lambda q, p: 0.0, facts=LanguageFacts({}, {"other": TOKENS}))


def test_a_language_has_all_pairs_that_it_is_in_and_six_tell_no_fifth_predictor():
    facts = LanguageFacts(COUNTS, {"toy": TOKENS})
    known = known_of("all", facts, "toy")
    assert (known.pairs["de"], known.pairs["en"], known.pairs["hi"]) == (12, 105, 25)
    found = rows_of(lambda q, p: np.log2(known.pairs[q] * known.pairs[p]), facts=facts)
    assert found["fertility"]["p"] is not None
    assert found["resource"]["p"] is not None
    found = rows_of(lambda q, p: 0.0, "[de-en,hi-zh,tr-tr]", facts)
    assert found["resource"]["p"] is None


def test_resource_is_unknown_where_a_language_was_not_trained():
    assert "resource" not in rows_of(lambda q, p: 0.0, facts=LanguageFacts({"de-en": 5}, {}))
