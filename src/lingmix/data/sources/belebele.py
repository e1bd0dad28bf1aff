"""Belebele as its authors publish it on the Hub, as retrieval: its questions are queries, and the
passage that a question is about is relevant.

Rows with the same `link` are translations of a passage, those with the same `question_number` too
translations of a question. The choices of answers are not used.
"""

from collections.abc import Mapping, Sequence

from lingmix.data.download import hub_file
from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.files import read_rows
from lingmix.data.languages import published_languages
from lingmix.data.sources.judgements import Judgement, Passages, Query, judged_set
from lingmix.errors import InputError

FIELDS = ("link", "question_number", "flores_passage", "question")
FORM = "Belebele in one language, rows of link, question_number, flores_passage, question"


def read_belebele(
    *,
    name: str,
    repo: str,
    revision: str,
    languages: Mapping[str, str],
    within: Sequence[str] | None = None,
) -> EvaluationSet:
    """Fetches and reads a file for each of `languages`, which FLORES codes name by language."""
    passages: dict[str, str] = {}
    queries: list[Query] = []
    translations: dict[str, dict[str, str]] = {}
    for language in published_languages(
        languages, of="Belebele", published=languages, within=within
    ):
        path = hub_file(f"data/{languages[language]}.jsonl", repo=repo, revision=revision)
        for row in read_rows(path=path, fields=FIELDS, form=FORM):
            link = row.identifier("link")
            passage, text = f"{language}:{link}", row.text("flores_passage").strip()
            if passages.setdefault(passage, text) != text:
                raise InputError(
                    f"{row.place}: link {link!r} has another passage in an earlier row"
                )
            question = f"{link}#{row.identifier('question_number')}"
            query = Query(f"{language}:{question}", row.text("question").strip(), language)
            queries.append(query)
            translations.setdefault(question, {})[query.id] = passage
    return judged_set(
        name=name,
        queries=queries,
        passages=Passages(
            ids=tuple(passages),
            texts=tuple(passages.values()),
            languages=tuple(id.partition(":")[0] for id in passages),
        ),
        judgements=[
            Judgement(tuple(same), tuple(same.values()), 1, f"{repo}, question {question}")
            for question, same in translations.items()
        ],
    )
