"""mMARCO as its authors publish it: MS MARCO's passages and queries, translated, ids kept."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from lingmix.data.download import hub_file
from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.items import Item, Texts
from lingmix.data.languages import published_languages
from lingmix.data.sources.judgements import Judgement, Passages, Query, judged_set
from lingmix.data.sources.stored_corpus import Rows, stored_passages
from lingmix.data.sources.trec_files import read_columns, read_judgements, read_topics
from lingmix.errors import InputError

REPO = "unicamp-dl/mmarco"
CORPUS_FORM = "an mMARCO collection, a line each: id, tab, text"
QUERIES_FORM = "mMARCO's queries, a line each: id, tab, text"
TRIPLES = "data/triples.train.ids.small.tsv"
TRIPLES_FORM = "mMARCO's triples, a line each: query, tab, relevant passage, tab, other passage"
NAMES = {
    "ar": "arabic", "de": "german", "en": "english", "es": "spanish", "fr": "french",
    "hi": "hindi", "id": "indonesian", "it": "italian", "ja": "japanese", "nl": "dutch",
    "pt": "portuguese", "ru": "russian", "vi": "vietnamese", "zh": "chinese",
}  # fmt: skip

PART = 20_000
"""Queries whose texts are in memory at once; for each part the ids of all passages are read."""


class _Asked(NamedTuple):
    """Ids of a query's passages, in the order of the triples."""

    relevant: dict[str, None]
    others: dict[str, None]


def read_mmarco(
    *,
    name: str,
    languages: Sequence[str],
    revision: str,
    download_dir: str | Path,
    within: Sequence[str] | None = None,
) -> EvaluationSet:
    """Reads the queries and corpora of all languages; ids are those of the English original."""
    languages = published_languages(languages, of="mMARCO", published=NAMES, within=within)
    file = partial(hub_file, repo=REPO, revision=revision)
    queries = [
        Query(f"{language}:{row.identifier('id')}", row.text("text"), language)
        for language in languages
        for row in read_topics(
            file(f"data/google/queries/dev/{NAMES[language]}_queries.dev.small.tsv")
        )
    ]
    judgements = [
        Judgement(
            queries=tuple(f"{language}:{row.identifier('query')}" for language in languages),
            passages=tuple(f"{language}:{row.identifier('passage')}" for language in languages),
            grade=row.grade("grade"),
            place=row.place,
        )
        for row in read_judgements(file("data/qrels.dev.small.tsv"))
    ]
    folder = Path(download_dir) / "mmarco" / revision
    passages = stored_passages(
        {
            folder / f"{language}.arrow": (language, partial(_corpus, language, revision))
            for language in languages
        }
    )
    return judged_set(name=name, queries=queries, passages=passages, judgements=judgements)


def read_mmarco_items(
    *,
    languages: Sequence[str],
    revision: str,
    negatives: int,
    most: int | None,
    download_dir: str | Path,
) -> Iterator[Item]:
    """Makes an item of each query of the training triples, or of the first `most`: in all languages
    with its relevant passages, and with the first `negatives` of its others."""
    languages = published_languages(languages, of="mMARCO", published=NAMES, within=None)
    triples = hub_file(TRIPLES, repo=REPO, revision=revision)
    asked = iter(_asked(triples, negatives=negatives, most=most).items())
    folder = Path(download_dir) / "mmarco" / revision
    queries, corpora = (
        {
            language: stored_passages(
                {folder / f"{kind}{language}.arrow": (language, partial(rows, language, revision))}
            )
            for language in languages
        }
        for kind, rows in (("queries-", _queries), ("", _corpus))
    )
    while part := dict(islice(asked, PART)):
        ids = dict.fromkeys(id for one in part.values() for ids in one for id in ids)
        yield from _items(part, _texts(queries, part, triples), _texts(corpora, ids, triples))


def _asked(path: Path, *, negatives: int, most: int | None) -> dict[str, _Asked]:
    fields = ("query", "relevant", "other")
    asked: dict[str, _Asked] = {}
    for row in read_columns(path=path, fields=fields, separator="\t", form=TRIPLES_FORM):
        query, relevant, other = map(row.identifier, fields)
        if query in asked or len(asked) != most:
            one = asked.setdefault(query, _Asked({}, {}))
            one.relevant[relevant] = None
            if len(one.others) < negatives:
                one.others[other] = None
    return asked


def _items(
    part: Mapping[str, _Asked],
    queries: Mapping[str, Mapping[str, str]],
    passages: Mapping[str, Mapping[str, str]],
) -> Iterator[Item]:
    for id, one in part.items():
        asked, relevant = _translations(queries, [id]), _translations(passages, one.relevant)
        if asked and relevant:
            yield Item(f"mmarco:{id}", "web", asked, relevant, _translations(passages, one.others))


def _translations(texts: Mapping[str, Mapping[str, str]], ids: Collection[str]) -> Texts:
    """Without empty ones, and languages that have no other."""
    found = {one: tuple(filter(None, map(there.get, ids))) for one, there in texts.items()}
    return {language: some for language, some in found.items() if some}


def _texts(
    columns: Mapping[str, Passages], ids: Collection[str], triples: Path
) -> dict[str, dict[str, str]]:
    """Texts by language and id; raises InputError where a text is named that is not there."""
    texts = {}
    for language, column in columns.items():
        found = column.texts_of([f"{language}:{id}" for id in ids])
        texts[language] = {id.partition(":")[2]: text for id, text in found.items()}
        for id in (one for one in ids if one not in texts[language]):
            raise InputError(f"{triples}: names {id!r}, but no text of {language} has that id")
    return texts


def _corpus(language: str, revision: str) -> Rows:
    file = f"data/google/collections/{NAMES[language]}_collection.tsv"
    return _lines(file, language, revision, form=CORPUS_FORM)


def _queries(language: str, revision: str) -> Rows:
    """Lines of one id, into which translation has split some queries, are one text."""
    file = f"data/google/queries/train/{NAMES[language]}_queries.train.tsv"
    lines = _lines(file, language, revision, form=QUERIES_FORM)
    for id, of_query in groupby(lines, key=itemgetter(0)):
        yield id, " ".join(text for _, text in of_query)


def _lines(file: str, language: str, revision: str, *, form: str) -> Rows:
    path = hub_file(file, repo=REPO, revision=revision)
    for row in read_columns(path=path, fields=("id", "text"), separator="\t", form=form):
        yield f"{language}:{row.identifier('id')}", row.text("text", may_be_empty=True).strip()
