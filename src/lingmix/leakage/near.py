"""Training texts that are near-duplicates of an evaluation text: most of their n-grams are shared.

Evaluation texts are indexed a block at a time, and all training texts are streamed past each block,
so that memory is bounded whatever the size of either.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lingmix.data.columns.columns import Columns
from lingmix.data.columns.numbering import Rows
from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.minhash import (
    FEWEST,
    SignatureIndex,
    Signatures,
    grams_of,
    jaccard,
    signatures,
)
from lingmix.data.text import loosely_folded
from lingmix.data.text_column import BATCH
from lingmix.leakage.overlap import (
    Measured,
    Overlap,
    in_batches,
    measured_texts,
    overlap_of,
    trained_rows,
)

BLOCK = 2**17
"""Evaluation texts of an index: some 200 MiB with their texts."""

ERROR = 0.12
"""What an estimated similarity may be below the true one, of which its standard error is at most
0.05: of fewer agreeing hashes no n-grams are compared."""

MOST = 4
"""Evaluation texts that a training text is compared with, those that seem nearest, in a block."""


class Near(NamedTuple):
    """A row of a training text, the evaluation text and their similarity."""

    row: int
    measured: Measured
    similarity: float


class _Block(NamedTuple):
    texts: list[Measured]
    signed: SignatureIndex


def near_texts(
    columns: Columns,
    *,
    items: Rows | None,
    evaluation_sets: Sequence[EvaluationSet],
    similarity: float,
) -> list[Overlap]:
    """Queries, passages and negatives of the `items` that are trained on whose n-grams have a
    Jaccard similarity of at least `similarity` with those of a query or passage, and that are not
    equal to it `loosely_folded`."""
    trained_T = np.ones(len(columns.first_T), np.bool_)
    if items is not None:
        for begin, item in columns.joined.columns("texts", "item"):
            trained_T[begin : begin + len(item)] = items[item] >= 0
    form_T = columns.groups.form_T
    distinct_T = np.zeros(len(form_T), np.bool_)
    distinct_T[form_T[trained_T]] = True
    found: dict[int, list[Near]] = {}
    for block in _blocks(evaluation_sets):
        for near in _near(columns, distinct_T, block, similarity):
            found.setdefault(near.row, []).append(near)
    rows = np.flatnonzero(np.isin(form_T, [*found]) & trained_T)
    return [
        overlap_of(columns, one, near.measured, "near", near.similarity)
        for one in trained_rows(columns, rows)
        for near in found[int(form_T[one.row])]
    ]


def _blocks(evaluation_sets: Sequence[EvaluationSet]) -> Iterator[_Block]:
    for texts in in_batches(measured_texts(evaluation_sets), BLOCK):
        kept, signature_NH = [], []
        for begin in range(0, len(texts), BATCH):
            part = texts[begin : begin + BATCH]
            compared, found = _signed([one.text for one in part])
            kept += [part[place] for place in compared]
            signature_NH.append(found)
        yield _Block(kept, SignatureIndex(np.concatenate(signature_NH)))


def _signed(texts: Sequence[str]) -> tuple[NDArray[np.int64], Signatures]:
    """The places of the texts that are long enough, and their signatures."""
    grams = grams_of(texts)
    long = np.flatnonzero(np.diff(grams.start_N) >= FEWEST)
    return long, signatures(grams)[long]


def _near(
    columns: Columns, distinct_T: NDArray[np.bool_], block: _Block, similarity: float
) -> Iterator[Near]:
    begin = 0
    for _, chunk in columns.joined.keyed_texts():
        for rows in np.array_split(
            np.flatnonzero(distinct_T[begin : begin + len(chunk)]), 1 + len(chunk) // BATCH
        ):
            texts = chunk.take(pa.array(rows)).to_pylist()
            yield from _compared(texts, begin + rows, block, similarity)
        begin += len(chunk)


def _compared(
    texts: Sequence[str], rows: NDArray[np.int64], block: _Block, similarity: float
) -> Iterator[Near]:
    long, signature_NH = _signed(texts)
    found = [*block.signed.candidates(signature_NH, least=max(0.0, similarity - ERROR))]
    if not found:
        return
    asked, other, agreeing = (np.concatenate(column) for column in zip(*found, strict=True))
    best = _nearest(asked, agreeing)
    asked, other = long[asked[best]], other[best]
    of_trained = [*grams_of([texts[place] for place in asked]).sets()]
    of_measured = [*grams_of([block.texts[place].text for place in other]).sets()]
    for place, (trained, measured) in enumerate(zip(of_trained, of_measured, strict=True)):
        found_similarity = jaccard(trained, measured)
        text, match = texts[asked[place]], block.texts[other[place]]
        if found_similarity >= similarity and loosely_folded(text) != loosely_folded(match.text):
            yield Near(int(rows[asked[place]]), match, found_similarity)


def _nearest(asked_M: NDArray[np.int64], agreeing_M: NDArray[np.float64]) -> NDArray[np.int64]:
    """The `MOST` pairs of each text in which most hashes agree, text by text."""
    order = np.lexsort((-agreeing_M, asked_M))
    sorted_M = asked_M[order]
    first = np.searchsorted(sorted_M, sorted_M)
    return order[np.arange(len(order)) - first < MOST]
