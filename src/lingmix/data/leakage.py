"""Whether a text that is trained on is also one that is measured on."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Literal, NamedTuple

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.items import Item
from lingmix.data.text import folded
from lingmix.errors import InputError


class Overlap(NamedTuple):
    """A training text, `field` of an item (`queries.en`), that an evaluation set holds too."""

    item_id: str
    field: str
    evaluation_set: str
    role: Literal["query", "passage"]
    evaluation_id: str
    text: str

    def __str__(self) -> str:
        return (
            f"item {self.item_id!r} {self.field} is {self.evaluation_set} {self.role} "
            f"{self.evaluation_id!r} ({self.text!r})"
        )


class _Measured(NamedTuple):
    evaluation_set: str
    role: Literal["query", "passage"]
    id: str


def audit_leakage(
    *, items: Sequence[Item], evaluation_sets: Sequence[EvaluationSet]
) -> list[Overlap]:
    """Queries, passages and negatives against queries and passages, compared `folded`.

    Texts that are short enough to be equal by chance are passed over: those under 4 characters and
    those without a letter, such as a year.
    """
    measured: dict[str, list[_Measured]] = {}
    key_of = cache(folded)  # a text of many pairs is folded once
    for key, text in _measured_on(evaluation_sets):
        measured.setdefault(key, []).append(text)
    return [
        Overlap(item.id, field, *found, text=" ".join(text.split())[:80])
        for item in items
        for field, text in _trained_on(item)
        for found in measured.get(key_of(text), ())
    ]


def refuse_leakage(*, overlaps: Sequence[Overlap], allowed: Sequence[str]) -> None:
    """Unless every overlap is with an evaluation set `allowed` by name."""
    refused = [overlap for overlap in overlaps if overlap.evaluation_set not in allowed]
    if not refused:
        return
    names = ",".join(sorted({*allowed, *(overlap.evaluation_set for overlap in refused)}))
    rows = "; ".join(map(str, refused[:3]))
    more = "" if len(refused) <= 3 else f"; and {len(refused) - 3} more"
    raise InputError(
        f"training data hold texts of evaluation data, {len(refused)} times: {rows}{more}; leave "
        f"them out of training, or set data.allow_overlap=[{names}] to train on them all the same"
    )


def _measured_on(evaluation_sets: Sequence[EvaluationSet]) -> Iterator[tuple[str, _Measured]]:
    for one in evaluation_sets:
        for id, text in zip(one.query_ids, one.queries, strict=True):
            yield from _telling(text, _Measured(one.name, "query", id))
        for id, text in zip(one.passage_ids, one.passages, strict=True):
            yield from _telling(text, _Measured(one.name, "passage", id))


def _telling(text: str, measured: _Measured) -> Iterator[tuple[str, _Measured]]:
    key = folded(text)
    if len(key) >= 4 and any(character.isalpha() for character in key):
        yield key, measured


def _trained_on(item: Item) -> Iterator[tuple[str, str]]:
    for field in ("queries", "passages", "negatives"):
        for language, texts in getattr(item, field).items():
            for text in texts:
                yield f"{field}.{language}", text
