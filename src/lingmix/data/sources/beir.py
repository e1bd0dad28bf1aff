"""BEIR form: `corpus`, `queries` and `qrels/{split}`, with `lang` on each row or for the set."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.files import Row, find_file, read_rows
from lingmix.data.items import Item, LanguagePair, Pair
from lingmix.data.sources.pair_rows import item_of_pairs
from lingmix.data.text_lines import require_folder
from lingmix.errors import InputError

CORPUS_FORM = "a BEIR corpus, rows of _id, title, text, lang"
QUERIES_FORM = "BEIR queries, rows of _id, text, lang"
QRELS_FORM = "BEIR judgements, rows of query-id, corpus-id, score under a header of these names"
_TEXT = ("_id", "title", "text", "lang", "group", "source_id")
_JUDGEMENT = ("query-id", "corpus-id", "score")


class _Text(NamedTuple):
    text: str
    language: str
    group: str
    place: str


class _Judgement(NamedTuple):
    query: str
    passage: str
    grade: int


class _Beir(NamedTuple):
    queries: Mapping[str, _Text]
    passages: Mapping[str, _Text]
    judgements: list[_Judgement]


def read_beir(
    *,
    name: str,
    folder: str | Path,
    split: str,
    language: str | None,
    other_languages_only: bool,
) -> EvaluationSet:
    """The whole corpus, and the queries that the split judges, as BEIR does.

    `language` is that of rows without `lang`. Grades of 0 and less stay, as judged and not
    relevant. A passage may be empty (public corpora hold some), a query may not.
    """
    beir = _read(folder=folder, split=split, language=language)
    judged = {judgement.query for judgement in beir.judgements}
    queries = {query: text for query, text in beir.queries.items() if query in judged}
    query_positions = {query: position for position, query in enumerate(queries)}
    passage_positions = {passage: position for position, passage in enumerate(beir.passages)}
    return EvaluationSet(
        name=name,
        query_ids=tuple(queries),
        queries=tuple(text.text for text in queries.values()),
        query_languages=tuple(text.language for text in queries.values()),
        passage_ids=tuple(beir.passages),
        passages=tuple(text.text for text in beir.passages.values()),
        passage_languages=tuple(text.language for text in beir.passages.values()),
        query_J=np.array([query_positions[j.query] for j in beir.judgements], np.int32),
        passage_J=np.array([passage_positions[j.passage] for j in beir.judgements], np.int32),
        grade_J=np.array([j.grade for j in beir.judgements], np.int32),
        other_languages_only=other_languages_only,
        unjudged=len(beir.queries) - len(queries),
    )


def read_beir_items(
    *, folder: str | Path, split: str, language: str | None, domain: str
) -> list[Item]:
    """The split's relevant passages as listed pairs.

    Texts joined by a chain of relevance, or by the same `group` (or `source_id`) on their rows,
    are one item, called by its first query. Empty passages and other judgements are left out.
    """
    beir = _read(folder=folder, split=split, language=language)
    relevant = [j for j in beir.judgements if j.grade > 0 and beir.passages[j.passage].text]
    components = _components(beir, relevant)
    listed: dict[int, list[Pair]] = {}
    first_queries: dict[int, str] = {}
    for judgement in relevant:
        query, passage = beir.queries[judgement.query], beir.passages[judgement.passage]
        component = components[judgement.query]
        first_queries.setdefault(component, judgement.query)
        languages = LanguagePair(query.language, passage.language)
        listed.setdefault(component, []).append(Pair(query.text, passage.text, languages))
    return [
        item_of_pairs(id=first_queries[component], domain=domain, listed=pairs)
        for component, pairs in listed.items()
    ]


def query_rows(folder: Path) -> Iterator[Row]:
    path = find_file(folder=folder, stem="queries", form=QUERIES_FORM)
    return read_rows(path=path, fields=_TEXT, form=QUERIES_FORM)


def corpus_rows(folder: Path) -> Iterator[Row]:
    path = find_file(folder=folder, stem="corpus", form=CORPUS_FORM)
    return read_rows(path=path, fields=_TEXT, form=CORPUS_FORM)


def judgement_rows(folder: Path, *, split: str) -> Iterator[Row]:
    """Columns may be called `query_id` and `corpus_id` as well."""
    path = find_file(folder=folder / "qrels", stem=split, form=QRELS_FORM)
    names = {name.replace("-", "_"): name for name in _JUDGEMENT}
    for row in read_rows(path=path, fields=(*_JUDGEMENT, *names), form=QRELS_FORM):
        yield row._replace(values={names.get(name, name): row.values[name] for name in row.values})


def _components(beir: _Beir, relevant: list[_Judgement]) -> dict[str, int]:
    """Of each query, in the graph of queries, passages and groups."""
    edges = [(("query", j.query), ("passage", j.passage)) for j in relevant]
    for role, texts in (("query", beir.queries), ("passage", beir.passages)):
        edges += [((role, id), ("group", t.group)) for id, t in texts.items() if t.group]
    nodes = {node: None for edge in edges for node in edge}
    positions = {node: position for position, node in enumerate(nodes)}
    tails, heads = ([positions[edge[end]] for edge in edges] for end in (0, 1))
    shape = (len(nodes), len(nodes))
    graph = coo_array((np.ones(len(edges), np.int8), (tails, heads)), shape=shape)
    _, labels = connected_components(graph, directed=False)
    return {
        id: int(label) for (role, id), label in zip(nodes, labels, strict=True) if role == "query"
    }


def _read(*, folder: str | Path, split: str, language: str | None) -> _Beir:
    folder = require_folder(folder, form=QUERIES_FORM)
    queries: dict[str, _Text] = {}
    for row in query_rows(folder):
        _add(queries, row, row.text("text"), language)
    passages: dict[str, _Text] = {}
    for row in corpus_rows(folder):
        text = f"{row.optional_text('title')} {row.text('text', may_be_empty=True)}".strip()
        _add(passages, row, text, language)
    judgements = judgement_rows(folder, split=split)
    return _Beir(queries, passages, _judgements(judgements, queries, passages))


def _add(texts: dict[str, _Text], row: Row, text: str, language: str | None) -> None:
    if row.values.get("lang") is not None:
        language = row.language("lang")
    elif language is None:
        raise InputError(
            f"{row.place}: field 'lang' is missing; add it to each row, or set `language` to the "
            "one language of the set"
        )
    group = row.optional_text("group") or row.optional_text("source_id")
    id = row.identifier("_id")
    if id in texts:
        raise InputError(f"{row.place}: _id {id!r} is taken by {texts[id].place}; ids are unique")
    texts[id] = _Text(text, language, group, row.place)


def _judgements(
    rows: Iterable[Row], queries: Mapping[str, _Text], passages: Mapping[str, _Text]
) -> list[_Judgement]:
    judgements: dict[tuple[str, str], _Judgement] = {}
    for row in rows:
        query, passage = row.identifier("query-id"), row.identifier("corpus-id")
        for field, id, texts in (
            ("query-id", query, queries),
            ("corpus-id", passage, passages),
        ):
            if id not in texts:
                file = next(iter(texts.values())).place.rpartition(":")[0]
                raise InputError(f"{row.place}: {field} {id!r} is not an _id of {file}")
        if (query, passage) in judgements:
            raise InputError(
                f"{row.place}: query {query!r} and passage {passage!r} are judged in an earlier "
                "row too; keep one of them"
            )
        judgements[query, passage] = _Judgement(query, passage, row.grade("score"))
    return list(judgements.values())
