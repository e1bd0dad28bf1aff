"""Whether a text that is trained on, or a query developed on, is also one that is measured on.

The queries of an evaluation set may not be trained on, neither as queries nor as passages nor as
negatives, and a passage that is relevant to one of them may not be trained on as a query: either
shows the encoder a question that it is asked. All else that is shared is a passage of the corpus
that is searched: trained on with other queries, as is usual where one adapts to a domain of one's
own, or a query that is a passage relevant to nothing. It is counted, and said.
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
"""Of a text in an evaluation set; `passage` is one that is relevant to no query."""


class Overlap(NamedTuple):
    """A training text, `field` of an item (`queries.en`), that an evaluation set holds too."""

    item_id: str
    field: str
    evaluation_set: str
    role: Role
    evaluation_id: str
    text: str

    @property
    def is_leak(self) -> bool:
        """Whether what is asked is trained on, and not a passage alone that is searched."""
        as_query = self.field.startswith("queries.")
        return self.role == "query" or (self.role == "relevant passage" and as_query)

    def __str__(self) -> str:
        return (
            f"item {self.item_id!r} {self.field} is {self.evaluation_set} {self.role} "
            f"{self.evaluation_id!r} ({self.text!r})"
        )


class SharedQuery(NamedTuple):
    """A query of the development set that is one of an evaluation set too."""

    development_id: str
    evaluation_set: str
    evaluation_id: str
    text: str

    def __str__(self) -> str:
        return (
            f"query {self.development_id!r} is {self.evaluation_set} query "
            f"{self.evaluation_id!r} ({self.text!r})"
        )


class _Measured(NamedTuple):
    evaluation_set: str
    role: Role
    id: str


def audit_leakage(
    columns: Columns,
    *,
    items: Rows | None,
    evaluation_sets: Sequence[EvaluationSet],
) -> list[Overlap]:
    """Queries, passages and negatives of the `items` that are trained on (see `scaled_items`)
    against queries and passages, compared `loosely_folded`: first their hashes, then the texts.

    Texts that are short enough to be equal by chance are passed over: those without a letter, such
    as a year, and those narrower than four Latin letters, which is two of Chinese, Japanese or
    Korean.
    """
    measured = _by_form(_measured_on(evaluation_sets))
    hashes = pa.array(sorted(map(hash_of, measured)), pa.uint64())
    overlaps: list[Overlap] = []
    joined = columns.joined
    for begin, form, role, language, item in joined.columns(
        "texts", "loose_form", "role", "language", "item"
    ):
        found = pc.is_in(pa.array(form), value_set=hashes).to_numpy(zero_copy_only=False)
        if items is not None:
            found &= items[item] >= 0
        places = np.flatnonzero(found)
        for place, text in zip(places, columns.texts.take(begin + places), strict=True):
            field = f"{ROLES[role[place]]}.{joined.languages[language[place]]}"
            item_id = columns.item_ids[int(item[place])]
            overlaps += [
                Overlap(item_id, field, *one, text=_shown(text))
                for one in measured.get(loosely_folded(text), ())
            ]
    return overlaps


def audit_development(
    *, development: EvaluationSet, evaluation_sets: Sequence[EvaluationSet]
) -> list[SharedQuery]:
    """Queries against queries, compared as by `audit_leakage`. The passages may be the same: splits
    of one set share a corpus."""
    measured = _by_form(text for one in evaluation_sets for text in _queries(one))
    return [
        SharedQuery(id, found.evaluation_set, found.id, _shown(text))
        for id, text in zip(development.query_ids, development.queries, strict=True)
        for found in measured.get(loosely_folded(text), ())
    ]


def refuse_leakage(*, overlaps: Sequence[Overlap], allowed: Sequence[str]) -> None:
    """Raises InputError for a leak from an evaluation set that is not `allowed` by name; logs how
    many passages of each set are trained on without one."""
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
    """Unless `allowed` names every evaluation set concerned, as `development/<set>`."""
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


def _shown(text: str) -> str:
    return " ".join(text.split())[:80]


def _by_form(texts: Iterator[tuple[str, _Measured]]) -> dict[str, list[_Measured]]:
    """Those of texts that tell something."""
    measured: dict[str, list[_Measured]] = {}
    for text, place in texts:
        if _is_telling(form := loosely_folded(text)):
            measured.setdefault(form, []).append(place)
    return measured


def _is_telling(form: str) -> bool:
    columns = sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in form[:4])
    return columns >= 4 and any(character.isalpha() for character in form)


def _measured_on(evaluation_sets: Sequence[EvaluationSet]) -> Iterator[tuple[str, _Measured]]:
    for one in evaluation_sets:
        yield from _queries(one)
        relevant = set(one.passage_J[one.grade_J > 0].tolist())
        for place, (id, text) in enumerate(zip(one.passage_ids, one.passages, strict=True)):
            role: Role = "relevant passage" if place in relevant else "passage"
            yield text, _Measured(one.name, role, id)


def _queries(one: EvaluationSet) -> Iterator[tuple[str, _Measured]]:
    for id, text in zip(one.query_ids, one.queries, strict=True):
        yield text, _Measured(one.name, "query", id)
