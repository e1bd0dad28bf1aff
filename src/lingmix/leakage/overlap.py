"""What a training text and an evaluation set have in common, what of it is a leak, and what is
refused.

Two overlaps are leaks, since they show the encoder a question of the evaluation: a query of an
evaluation set among the training texts, in any role, and a passage that is relevant to one of them
as a training query. They are refused. Any other overlap is a passage of the searched corpus, seen
in training with other queries, as is usual in domain adaptation, or a training query that equals a
passage relevant to nothing. It is counted and logged.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lingmix.data.columns.columns import Columns
from lingmix.data.columns.shard import ROLES
from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.text_column import BATCH
from lingmix.errors import InputError

log = logging.getLogger(__name__)

Role = Literal["query", "relevant passage", "passage"]
"""The role of a text in an evaluation set; a `passage` is relevant to no query."""

Kind = Literal["exact", "normalised", "near", "translation"]
"""How a training text is an evaluation text: letter by letter, `loosely_folded`, by most of its
n-grams, or by the id that translations share."""

_IS: dict[Kind, str] = {
    "exact": "is",
    "normalised": "is",
    "near": "is nearly",
    "translation": "is by its id a translation of",
}


class Measured(NamedTuple):
    """A text of an evaluation set."""

    evaluation_set: str
    role: Role
    id: str
    language: str
    text: str


class Overlap(NamedTuple):
    """A training text, `field` of an item (`queries.en`), that an evaluation set holds too.

    `similarity` is that of their n-grams where they are compared, 1 where they are equal, and null
    for a translation. `source` names what the item was read from.
    """

    item_id: str
    field: str
    evaluation_set: str
    role: Role
    evaluation_id: str
    text: str
    kind: Kind
    similarity: float | None
    evaluation_text: str
    source: str

    @property
    def is_leak(self) -> bool:
        """Whether it shows the encoder a question of the evaluation."""
        as_query = self.field.startswith("queries.")
        return self.role == "query" or (self.role == "relevant passage" and as_query)

    def __str__(self) -> str:
        texts = repr(_shortened(self.text))
        if self.kind == "near":
            texts += f" and {_shortened(self.evaluation_text)!r}, similarity {self.similarity:.2f}"
        return (
            f"item {self.item_id!r} {self.field} {_IS[self.kind]} {self.evaluation_set} "
            f"{self.role} {self.evaluation_id!r} ({texts})"
        )


class Trained(NamedTuple):
    """A row of the training texts, described."""

    row: int
    item: int
    field: str
    text: str


def overlap_of(
    columns: Columns, trained: Trained, measured: Measured, kind: Kind, similarity: float | None
) -> Overlap:
    """The overlap of two texts that are found to say the same."""
    return Overlap(
        item_id=columns.item_ids[trained.item],
        field=trained.field,
        evaluation_set=measured.evaluation_set,
        role=measured.role,
        evaluation_id=measured.id,
        text=trained.text,
        kind=kind,
        similarity=similarity,
        evaluation_text=measured.text,
        source=columns.joined.source_of(trained.item),
    )


def trained_rows(columns: Columns, rows: NDArray[np.integer]) -> Iterator[Trained]:
    """Describes rows of texts, in their order."""
    rows, joined = np.sort(rows), columns.joined
    for begin, role, language, item in joined.columns("texts", "role", "language", "item"):
        low, high = np.searchsorted(rows, (begin, begin + len(role)))
        here = rows[low:high]
        for row, text in zip(here.tolist(), columns.texts.take(here), strict=True):
            of = row - begin
            field = f"{ROLES[role[of]]}.{joined.languages[language[of]]}"
            yield Trained(row, int(item[of]), field, text)


def measured_texts(evaluation_sets: Sequence[EvaluationSet]) -> Iterator[Measured]:
    """All queries and passages, set by set."""
    for one in evaluation_sets:
        yield from measured_queries(one)
        relevant = set(one.passage_J[one.grade_J > 0].tolist())
        passages = zip(one.passage_ids, one.passage_languages, one.passages, strict=True)
        for place, (id, language, text) in enumerate(passages):
            role: Role = "relevant passage" if place in relevant else "passage"
            yield Measured(one.name, role, id, language, text)


def measured_queries(one: EvaluationSet) -> Iterator[Measured]:
    for id, language, text in zip(one.query_ids, one.query_languages, one.queries, strict=True):
        yield Measured(one.name, "query", id, language, text)


def in_batches(texts: Iterable[Measured], size: int = BATCH) -> Iterator[list[Measured]]:
    """Some texts at a time."""
    remaining = iter(texts)
    yield from iter(lambda: list(islice(remaining, size)), [])


def refuse_leakage(*, overlaps: Sequence[Overlap], allowed: Sequence[str]) -> None:
    """Raises InputError for a leak from an evaluation set that is not `allowed` by name; logs how
    many passages of each set are trained on without one."""
    refused = leaks(overlaps, allowed=allowed)
    if not refused:
        _log_shared_passages(overlaps)
        return
    names = ",".join(sorted({*allowed, *(overlap.evaluation_set for overlap in refused)}))
    raise InputError(
        f"training data hold queries of evaluation data, or passages relevant to them as queries, "
        f"{len(refused)} times: {first_of(refused)}; "
        f"leave them out of training, or set data.allow_overlap=[{names}] to train on them all the "
        "same"
    )


def leaks(overlaps: Sequence[Overlap], *, allowed: Sequence[str]) -> list[Overlap]:
    """Those of sets that are not `allowed` by name."""
    return [one for one in overlaps if one.is_leak and one.evaluation_set not in allowed]


def _log_shared_passages(overlaps: Sequence[Overlap]) -> None:
    shared = {(one.evaluation_set, one.evaluation_id) for one in overlaps if not one.is_leak}
    if counts := Counter(name for name, _ in sorted(shared)):
        log.warning(
            "training data hold passages that are searched: %s; figures on them are of a corpus "
            "that training has seen",
            ", ".join(f"{count} of {name}" for name, count in counts.items()),
        )


def first_of(found: Sequence[object], most: int = 3) -> str:
    """Names the first of them, and how many more there are."""
    more = "" if len(found) <= most else f"; and {len(found) - most} more"
    return "; ".join(map(str, found[:most])) + more


def _shortened(text: str) -> str:
    return " ".join(text.split())[:80]
