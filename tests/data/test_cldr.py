import re
import string
import subprocess
import sys
import tomllib
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple, get_args

import numpy as np
import pytest

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.sources.cldr import Split, cldr_evaluation_set, read_cldr
from lingmix.data.sources.cldr_facts import LANGUAGES, RELATIONS, all_facts
from lingmix.errors import InputError
from lingmix.leakage.equal import equal_texts
from tests.columns import columns_of

DOMAINS = ("geography", "currency")
ROLES = ("queries", "passages")
PHRASINGS = tomllib.loads(
    files("lingmix.data.sources").joinpath("cldr_phrases.toml").read_text("utf-8")
)


class Text(NamedTuple):
    fact: str
    language: str
    role: str
    text: str

    @property
    def relation(self) -> str:
        return self.fact.partition("/")[0]


@cache
def training_texts() -> list[Text]:
    return [
        Text(item.id, language, role, text)
        for item in read_cldr(languages=LANGUAGES, domains=DOMAINS)
        for role, by_language in zip(ROLES, (item.queries, item.passages), strict=True)
        for language, texts in by_language.items()
        for text in texts
    ]


def held_out_sets(languages: Sequence[str], domains: Sequence[str]) -> list[EvaluationSet]:
    return [
        cldr_evaluation_set(name=split, languages=languages, domains=domains, split=split)
        for split in get_args(Split)
    ]


@cache
def held_out_texts() -> list[Text]:
    return [
        Text(text_id.partition(":")[2], language, role, text)
        for held_out in held_out_sets(LANGUAGES, DOMAINS)
        for role, ids, languages, texts in (
            ("queries", held_out.query_ids, held_out.query_languages, held_out.queries),
            ("passages", held_out.passage_ids, held_out.passage_languages, held_out.passages),
        )
        for text_id, language, text in zip(ids, languages, texts, strict=True)
    ]


def normalised(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def passage(fact: str, language: str) -> str:
    return next(
        text.text
        for text in training_texts() + held_out_texts()
        if (text.fact, text.language, text.role) == (fact, language, "passages")
    )


@pytest.mark.parametrize(
    ("domain", "least_trained", "least_held_out"),
    [("geography", 800, 250), ("currency", 500, 150)],
)
def test_each_domain_has_enough_facts_and_about_a_quarter_is_held_out(
    domain: str, least_trained: int, least_held_out: int
) -> None:
    trained = len(read_cldr(languages=["en"], domains=[domain]))
    development, test = (len(one.queries) for one in held_out_sets(["en"], [domain]))
    held_out = development + test
    assert 0.15 < development / held_out < 0.35
    assert trained >= least_trained
    assert held_out >= least_held_out
    assert 0.2 < held_out / (trained + held_out) < 0.3


def test_every_item_has_one_query_and_one_passage_in_every_language_asked_for() -> None:
    asked = ["th", "en", "ar"]
    items = read_cldr(languages=asked, domains=DOMAINS)
    assert len({item.id for item in items}) == len(items)
    for item in items:
        assert list(item.queries) == list(item.passages) == asked
        assert {len(texts) for texts in (*item.queries.values(), *item.passages.values())} == {1}
        assert item.domain in DOMAINS


def test_a_text_does_not_depend_on_which_other_languages_or_domains_are_asked_for() -> None:
    alone = {item.id: item for item in read_cldr(languages=["hi"], domains=["currency"])}
    among = [item for item in read_cldr(languages=LANGUAGES, domains=DOMAINS) if item.id in alone]
    assert len(among) == len(alone)
    for item in among:
        assert item.queries["hi"] == alone[item.id].queries["hi"]
        assert item.passages["hi"] == alone[item.id].passages["hi"]


def test_no_held_out_text_is_trained_on() -> None:
    trained = {normalised(text.text) for text in training_texts()}
    assert trained.isdisjoint(normalised(text.text) for text in held_out_texts())
    items = read_cldr(languages=LANGUAGES, domains=DOMAINS)
    held_out = held_out_sets(LANGUAGES, DOMAINS)
    assert equal_texts(columns_of(items), items=None, evaluation_sets=held_out) == []


def test_no_fact_is_both_for_development_and_for_the_test() -> None:
    development, test = held_out_sets(["en"], DOMAINS)
    assert set(development.query_ids).isdisjoint(test.query_ids)


@pytest.mark.parametrize("role", ROLES)
def test_no_two_facts_share_a_text_in_a_language(role: str) -> None:
    counts = Counter(
        (text.language, normalised(text.text))
        for text in training_texts() + held_out_texts()
        if text.role == role
    )
    assert [text for text, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("language", ["en", "hi"])
def test_every_name_a_held_out_query_asks_about_is_trained_on_in_another_fact(
    language: str,
) -> None:
    trained = {
        (slot, fact.names[language][slot])
        for fact in all_facts()
        if not fact.held_out
        for slot in (fact.relation.about, fact.relation.answer)
    }
    for fact in all_facts():
        if fact.held_out:
            assert (fact.relation.about, fact.names[language][fact.relation.about]) in trained


@pytest.mark.parametrize(
    ("fact", "language", "told"),
    [
        ("currency-now/DE", "de", ("Deutschland", "Euro")),
        ("currency-before/DE", "de", ("Deutschland", "Deutsche Mark")),
        ("currency-before/DE", "en", ("Germany", "German Mark")),
        ("currency-since/DE", "ru", ("Германия", "1999")),
        ("currency-now/JP", "es", ("Japón", "yen")),
        ("currency-now/JP", "zh", ("日本", "日元")),
        ("currency-code/JPY", "th", ("เยนญี่ปุ่น", "JPY")),
        ("official-language/BR", "el", ("Βραζιλία", "Πορτογαλικά")),
        ("main-language/CH", "tr", ("İsviçre", "Almanca")),
        ("time-zone/FR", "en", ("France", "Central European Standard Time")),
        ("clock-place/AT", "de", ("Österreich", "Wien")),
        ("clock-place/VN", "vi", ("Việt Nam", "TP Hồ Chí Minh")),
        ("place-territory/America/New_York", "hi", ("न्यूयॉर्क", "संयुक्त राज्य")),
        ("place-zone/America/New_York", "en", ("New York", "Eastern Standard Time")),
        ("language-script/ru", "ar", ("الروسية", "السيريلية")),
        ("language-territory/pa", "en", ("Punjabi", "India")),
    ],
)
def test_a_known_fact_is_told(fact: str, language: str, told: tuple[str, str]) -> None:
    for name in told:
        assert name in passage(fact, language)


def test_a_territory_with_several_present_currencies_has_no_present_currency_fact() -> None:
    facts = {text.fact for text in training_texts() + held_out_texts()}
    assert "currency-now/SV" in facts
    assert facts.isdisjoint({"currency-now/PA", "currency-since/PA", "currency-before/PA"})


def test_the_only_place_of_a_territory_is_told_of_once() -> None:
    facts = {text.fact for text in training_texts() + held_out_texts()}
    assert "clock-place/VN" in facts
    assert facts.isdisjoint({"place-territory/Asia/Ho_Chi_Minh", "clock-place/US"})


def test_every_relation_has_three_phrasings_in_every_language_with_the_right_slots() -> None:
    assert set(PHRASINGS) == set(LANGUAGES)
    for relations in PHRASINGS.values():
        assert set(relations) == {relation.name for relation in RELATIONS}
        for relation in RELATIONS:
            expected = {"queries": {relation.about}, "passages": {relation.about, relation.answer}}
            for role, slots in expected.items():
                sentences = relations[relation.name][role]
                assert len(set(sentences)) >= 3
                for sentence in sentences:
                    found = [slot for _, slot, _, _ in string.Formatter().parse(sentence) if slot]
                    assert sorted(found) == sorted(slots), sentence


def test_every_phrasing_is_used() -> None:
    made = defaultdict(list)
    for text in training_texts() + held_out_texts():
        made[text.language, text.relation, text.role].append(text.text)
    for (language, relation, role), texts in made.items():
        for sentence in PHRASINGS[language][relation][role]:
            pattern = re.compile(re.sub(r"\\\{\w+\\\}", ".+", re.escape(sentence)))
            assert any(pattern.fullmatch(text) for text in texts), sentence


def test_texts_are_clean_and_native() -> None:
    for text in training_texts() + held_out_texts():
        assert not re.search(r"[{}\n\t↑]|  |None", text.text), text
        assert text.text == text.text.strip()
        if text.language in {"ar", "el", "hi", "ru", "th", "zh"}:
            code = r"[A-Z]{3}" if text.relation == "currency-code" else r"$^"
            assert not re.search(r"[A-Za-z]", re.sub(code, "", text.text, count=1)), text


def test_a_query_asks_and_a_passage_states_in_the_languages_own_punctuation() -> None:
    question_marks = {"ar": "؟", "el": ";", "zh": "？", "th": ""}
    full_stops = {"hi": "।", "zh": "。", "th": ""}
    for text in training_texts() + held_out_texts():
        ends, other = (question_marks, "?") if text.role == "queries" else (full_stops, ".")
        assert text.text.endswith(ends.get(text.language, other)), text
        assert (text.language == "es" and text.role == "queries") == ("¿" in text.text), text


def test_relevant_to_a_query_is_its_own_fact_in_every_language() -> None:
    (_, held_out) = held_out_sets(["de", "ar", "vi"], ["currency"])
    facts = {text_id.partition(":")[2] for text_id in held_out.query_ids}
    judged = {
        (held_out.query_ids[query], held_out.passage_ids[passage])
        for query, passage in zip(held_out.query_J, held_out.passage_J, strict=True)
    }
    assert judged == {
        (f"{asked}:{fact}", f"{told}:{fact}")
        for fact in facts
        for asked in ("de", "ar", "vi")
        for told in ("de", "ar", "vi")
    }
    assert len(held_out.query_J) == len(judged) == 9 * len(facts)
    assert held_out.query_J.dtype == held_out.passage_J.dtype == held_out.grade_J.dtype == np.int32
    assert set(held_out.grade_J.tolist()) == {1}
    for text_id, language in zip(held_out.passage_ids, held_out.passage_languages, strict=True):
        assert text_id.startswith(f"{language}:")


def test_the_texts_are_the_same_in_every_process() -> None:
    script = (
        "from hashlib import sha256\n"
        "from lingmix.data.sources.cldr import cldr_evaluation_set, read_cldr\n"
        "asked = {'languages': ['en', 'th'], 'domains': ['geography', 'currency']}\n"
        "held_out = cldr_evaluation_set(name='x', split='test', **asked)\n"
        "made = (read_cldr(**asked), held_out.query_ids, held_out.queries, held_out.passages)\n"
        "print(sha256(repr(made).encode()).hexdigest())\n"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("languages", "domains", "wrong", "known"),
    [
        (["en", "fr"], ["geography"], "language 'fr'", "ar, de, el, en"),
        (["en"], ["medicine"], "domain 'medicine'", "geography, currency"),
    ],
)
def test_an_unknown_language_or_domain_is_named_with_the_known_ones(
    languages: list[str], domains: list[str], wrong: str, known: str
) -> None:
    for read in (read_cldr, lambda **asked: cldr_evaluation_set(name="x", split="test", **asked)):
        with pytest.raises(InputError) as raised:
            read(languages=languages, domains=domains)
        assert wrong in str(raised.value)
        assert known in str(raised.value)
        assert "\n" not in str(raised.value)
