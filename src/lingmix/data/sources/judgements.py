"""Queries, passages and judgements between their ids, put together as an evaluation set."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.text_column import TextColumn
from lingmix.errors import InputError


class Query(NamedTuple):
    id: str
    text: str
    language: str


@dataclass(frozen=True, kw_only=True)
class Passages:
    """A corpus: the ids, texts and languages of its passages by position."""

    ids: Sequence[str]
    texts: Sequence[str]
    languages: Sequence[str]

    def positions(self, ids: Collection[str]) -> dict[str, int]:
        """Returns the position of each id that is in the corpus."""
        if isinstance(self.ids, TextColumn):
            return self.ids.positions(ids)
        return {id: position for position, id in enumerate(self.ids) if id in ids}

    def texts_of(self, ids: Collection[str]) -> dict[str, str]:
        """Returns the text of each id that is in the corpus."""
        positions = self.positions(ids)
        return dict(zip(positions, self.at([*positions.values()]).texts, strict=True))

    def at(self, positions: Sequence[int]) -> "Passages":
        ids, texts, languages = (
            tuple(column.take(np.asarray(positions)))
            if isinstance(column, TextColumn)
            else tuple(column[position] for position in positions)
            for column in (self.ids, self.texts, self.languages)
        )
        return Passages(ids=ids, texts=texts, languages=languages)


class Judgement(NamedTuple):
    """The grade of each of `passages` for each of `queries`: ids of translations of one passage and
    of one query, some of which may not exist. `place` is where the judgement was read.
    """

    queries: tuple[str, ...]
    passages: tuple[str, ...]
    grade: int
    place: str


def judged_set(
    *,
    name: str,
    queries: Sequence[Query],
    passages: Passages,
    judgements: Sequence[Judgement],
    judged_only: bool = False,
) -> EvaluationSet:
    """Makes a set of the judged queries and the whole corpus, or with `judged_only` of its judged
    passages. Raises InputError for judgements of what does not exist, or that contradict."""
    positions = passages.positions({id for one in judgements for id in one.passages})
    grades = _grades(judgements, {query.id for query in queries}, positions)
    if judged_only:
        judged_positions = sorted({position for _, position in grades})
        passages = passages.at(judged_positions)
        renumbered = {position: n for n, position in enumerate(judged_positions)}
        grades = {(query, renumbered[place]): grade for (query, place), grade in grades.items()}
    judged = {query for query, _ in grades}
    asked = [query for query in queries if query.id in judged]
    numbers = {query.id: number for number, query in enumerate(asked)}
    return EvaluationSet(
        name=name,
        query_ids=tuple(query.id for query in asked),
        queries=tuple(query.text for query in asked),
        query_languages=tuple(query.language for query in asked),
        passage_ids=passages.ids,
        passages=passages.texts,
        passage_languages=passages.languages,
        query_J=np.array([numbers[query] for query, _ in grades], np.int32),
        passage_J=np.array([position for _, position in grades], np.int32),
        grade_J=np.array(list(grades.values()), np.int32),
        unjudged=len(queries) - len(asked),
    )


def _grades(
    judgements: Sequence[Judgement], queries: Collection[str], positions: dict[str, int]
) -> dict[tuple[str, int], int]:
    """Returns the grades by query id and passage position."""
    grades: dict[tuple[str, int], int] = {}
    for one in judgements:
        asked = [id for id in one.queries if id in queries]
        found = [positions[id] for id in one.passages if id in positions]
        for what, ids, there in (("query", one.queries, asked), ("passage", one.passages, found)):
            if not there:
                raise InputError(
                    f"{one.place}: {what} {ids[0]!r} is judged, but no {what} has that id"
                )
        for pair in product(asked, found):
            if grades.setdefault(pair, one.grade) != one.grade:
                raise InputError(
                    f"{one.place}: grade {one.grade} for query {one.queries[0]!r} and passage "
                    f"{one.passages[0]!r}, which an earlier row grades {grades[pair]}"
                )
    return grades
