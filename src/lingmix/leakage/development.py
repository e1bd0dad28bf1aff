"""Queries of the development set that are queries of an evaluation set too: weights are chosen by
the one, and measured by the other."""

from collections.abc import Sequence
from typing import NamedTuple

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.text import loosely_folded
from lingmix.errors import InputError
from lingmix.leakage.equal import by_form
from lingmix.leakage.overlap import first_of, measured_queries


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


def audit_development(
    *, development: EvaluationSet, evaluation_sets: Sequence[EvaluationSet]
) -> list[SharedQuery]:
    """Queries against queries, compared as by `equal_texts`. The passages may be the same: splits
    of one set share a corpus."""
    measured = by_form(query for one in evaluation_sets for query in measured_queries(one))
    return [
        SharedQuery(id, found.evaluation_set, found.id, " ".join(text.split())[:80])
        for id, text in zip(development.query_ids, development.queries, strict=True)
        for found in measured.get(loosely_folded(text), ())
    ]


def refuse_shared_queries(*, shared: Sequence[SharedQuery], allowed: Sequence[str]) -> None:
    """Unless `allowed` names every evaluation set concerned, as `development/<set>`."""
    refused = [one for one in shared if _of_development(one) not in allowed]
    if not refused:
        return
    names = ",".join(sorted({*allowed, *map(_of_development, refused)}))
    raise InputError(
        "data.development: must hold no query of an evaluation set, got "
        f"{len(refused)}: {first_of(refused)}; choose other queries to develop on, or set "
        f"data.allow_overlap=[{names}] to choose weights by these all the same"
    )


def _of_development(one: SharedQuery) -> str:
    return f"development/{one.evaluation_set}"
