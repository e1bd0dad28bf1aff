"""What a run records of its languages."""

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.items import LanguagePair
from lingmix.data.sources.judgements import Judgement, Passages, Query, judged_set
from lingmix.tracking.languages import query_tokens, read_languages, write_languages

ASKED = {"en:1": "one two three", "de:1": "eins", "en:2": "one", "de:2": "eins zwei", "en:3": "a b"}


def asked(queries: dict[str, str]) -> EvaluationSet:
    """Each question has the English passage of its number."""
    names = sorted({id[3:] for id in queries})
    return judged_set(
        name="toy",
        queries=[Query(id, text, id[:2]) for id, text in queries.items()],
        passages=Passages(ids=names, texts=names, languages=["en"] * len(names)),
        judgements=[Judgement((id,), (id[3:],), 1, "toy") for id in queries],
    )


def words(texts, role):
    """A token a word, after one of the role."""
    return [[0, *range(len(text.split()))] for text in texts]


def test_tokens_are_of_the_questions_that_all_languages_ask():
    """English asks 1 and 2 in 3 and 1 words, German in 1 and 2; 3 is asked in English alone."""
    assert query_tokens(asked(ASKED), words) == {"de": 1.5, "en": 2.0}


def test_no_question_in_all_languages_tells_nothing():
    apart = {id: text for id, text in ASKED.items() if id in ("en:1", "de:2")}
    assert query_tokens(asked(apart), words) == {}


def test_what_is_written_is_read(tmp_path):
    assert read_languages(tmp_path) is None
    write_languages(tmp_path, {LanguagePair("en", "de"): 3}, [asked(ASKED)], words)
    facts = read_languages(tmp_path)
    assert facts.trained_pairs == {"en-de": 3}
    assert facts.query_tokens == {"toy": {"de": 1.5, "en": 2.0}}
