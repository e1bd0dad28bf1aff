"""Items that have the id of an evaluation text, and so are translations of it in languages in which
their texts cannot be compared.

Sets that are translated keep their ids: the questions of SQuAD's translations are those of XQuAD.
Other sets number their rows from 1. Ids count as those of translations where the texts agree in the
languages that both have, or, where they have none in common, where the id is too long to be equal
by chance.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from lingmix.data.columns.columns import Columns
from lingmix.data.columns.numbering import Hashes, Rows
from lingmix.data.columns.shard import hash_of
from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.minhash import grams_of, jaccard
from lingmix.data.text import loosely_folded
from lingmix.leakage.overlap import (
    Measured,
    Overlap,
    Trained,
    in_batches,
    measured_texts,
    overlap_of,
    trained_rows,
)

LONG = 12
"""Characters of an id that is not equal to another by chance."""

ALIKE = 0.35
"""Similarity of n-grams from which texts of one id agree."""


class _Match(NamedTuple):
    """An item and the evaluation texts of its id, of one set and of queries or of passages."""

    item: int
    evaluation_set: str
    field: str
    id: str


def translations(
    columns: Columns, *, items: Rows | None, evaluation_sets: Sequence[EvaluationSet]
) -> list[Overlap]:
    """Queries of the `items` that are trained on whose item has the id of an evaluation query, and
    passages whose item has that of a passage, in languages that the evaluation set lacks for it."""
    matched = _matches(columns, items=items, evaluation_sets=evaluation_sets)
    if not matched:
        return []
    texts = _texts_of(columns, {match.item for match in matched})
    agreeing: Counter[tuple[str, int]] = Counter()
    evidence: dict[_Match, int] = {}
    for match, measured in matched.items():
        evidence[match] = _evidence(texts[match.item], match.field, measured)
        agreeing[match.evaluation_set, _group(columns, match.item)] += evidence[match]
    overlaps: list[Overlap] = []
    for match, measured in matched.items():
        of_set = agreeing[match.evaluation_set, _group(columns, match.item)]
        shares_ids = of_set > 0 or (of_set == 0 and len(match.id) >= LONG)
        if evidence[match] >= 0 and shares_ids:
            overlaps += _overlaps(columns, texts[match.item], match.field, measured)
    return overlaps


def _overlaps(
    columns: Columns, texts: Iterable[Trained], field: str, measured: Sequence[Measured]
) -> Iterator[Overlap]:
    """An overlap for each text in a language that the evaluation set lacks."""
    known = {one.language for one in measured}
    for one in texts:
        of, _, language = one.field.partition(".")
        if of == field and language not in known:
            yield overlap_of(columns, one, measured[0], "translation", None)


def _evidence(texts: Iterable[Trained], field: str, measured: Sequence[Measured]) -> int:
    """Above 0 where texts of a language that both have agree, below where they do not."""
    found = 0
    for one in texts:
        of, _, language = one.field.partition(".")
        for other in measured:
            if of == field and language == other.language:
                found += 1 if _agree(one.text, other.text) else -1
    return found


def _agree(one: str, other: str) -> bool:
    grams = [*grams_of([one, other]).sets()]
    return loosely_folded(one) == loosely_folded(other) or jaccard(*grams) >= ALIKE


def _group(columns: Columns, item: int) -> int:
    return columns.joined.group_of(item)


def _matches(
    columns: Columns, *, items: Rows | None, evaluation_sets: Sequence[EvaluationSet]
) -> dict[_Match, list[Measured]]:
    """Evaluation texts by the items that have their id."""
    languages = {*columns.joined.languages, *(x for one in evaluation_sets for x in one.languages)}
    hashes = np.array([hash_of(_bare(id, languages)) for id in columns.item_ids], np.uint64)
    kept = columns.item_I == np.arange(len(columns.item_I))
    if items is not None:
        kept &= items >= 0
    by_id: dict[str, list[Measured]] = {}
    for id, one in _known(measured_texts(evaluation_sets), np.unique(hashes[kept])):
        by_id.setdefault(id, []).append(one)
    wanted = np.array([*map(hash_of, by_id)], np.uint64)
    found = np.flatnonzero(np.isin(hashes, wanted) & kept)
    matched: dict[_Match, list[Measured]] = {}
    for item, text in zip(found.tolist(), columns.item_ids.take(found), strict=True):
        id = _bare(text, languages)
        for one in by_id.get(id, ()):
            field = "queries" if one.role == "query" else "passages"
            matched.setdefault(_Match(item, one.evaluation_set, field, id), []).append(one)
    return matched


def _known(texts: Iterable[Measured], hashes: Hashes) -> Iterator[tuple[str, Measured]]:
    """The texts whose id has one of the sorted hashes, with that id."""
    for batch in in_batches(texts):
        ids = [_bare(one.id, (one.language,)) for one in batch]
        found = np.array([*map(hash_of, ids)], np.uint64)
        for place in np.flatnonzero(np.isin(found, hashes)):
            yield ids[place], batch[place]


def _bare(id: str, languages: Iterable[str]) -> str:
    """The id that translations share: `17` of `en:17` and of `17-en`."""
    first, _, rest = id.partition(":")
    if rest and first in languages:
        return rest
    rest, _, last = id.rpartition("-")
    return rest if rest and last in languages else id


def _texts_of(columns: Columns, items: set[int]) -> dict[int, list[Trained]]:
    wanted_I = np.zeros(len(columns.item_I), np.bool_)
    wanted_I[[*items]] = True
    rows = [np.empty(0, np.int64)]
    for begin, item in columns.joined.columns("texts", "item"):
        rows.append(begin + np.flatnonzero(wanted_I[columns.item_I[item]]))
    found: dict[int, list[Trained]] = {item: [] for item in items}
    for one in trained_rows(columns, np.concatenate(rows)):
        found[int(columns.item_I[one.item])].append(one)
    return found
