from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.evaluation.lexical import Method, bm25_scorer, evaluate_lexical, tfidf_scorer, words
from lingmix.evaluation.pools import Scorer
from tests.evaluation.xquad_r import xquad_r

QUERIES = ("where does the river rise", "wo entspringt der Fluss", "แม่น้ำเริ่มที่ไหน")
PASSAGES = {
    "en": ("the river rises in the hills", "a bank lends money", "the hills are high"),
    "de": (
        "der Fluss entspringt im Gebirge",
        "eine Bank am Fluss verleiht Geld",
        "Berge sind hoch",
    ),
    "th": ("แม่น้ำเริ่มจากภูเขา", "ธนาคารให้กู้เงิน", "ภูเขาสูง"),
}


def river(*languages: str) -> EvaluationSet:
    passages = [(of, n, text) for of in languages for n, text in enumerate(PASSAGES[of])]
    return EvaluationSet(
        name="river",
        query_ids=("en", "de", "th"),
        queries=QUERIES,
        query_languages=("en", "de", "th"),
        passage_ids=tuple(f"{of}{n}" for of, n, _ in passages),
        passages=tuple(text for *_, text in passages),
        passage_languages=tuple(of for of, *_ in passages),
        query_J=np.repeat(np.arange(3, dtype=np.int32), len(languages)),
        passage_J=np.tile(np.arange(0, len(passages), 3, dtype=np.int32), 3),
        grade_J=np.ones(3 * len(languages), dtype=np.int32),
    )


def test_words_are_lower_cased_without_punctuation() -> None:
    assert words("Wo liegt Köln? Am Rhein!") == ["wo", "liegt", "köln", "am", "rhein"]
    assert words("हिन्दी में") == ["हिन्दी", "में"]


def test_scripts_without_spaces_are_taken_by_pairs_of_characters() -> None:
    assert words("東京都 in 2020年") == ["東京", "京都", "in", "2020", "年"]
    assert words("ภูเขา") == ["ภู", "ูเ", "เข", "ขา"]


@pytest.mark.parametrize("method", ["bm25", "tfidf"])
def test_a_passage_that_shares_words_with_the_query_comes_first(method: Method) -> None:
    (scores,) = evaluate_lexical([river("en", "de", "th")], method=method, depth=None)
    for of in ("en", "de", "th"):
        assert scores.metrics[f"pair/{of}-{of}/mrr_at_10"] == 1
    assert "contrastive_entropy" not in scores.metrics


@pytest.mark.parametrize("scorer_of", [bm25_scorer, tfidf_scorer])
def test_the_statistics_of_a_corpus_are_those_of_its_language_alone(
    scorer_of: Callable[[EvaluationSet], Scorer],
) -> None:
    german = np.array([1])
    alone = scorer_of(river("de")).over(np.arange(3)).scores(german, np.arange(3))[0]
    four = scorer_of(river("en", "de", "th")).over(np.array([5, 3, 4, 0]))
    beside = four.scores(german, np.arange(4))[0]
    assert alone[0] > alone[1] > 0
    assert beside[:3] / beside[1] == pytest.approx(alone[[2, 0, 1]] / alone[0])


def test_bm25_is_its_formula() -> None:
    """Lucene's: idf * tf / (tf + k1 * (1 - b + b * length / mean length)), k1 1.5, b 0.75."""
    pool = bm25_scorer(river("en")).over(np.arange(3))
    scores = pool.scores(np.array([0]), np.arange(3))[0]

    def term(holding: int, times: int, length: int) -> float:
        idf = np.log(1 + (3 - holding + 0.5) / (holding + 0.5))
        return idf * times / (times + 1.5 * (0.25 + 0.75 * length / (14 / 3)))

    assert scores == pytest.approx([term(2, 2, 6) + term(1, 1, 6), 0, term(2, 1, 4)], rel=1e-5)


def test_character_tfidf_reaches_its_known_figures_on_xquad_r() -> None:
    (scores,) = evaluate_lexical([xquad_r()], method="tfidf", depth=None)
    same_language = [scores.metrics[f"pair/{of}-{of}/mrr_at_10"] for of in xquad_r().languages]
    assert len(same_language) == 11
    assert min(same_language) > 0.69
    assert max(same_language) < 0.80
    assert scores.metrics["multilingual/same_language_excess"] > 0.75


@pytest.mark.parametrize("method", ["bm25", "tfidf"])
def test_a_corpus_without_a_word_scores_nothing(method: Method) -> None:
    of = river("en", "de")
    blank = [
        "" if language == "de" else text
        for language, text in zip(of.passage_languages, of.passages, strict=True)
    ]
    (scores,) = evaluate_lexical([replace(of, passages=blank)], method=method, depth=None)
    assert scores.metrics["pair/en-en/mrr_at_10"] == 1
    (scores,) = evaluate_lexical([replace(of, passages=[""] * 6)], method=method, depth=None)
    assert scores.metrics["multilingual/share_gap"] < 1


@pytest.mark.parametrize("method", ["bm25", "tfidf"])
def test_a_judged_query_that_nothing_answers_counts_0_in_the_mean(method: Method) -> None:
    """Of the three queries on English passages only the English one finds its answer."""
    of = river("en")
    of = replace(of, grade_J=np.array([1, 0, 0], dtype=np.int32))
    (scores,) = evaluate_lexical([of], method=method, depth=None)
    assert scores.metrics["pair/en-en/map"] == 1
    assert scores.metrics["crosslingual/map"] == 0
    assert scores.metrics["multilingual/map"] == 1 / 3
    assert scores.metrics["multilingual/map_answerable"] == 1
    assert scores.metrics["multilingual/without_relevant"] == 2
