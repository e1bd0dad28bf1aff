"""BEIR form: `corpus`, `queries` and `qrels/{split}`, with `lang` on each row or for the set."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lingmix.data.content_groups import linked
from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.files import Row, find_file, read_rows
from lingmix.data.items import Item, LanguagePair, Pair
from lingmix.data.sources.judgements import Judgement, Passages, Query, judged_set
from lingmix.data.sources.pair_rows import item_of_pairs
from lingmix.data.sources.stored_corpus import titled_text
from lingmix.data.text_lines import require_folder
from lingmix.errors import InputError

CORPUS_FORM = "a BEIR corpus, rows of _id, title, text, lang"
QUERIES_FORM = "BEIR queries, rows of _id, text, lang"
QRELS_FORM = "BEIR judgements, rows of query-id, corpus-id, score under a header of these names"
_TEXT = ("_id", "title", "text", "lang", "group", "source_id")
_JUDGEMENT = ("query-id", "corpus-id", "score")


class Text(NamedTuple):
    """A query or a passage; `group` is empty where its row names none."""

    text: str
    language: str
    group: str
    place: str


def read_beir(
    *,
    name: str,
    folder: str | Path,
    split: str,
    language: str | None,
    other_languages_only: bool,
) -> EvaluationSet:
    """Reads the whole corpus, and the queries that the split judges, as BEIR does.

    `language` is that of rows without `lang`. Passages with a grade of 0 or less count as judged
    and not relevant. A passage may be empty (public corpora have some), a query may not.
    """
    folder = require_folder(folder, form=QUERIES_FORM)
    key = "data.development" if name == "development" else f"evaluation.{name}"
    queries = beir_queries(folder, language=language, key=key)
    passages = beir_passages(folder, language=language, key=key)
    evaluation_set = judged_set(
        name=name,
        queries=[Query(id, text.text, text.language) for id, text in queries.items()],
        passages=Passages(
            ids=tuple(passages),
            texts=tuple(text.text for text in passages.values()),
            languages=tuple(text.language for text in passages.values()),
        ),
        judgements=list(beir_judgements(folder, split=split)),
    )
    return replace(evaluation_set, other_languages_only=other_languages_only)


def read_beir_items(
    *, folder: str | Path, split: str, language: str | None, domain: str
) -> list[Item]:
    """Reads the split's queries and relevant passages as items of listed pairs.

    Texts joined by a chain of relevance, or by the same `group` (or `source_id`) on their rows,
    are one item, whose id is that of its first query. Empty passages and passages that are not
    relevant are left out.
    """
    folder = require_folder(folder, form=QUERIES_FORM)
    queries = beir_queries(folder, language=language, key="data")
    passages = beir_passages(folder, language=language, key="data")
    relevant: dict[tuple[str, str], tuple[Text, Text]] = {}
    for judgement in beir_judgements(folder, split=split):
        (query,), (passage,) = judgement.queries, judgement.passages
        for what, id, texts in (("query", query, queries), ("passage", passage, passages)):
            if id not in texts:
                raise InputError(
                    f"{judgement.place}: {what} {id!r} is judged, but no {what} has that id"
                )
        if judgement.grade > 0 and passages[passage].text:
            relevant[query, passage] = queries[query], passages[passage]
    listed: dict[int, list[Pair]] = {}
    first_queries: dict[int, str] = {}
    components = _components(relevant, queries=queries, passages=passages)
    for (id, _), (query_text, passage_text) in relevant.items():
        first_queries.setdefault(components[id], id)
        languages = LanguagePair(query_text.language, passage_text.language)
        pair = Pair(query_text.text, passage_text.text, languages)
        listed.setdefault(components[id], []).append(pair)
    return [
        item_of_pairs(id=first_queries[component], domain=domain, listed=pairs)
        for component, pairs in listed.items()
    ]


def beir_queries(folder: Path, *, language: str | None, key: str) -> dict[str, Text]:
    """Returns the queries by id; `key` is where the configuration names the reader."""
    path = find_file(folder=folder, stem="queries", form=QUERIES_FORM)
    rows = read_rows(path=path, fields=_TEXT, form=QUERIES_FORM)
    return _texts(rows, lambda row: row.text("text"), language=language, key=key)


def beir_passages(folder: Path, *, language: str | None, key: str) -> dict[str, Text]:
    return _texts(corpus_rows(folder), titled_text, language=language, key=key)


def corpus_rows(folder: Path) -> Iterator[Row]:
    path = find_file(folder=folder, stem="corpus", form=CORPUS_FORM)
    return read_rows(path=path, fields=_TEXT, form=CORPUS_FORM)


def beir_judgements(
    folder: Path, *, split: str, asked: Sequence[str] = ("",), searched: Sequence[str] = ("",)
) -> Iterator[Judgement]:
    """Yields the split's judgements. A judgement is of the query's id under every prefix in `asked`
    and the passage's under every prefix in `searched`.

    Columns may be called `query_id` and `corpus_id` as well.
    """
    path = find_file(folder=folder / "qrels", stem=split, form=QRELS_FORM)
    names = {name.replace("-", "_"): name for name in _JUDGEMENT}
    for found in read_rows(path=path, fields=(*_JUDGEMENT, *names), form=QRELS_FORM):
        values = {names.get(name, name): found.values[name] for name in found.values}
        row = found._replace(values=values)
        query, passage = row.identifier("query-id"), row.identifier("corpus-id")
        yield Judgement(
            queries=tuple(f"{prefix}{query}" for prefix in asked),
            passages=tuple(f"{prefix}{passage}" for prefix in searched),
            grade=row.grade("score"),
            place=row.place,
        )


def _texts(
    rows: Iterable[Row], text_of: Callable[[Row], str], *, language: str | None, key: str
) -> dict[str, Text]:
    texts: dict[str, Text] = {}
    for row in rows:
        text, id = text_of(row), row.identifier("_id")
        if row.values.get("lang") is None and language is None:
            raise InputError(
                f"{row.place}: field 'lang' is missing; add it to each row, or name the one "
                f"language of all that have none, such as {key}.language=en"
            )
        if id in texts:
            raise InputError(
                f"{row.place}: _id {id!r} is taken by {texts[id].place}; ids are unique"
            )
        group = row.optional_text("group") or row.optional_text("source_id")
        named = row.values.get("lang") is not None
        texts[id] = Text(text, row.language("lang") if named else str(language), group, row.place)
    return texts


def _components(
    relevant: Iterable[tuple[str, str]],
    *,
    queries: Mapping[str, Text],
    passages: Mapping[str, Text],
) -> dict[str, int]:
    """Numbers each query's connected component in the graph of queries, passages and groups."""
    edges = [(("query", query), ("passage", passage)) for query, passage in relevant]
    for role, texts in (("query", queries), ("passage", passages)):
        edges += [((role, id), ("group", t.group)) for id, t in texts.items() if t.group]
    nodes = {node: n for n, node in enumerate(dict.fromkeys(end for edge in edges for end in edge))}
    edges_E2 = np.array([[nodes[tail], nodes[head]] for tail, head in edges]).reshape(-1, 2)
    labels = linked(edges_E2, nodes=len(nodes))
    return {id: int(labels[n]) for (role, id), n in nodes.items() if role == "query"}
