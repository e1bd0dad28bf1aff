"""Audits training and development data for texts of the evaluation sets.

Two overlaps are leaks, since they show the encoder a question of the evaluation: a query of an
evaluation set among the training texts, in any role, and a passage that is relevant to one of them
as a training query. They are refused. Any other overlap is a passage of the searched corpus, seen
in training with other queries, as is usual in domain adaptation, or a training query that equals a
passage relevant to nothing. It is counted and logged.
"""

import logging
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lingmix.data.columns.columns import Columns
from lingmix.data.columns.numbering import Rows
from lingmix.data.columns.shard import ROLES, hash_of
from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.text import loosely_folded
from lingmix.errors import InputError

log = logging.getLogger(__name__)

Role = Literal["query", "relevant passage", "passage"]
"""The role of a text in an evaluation set; a `passage` is relevant to no query."""


class Overlap(NamedTuple):
    """A training text, `field` of an item (`queries.en`), that is in an evaluation set too."""

    item_id: str
    field: str
    evaluation_set: str
    role: Role
    evaluation_id: str
    text: str

    @property
    def is_leak(self) -> bool:
        """Whether it shows the encoder a question of the evaluation."""
        as_query = self.field.startswith("queries.")
        return self.role == "query" or (self.role == "relevant passage" and as_query)

    def __str__(self) -> str:
        return (
            f"item {self.item_id!r} {self.field} is {self.evaluation_set} {self.role} "
            f"{self.evaluation_id!r} ({self.text!r})"
        )


class SharedQuery(NamedTuple):
    """A query of the development set that is a query of an evaluation set too."""

    development_id: str
    evaluation_set: str
    evaluation_id: str
    text: str

    def __str__(self) -> str:
        return (
            f"query {self.development_id!r} is {self.evaluation_set} query "
            f"{self.evaluation_id!r} ({self.text!r})"
        )


class _Place(NamedTuple):
    evaluation_set: str
    role: Role
    id: str


def audit_leakage(
    columns: Columns,
    *,
    items: Rows | None,
    evaluation_sets: Sequence[EvaluationSet],
) -> list[Overlap]:
    """Returns the overlaps of queries, passages and negatives of the training `items` (see
    `scaled_items`) with queries and passages of the evaluation sets.

    Texts are compared `loosely_folded`: first their hashes, then the texts themselves. Texts short
    enough to be equal by chance are left out: those without a letter, such as a year, and those
    narrower than four Latin letters, or two of Chinese, Japanese or Korean.
    """
    places = _places_by_form(_evaluation_texts(evaluation_sets))
    hashes = pa.array(sorted(map(hash_of, places)), pa.uint64())
    overlaps: list[Overlap] = []
    joined = columns.joined
    for begin, form, role, language, item in joined.columns(
        "texts", "loose_form", "role", "language", "item"
    ):
        found = pc.is_in(pa.array(form), value_set=hashes).to_numpy(zero_copy_only=False)
        if items is not None:
            found &= items[item] >= 0
        rows = np.flatnonzero(found)
        for row, text in zip(rows, columns.texts.take(begin + rows), strict=True):
            field = f"{ROLES[role[row]]}.{joined.languages[language[row]]}"
            item_id = columns.item_ids[int(item[row])]
            overlaps += [
                Overlap(item_id, field, *place, text=_excerpt(text))
                for place in places.get(loosely_folded(text), ())
            ]
    return overlaps


def audit_development(
    *, development: EvaluationSet, evaluation_sets: Sequence[EvaluationSet]
) -> list[SharedQuery]:
    """Returns the development queries that are queries of an evaluation set, compared as by
    `audit_leakage`. The passages may be the same: splits of one set share a corpus."""
    places = _places_by_form(text for one in evaluation_sets for text in _queries(one))
    return [
        SharedQuery(id, place.evaluation_set, place.id, _excerpt(text))
        for id, text in zip(development.query_ids, development.queries, strict=True)
        for place in places.get(loosely_folded(text), ())
    ]


def refuse_leakage(*, overlaps: Sequence[Overlap], allowed: Sequence[str]) -> None:
    """Raises InputError for a leak from an evaluation set whose name is not `allowed`; else logs
    how many passages of each set are trained on."""
    refused = [one for one in overlaps if one.is_leak and one.evaluation_set not in allowed]
    if not refused:
        _log_shared_passages(overlaps)
        return
    names = ",".join(sorted({*allowed, *(overlap.evaluation_set for overlap in refused)}))
    raise InputError(
        f"training data hold queries of evaluation data, or passages relevant to them as queries, "
        f"{len(refused)} times: {_first(refused)}; "
        f"leave them out of training, or set data.allow_overlap=[{names}] to train on them all the "
        "same"
    )


def _log_shared_passages(overlaps: Sequence[Overlap]) -> None:
    shared = {(one.evaluation_set, one.evaluation_id) for one in overlaps if not one.is_leak}
    if counts := Counter(name for name, _ in sorted(shared)):
        log.warning(
            "training data hold passages that are searched: %s; figures on them are of a corpus "
            "that training has seen",
            ", ".join(f"{count} of {name}" for name, count in counts.items()),
        )


def refuse_shared_queries(*, shared: Sequence[SharedQuery], allowed: Sequence[str]) -> None:
    """Raises InputError unless `allowed` names every set concerned, as `development/<set>`."""
    refused = [one for one in shared if _of_development(one) not in allowed]
    if not refused:
        return
    names = ",".join(sorted({*allowed, *map(_of_development, refused)}))
    raise InputError(
        "data.development: must hold no query of an evaluation set, got "
        f"{len(refused)}: {_first(refused)}; choose other queries to develop on, or set "
        f"data.allow_overlap=[{names}] to choose weights by these all the same"
    )


def _of_development(one: SharedQuery) -> str:
    return f"development/{one.evaluation_set}"


def _first(found: Sequence[Overlap] | Sequence[SharedQuery], most: int = 3) -> str:
    more = "" if len(found) <= most else f"; and {len(found) - most} more"
    return "; ".join(map(str, found[:most])) + more


def _excerpt(text: str) -> str:
    return " ".join(text.split())[:80]


def _places_by_form(texts: Iterator[tuple[str, _Place]]) -> dict[str, list[_Place]]:
    """Maps each folded text that is not too short to where it stands."""
    places: dict[str, list[_Place]] = {}
    for text, place in texts:
        if _is_long_enough(form := loosely_folded(text)):
            places.setdefault(form, []).append(place)
    return places


def _is_long_enough(form: str) -> bool:
    columns = sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in form[:4])
    return columns >= 4 and any(character.isalpha() for character in form)


def _evaluation_texts(evaluation_sets: Sequence[EvaluationSet]) -> Iterator[tuple[str, _Place]]:
    for one in evaluation_sets:
        yield from _queries(one)
        relevant = set(one.passage_J[one.grade_J > 0].tolist())
        for row, (id, text) in enumerate(zip(one.passage_ids, one.passages, strict=True)):
            role: Role = "relevant passage" if row in relevant else "passage"
            yield text, _Place(one.name, role, id)


def _queries(one: EvaluationSet) -> Iterator[tuple[str, _Place]]:
    for id, text in zip(one.query_ids, one.queries, strict=True):
        yield text, _Place(one.name, "query", id)
