import json
from pathlib import Path
from typing import Any

import pytest

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.sources.belebele import read_belebele
from lingmix.errors import InputError
from tests.data.sources.published import hub_put, judged

REVISION = "75b399394a9803252cfec289d103de462763db7c"
HAND = "https://en.wikibooks.org/wiki/Accordion/Right_hand"
ICE = "https://en.wikinews.org/wiki/Ice"


def row(code: str, link: str, number: int, passage: str, question: str) -> dict[str, Any]:
    return {
        "link": link,
        "question_number": number,
        "flores_passage": passage,
        "question": question,
        "mc_answer1": "one",
        "mc_answer2": "two",
        "mc_answer3": "three",
        "mc_answer4": "four",
        "correct_answer_num": "1",
        "dialect": code,
        "ds": "2023-05-03",
    }


ROWS = {
    "eng_Latn": [
        row("eng_Latn", HAND, 1, "Relax your hand.", "What to relax?"),
        row("eng_Latn", HAND, 2, "Relax your hand.", "Why?"),
        row("eng_Latn", ICE, 1, "Ice is cold.", "What is cold?"),
    ],
    "deu_Latn": [
        row("deu_Latn", ICE, 1, "Eis ist kalt.", "Was ist kalt?"),
        row("deu_Latn", HAND, 1, "Die Hand entspannen.", "Was entspannen?"),
        row("deu_Latn", HAND, 2, "Die Hand entspannen.", "Warum?"),
    ],
}
LANGUAGES = {"en": "eng_Latn", "de": "deu_Latn"}


def read(hub: Path, **changed: list[dict[str, Any]]) -> EvaluationSet:
    for code, rows in (ROWS | changed).items():
        lines = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows)
        hub_put(hub, "facebook/belebele", REVISION, f"data/{code}.jsonl", lines)
    return read_belebele(
        name="belebele", repo="facebook/belebele", revision=REVISION, languages=LANGUAGES
    )


def test_each_query_has_its_passage_in_every_language(hub: Path) -> None:
    one = read(hub)
    assert one.passages == (
        "Relax your hand.",
        "Ice is cold.",
        "Eis ist kalt.",
        "Die Hand entspannen.",
    )
    assert one.passage_languages == ("en", "en", "de", "de")
    assert one.queries[:2] == ("What to relax?", "Why?")
    assert one.query_languages == ("en",) * 3 + ("de",) * 3
    assert judged(one) == {
        (f"{asked}:{link}#{number}", f"{language}:{link}", 1)
        for link, number in ((HAND, 1), (HAND, 2), (ICE, 1))
        for asked in LANGUAGES
        for language in LANGUAGES
    }


def test_a_link_has_one_passage_in_a_language(hub: Path) -> None:
    other = row("deu_Latn", ICE, 2, "Eis ist nass.", "Was ist nass?")
    with pytest.raises(InputError, match=rf"deu_Latn.jsonl:4: link '{ICE}' has another passage"):
        read(hub, deu_Latn=[*ROWS["deu_Latn"], other])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"question": " "}, r"deu_Latn.jsonl:1: field 'question' must be a non-empty text"),
        ({"flores_passage": None}, r"deu_Latn.jsonl:1: field 'flores_passage' is missing"),
        ({"question_number": 1.5}, r"deu_Latn.jsonl:1: field 'question_number' must be"),
    ],
)
def test_bad_rows_are_named(hub: Path, change: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        read(hub, deu_Latn=[ROWS["deu_Latn"][0] | change])


def test_a_question_occurs_once_in_a_language(hub: Path) -> None:
    with pytest.raises(InputError, match=rf"^evaluation set belebele: query id 'de:{ICE}#1' occ"):
        read(hub, deu_Latn=ROWS["deu_Latn"] * 2)
