"""SQuAD form as retrieval of sentences, as in LAReQA (Roy et al., EMNLP 2020).

Every sentence of every paragraph is a passage, equal ones too. Relevant to a query is the sentence
in which its answer begins, in every language.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import Any, NamedTuple

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.files import distinct
from lingmix.data.sentences import sentences
from lingmix.data.sources.judgements import Judgement, Passages, Query, judged_set
from lingmix.errors import InputError


class File(NamedTuple):
    place: str
    content: str | bytes


class Sentence(NamedTuple):
    """A sentence, and where it starts and ends in the paragraph's `context`."""

    text: str
    start: int
    end: int


Split = Callable[[Any, str], Sequence[Sentence]]
"""Splits a paragraph, in the language given, into sentences."""


class _Asked(NamedTuple):
    query: Query
    key: str
    passage: str
    article: int


def sentence_set(
    *,
    name: str,
    files: Mapping[str, File],
    split: Split,
    form: str,
    articles: Sequence[int] | None,
) -> EvaluationSet:
    """Makes a set of files by language; questions with the same `id` are translations. With
    `articles`, positions in the files, only their questions are queries; the corpus stays whole.
    """
    passages: dict[str, str] = {}
    asked: list[_Asked] = []
    for language, file in files.items():
        with squad_form(file.place, form):
            for article, p, paragraph in paragraphs(file.content):
                found, place = split(paragraph, language), f"{language}:a{article:02}p{p}"
                passages |= {f"{place}s{s}": one.text for s, one in enumerate(found)}
                asked += _queries(paragraph, found, language, place, article)
    unknown = set(articles or ()) - {one.article for one in asked}
    if unknown:
        raise InputError(f"{name}: articles {sorted(unknown)} are not in its files, count from 0")
    kept = [one for one in asked if articles is None or one.article in articles]
    return judged_set(
        name=name,
        queries=[one.query for one in kept],
        passages=Passages(
            ids=tuple(passages),
            texts=tuple(passages.values()),
            languages=tuple(id.partition(":")[0] for id in passages),
        ),
        judgements=list(_judgements(kept, form)),
    )


def sentences_of_context(paragraph: Any, language: str) -> list[Sentence]:
    """Splits by `sentences.sentences`, where the file does not say how."""
    texts = sentences(paragraph["context"], language=language)
    ends = accumulate(map(len, texts))
    return [
        Sentence(text.strip(), end - len(text), end) for text, end in zip(texts, ends, strict=True)
    ]


@contextmanager
def squad_form(place: str, form: str) -> Iterator[None]:
    """Raises InputError where what the block reads is not of the form."""
    try:
        yield
    except UnicodeEncodeError as error:
        raise InputError(
            f"{place}: it holds half of an escaped character "
            f"({error.object[error.start]!a}); write the file as UTF-8"
        ) from error
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise InputError(f"{place}: expected {form}, stopped at {error!r:.100}") from error


def paragraphs(content: str | bytes) -> Iterator[tuple[int, int, Any]]:
    """Yields the number of the article, that of the paragraph in it, and the paragraph. Raises
    UnicodeEncodeError for half of an escaped character."""
    for a, article in enumerate(json.loads(content, object_pairs_hook=distinct)["data"]):
        for p, paragraph in enumerate(article["paragraphs"]):
            json.dumps(paragraph, ensure_ascii=False).encode()
            yield a, p, paragraph


def _queries(
    paragraph: Any, found: Sequence[Sentence], language: str, place: str, article: int
) -> Iterator[_Asked]:
    for qa in paragraph["qas"]:
        start = qa["answers"][0]["answer_start"]
        relevant = [s for s, one in enumerate(found) if one.start <= start < one.end]
        if len(relevant) != 1:
            raise ValueError(f"the answer to {qa['id']} begins in {len(relevant)} sentences")
        query = Query(f"{language}:{qa['id']}", qa["question"], language)
        yield _Asked(query, qa["id"], f"{place}s{relevant[0]}", article)


def _judgements(asked: Sequence[_Asked], form: str) -> Iterator[Judgement]:
    translations: dict[str, list[_Asked]] = {}
    for one in asked:
        translations.setdefault(one.key, []).append(one)
    for key, same in translations.items():
        queries, passages = tuple(one.query.id for one in same), tuple(one.passage for one in same)
        yield Judgement(queries, passages, 1, f"{form}, question {key}")
