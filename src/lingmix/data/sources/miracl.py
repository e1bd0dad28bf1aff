"""MIRACL as its authors publish it: topics and TREC judgements, and a corpus of JSON lines."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from lingmix.data.download import hub_file
from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.files import read_rows
from lingmix.data.items import Item
from lingmix.data.languages import published_languages
from lingmix.data.sources.judgements import Judgement, Passages, Query, judged_set
from lingmix.data.sources.stored_corpus import Rows, stored_passages, titled_text
from lingmix.data.sources.trec_files import read_judgements, read_topics
from lingmix.errors import InputError

CORPUS_FORM = "a MIRACL corpus, rows of docid, title, text"
FILES = {
    "ar": 5, "bn": 1, "de": 32, "en": 66, "es": 21, "fa": 5, "fi": 4, "fr": 30, "hi": 2,
    "id": 3, "ja": 14, "ko": 3, "ru": 20, "sw": 1, "te": 2, "th": 2, "yo": 1, "zh": 10,
}  # fmt: skip
"""The number of corpus files of each language, of 500,000 passages each and fewer in the last."""
UNTRAINED = ("de", "yo")
"""Languages that have no training queries."""


def read_miracl(
    *,
    name: str,
    languages: Sequence[str],
    split: str,
    revision: str,
    corpus_revision: str,
    judged_only: bool,
    download_dir: str | Path,
    within: Sequence[str] | None = None,
) -> EvaluationSet:
    """Reads the queries of each language, to be ranked on its own Wikipedia; with `judged_only` on
    the passages of it that the judges saw, relevant or not.
    """
    languages = published_languages(languages, of="MIRACL", published=FILES, within=within)
    file = partial(_file, split=split, revision=revision)
    queries = [
        Query(f"{language}:{row.identifier('id')}", row.text("text"), language)
        for language in languages
        for row in read_topics(file("topics", language))
    ]
    judgements = [
        judgement
        for language in languages
        for judgement in _judgements(file("qrels", language), language)
    ]
    return judged_set(
        name=name,
        queries=queries,
        passages=_passages(languages, corpus_revision, download_dir),
        judgements=judgements,
        judged_only=judged_only,
    )


def read_miracl_items(
    *,
    languages: Sequence[str],
    revision: str,
    corpus_revision: str,
    negatives: int,
    download_dir: str | Path,
) -> Iterator[Item]:
    """Makes an item of each training query with its relevant passages, and the first `negatives` of
    those that the judges saw and that are not relevant."""
    trained = [language for language in FILES if language not in UNTRAINED]
    for language in published_languages(
        languages, of="MIRACL's training data", published=trained, within=None
    ):
        file = partial(_file, split="train", revision=revision)
        judged: dict[str, list[Judgement]] = {}
        for judgement in _judgements(file("qrels", language), language):
            judged.setdefault(judgement.queries[0], []).append(judgement)
        wanted = {one.passages[0] for found in judged.values() for one in found}
        texts = _passages([language], corpus_revision, download_dir).texts_of(wanted)
        for row in read_topics(file("topics", language)):
            id = f"{language}:{row.identifier('id')}"
            graded = [(_text(one, texts), one.grade) for one in judged.pop(id, [])]
            right = tuple(text for text, grade in graded if grade > 0)
            wrong = tuple(text for text, grade in graded if grade <= 0)[:negatives]
            if right:
                yield Item(
                    id=f"miracl:{id}",
                    domain="wikipedia",
                    queries={language: (row.text("text"),)},
                    passages={language: right},
                    negatives={language: wrong} if wrong else {},
                )
        for id, found in judged.items():
            raise InputError(f"{found[0].place}: query {id!r} is judged, but no query has that id")


def _text(judgement: Judgement, texts: Mapping[str, str]) -> str:
    (id,) = judgement.passages
    if id not in texts:
        raise InputError(f"{judgement.place}: passage {id!r} is judged, but no passage has that id")
    return texts[id]


def _passages(languages: Sequence[str], revision: str, download_dir: str | Path) -> Passages:
    folder = Path(download_dir) / "miracl" / revision
    return stored_passages(
        {
            folder / f"{language}.arrow": (language, partial(_corpus, language, revision))
            for language in languages
        }
    )


def _file(what: str, language: str, *, split: str, revision: str) -> Path:
    stem = f"miracl-v1.0-{language}"
    place = f"{stem}/{what}/{what}.{stem}-{split}.tsv"
    return hub_file(place, repo="miracl/miracl", revision=revision)


def _judgements(path: Path, language: str) -> Iterator[Judgement]:
    for row in read_judgements(path):
        yield Judgement(
            queries=(f"{language}:{row.identifier('query')}",),
            passages=(f"{language}:{row.identifier('passage')}",),
            grade=row.grade("grade"),
            place=row.place,
        )


def _corpus(language: str, revision: str) -> Rows:
    for number in range(FILES[language]):
        path = hub_file(
            f"miracl-corpus-v1.0-{language}/docs-{number}.jsonl.gz",
            repo="miracl/miracl-corpus",
            revision=revision,
        )
        for row in read_rows(path=path, fields=("docid", "title", "text"), form=CORPUS_FORM):
            yield f"{language}:{row.identifier('docid')}", titled_text(row)
