"""Training texts that are equal to an evaluation text, letter by letter or `loosely_folded`."""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lingmix.data.columns.columns import Columns
from lingmix.data.columns.numbering import Hashes, Rows
from lingmix.data.columns.shard import hash_of
from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.text import loosely_folded
from lingmix.leakage.overlap import (
    Measured,
    Overlap,
    in_batches,
    measured_texts,
    overlap_of,
    trained_rows,
)


def equal_texts(
    columns: Columns, *, items: Rows | None, evaluation_sets: Sequence[EvaluationSet]
) -> list[Overlap]:
    """Queries, passages and negatives of the `items` that are trained on (see `scaled_items`)
    against queries and passages: first the hashes of their forms, then the texts.

    Of the evaluation sets only texts whose hash is trained on are held in memory. Texts that are
    short enough to be equal by chance are passed over: those without a letter, such as a year, and
    those narrower than four Latin letters, which is two of Chinese, Japanese or Korean.
    """
    measured = by_form(_with_hash(measured_texts(evaluation_sets), _trained_hashes(columns, items)))
    hashes = pa.array(sorted(map(hash_of, measured)), pa.uint64())
    rows = [np.empty(0, np.int64)]
    for begin, form, item in columns.joined.columns("texts", "loose_form", "item"):
        found = pc.is_in(pa.array(form), value_set=hashes).to_numpy(zero_copy_only=False)
        if items is not None:
            found &= items[item] >= 0
        rows.append(begin + np.flatnonzero(found))
    return [
        overlap_of(columns, one, other, "exact" if one.text == other.text else "normalised", 1.0)
        for one in trained_rows(columns, np.concatenate(rows))
        for other in measured.get(loosely_folded(one.text), ())
    ]


def by_form(texts: Iterable[Measured]) -> dict[str, list[Measured]]:
    """Texts by their loose form, those that tell something."""
    measured: dict[str, list[Measured]] = {}
    for one in texts:
        if _is_telling(form := loosely_folded(one.text)):
            measured.setdefault(form, []).append(one)
    return measured


def _trained_hashes(columns: Columns, items: Rows | None) -> Hashes:
    hashes = [np.empty(0, np.uint64)]
    for _, form, item in columns.joined.columns("texts", "loose_form", "item"):
        hashes.append(np.unique(form if items is None else form[items[item] >= 0]))
    return np.unique(np.concatenate(hashes))


def _with_hash(texts: Iterable[Measured], hashes: Hashes) -> Iterator[Measured]:
    """Those whose loose form has one of the sorted hashes."""
    for batch in in_batches(texts):
        found = np.array([hash_of(loosely_folded(one.text)) for one in batch], np.uint64)
        for place in np.flatnonzero(np.isin(found, hashes)):
            yield batch[place]


def _is_telling(form: str) -> bool:
    columns = sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in form[:4])
    return columns >= 4 and any(character.isalpha() for character in form)
