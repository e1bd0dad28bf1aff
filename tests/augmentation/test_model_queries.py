"""What a model's answers become, by a backend that says what it is told to."""

from collections.abc import Iterator

import pytest

from lingmix.augmentation.model_queries import ModelQueries
from lingmix.augmentation.requests import Answer, Request
from tests.augmentation.made import bench, draft

EXAMPLE = {"passage": "Honey keeps.", "query": "why does honey not go bad"}


class Backend:
    """Gives the answers one after the other, and remembers what it was asked."""

    name, structured = "made", False

    def __init__(self, *texts: str) -> None:
        self._texts: Iterator[str] = iter(texts)
        self.asked: list[Request] = []

    def request(self, prompt, schema) -> Request:
        return Request({"messages": [*prompt]})

    def __call__(self, requests) -> list[Answer]:
        self.asked += requests
        return [Answer(next(self._texts)) for _ in requests]


def outcome(*texts: str):
    step = ModelQueries(
        languages=["en"],
        most_characters=100,
        instruction="Write one question in {language}.",
        passage="Passage: {passage}",
        fields={"query": "the question"},
        examples={"en": [EXAMPLE]},
    )
    backend = Backend(*texts)
    return step([draft(en="One is here.")], bench(answers=backend)), backend.asked


@pytest.mark.parametrize("repeated", ["Why does honey not go bad?", "one question in English"])
def test_a_model_that_repeats_its_prompt_is_asked_once_more(repeated):
    ((made,), rejected, _), asked = outcome(repeated, "where is one?")
    assert made.queries == {"en": ("where is one?",)}
    assert rejected == []
    assert len(asked) == 2


@pytest.mark.parametrize(
    "then",
    [
        "why does honey not go bad",
        "This cannot be read: repeats its prompt. Answer in a form of examples.",
    ],
)
def test_what_is_repeated_again_is_no_query_nor_is_the_complaint(then):
    ((made,), (one,), _), _ = outcome("why does honey not go bad", then)
    assert made.queries == {}
    assert one.reason == "repeats its prompt"


@pytest.mark.parametrize("query", ["one is here", "why does milk not go bad"])
def test_the_words_of_the_passage_or_the_pattern_of_an_example_are_no_repetition(query):
    ((made,), rejected, _), asked = outcome(query)
    assert (made.queries, rejected, len(asked)) == ({"en": (query,)}, [], 1)
