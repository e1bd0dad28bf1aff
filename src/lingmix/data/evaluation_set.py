"""What is measured on: queries, passages and which of them are relevant, each with its language."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import compress
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lingmix.data.languages import require_language
from lingmix.data.question_names import question_name
from lingmix.data.text_column import Repeated, TextColumn
from lingmix.errors import InputError

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False, kw_only=True)
class EvaluationSet:
    """Queries and passages by position; judgement j says that passage `passage_J[j]` has grade
    `grade_J[j]` (above 0: relevant) for query `query_J[j]`.

    With `other_languages_only` a query is ranked against passages of other languages alone: its
    own language's passage holds it verbatim; with `ignore_own`, against no passage that has its id,
    as it is that passage. With `pooled_if_judged_everywhere` the multilingual setting has those
    queries alone that are judged in every passage language. `unjudged` counts queries of the source
    that have no judgement and so are not here.
    """

    name: str
    query_ids: Sequence[str]
    queries: Sequence[str]
    query_languages: Sequence[str]
    passage_ids: Sequence[str]
    passages: Sequence[str]
    passage_languages: Sequence[str]
    query_J: NDArray[np.int32]
    passage_J: NDArray[np.int32]
    grade_J: NDArray[np.int32]
    other_languages_only: bool = False
    ignore_own: bool = False
    pooled_if_judged_everywhere: bool = False
    unjudged: int = 0

    def __post_init__(self) -> None:
        for what, ids in (("query", self.query_ids), ("passage", self.passage_ids)):
            if not len(ids):
                raise InputError(f"evaluation set {self.name}: it has no {what}")
            twice = ids.repeated() if isinstance(ids, TextColumn) else _repeated(ids)
            if twice is not None:
                raise InputError(f"evaluation set {self.name}: {what} id {twice!r} occurs twice")
        languages = _distinct(self.query_languages) | _distinct(self.passage_languages)
        for language in sorted(languages, key=str):
            require_language(f"evaluation set {self.name}:", language)
        self._refuse_judgements()

    def _refuse_judgements(self) -> None:
        Q, P = len(self.query_ids), len(self.passage_ids)
        for what, position_J, end in (("query", self.query_J, Q), ("passage", self.passage_J, P)):
            wrong = np.flatnonzero((position_J < 0) | (position_J >= end))
            if len(wrong):
                raise InputError(
                    f"evaluation set {self.name}: judgement {wrong[0]} names {what} "
                    f"{position_J[wrong[0]]}, there are {end}, counted from 0"
                )
        self._refuse_own()
        pair_J = self.query_J.astype(np.int64) * P + self.passage_J
        pairs, counts = np.unique(pair_J, return_counts=True)
        if len(pairs) < len(pair_J):
            query, passage = divmod(int(pairs[counts.argmax()]), P)
            raise InputError(
                f"evaluation set {self.name}: query {self.query_ids[query]!r} and passage "
                f"{self.passage_ids[passage]!r} are judged {counts.max()} times; keep one of them"
            )

    def _refuse_own(self) -> None:
        relevant_J = np.flatnonzero(self.grade_J > 0) if self.ignore_own else ()
        for j in relevant_J:
            if (id := self.query_ids[self.query_J[j]]) == self.passage_ids[self.passage_J[j]]:
                raise InputError(
                    f"evaluation set {self.name}: {id!r} is judged relevant to itself, which "
                    "ignore_own leaves out; remove the judgement"
                )

    @cached_property
    def by_descending_id(self) -> NDArray[np.int64]:
        """Positions of the passages in the order that trec_eval gives equal scores."""
        ids = self.passage_ids
        series = pl.Series(ids.array if isinstance(ids, TextColumn) else ids)
        return series.arg_sort(descending=True).to_numpy().astype(np.int64)

    @cached_property
    def self_matches(self) -> NDArray[np.int64]:
        """For each query the position of the passage that has its id, -1 where none has."""
        queries = set(self.query_ids)
        position = {id: p for p, id in enumerate(self.passage_ids) if id in queries}
        return np.array([position.get(id, -1) for id in self.query_ids], dtype=np.int64)

    @cached_property
    def questions(self) -> NDArray[np.int64]:
        """The number of the question that each query asks. Queries ask the same one in several
        languages where their ids differ in the language alone (`en:17` and `de:17`, or `17-en` and
        `17-de`) and so do not their relevant passages: the first of them is the same. Ids alone do
        not tell, as sets number the questions of each language from 1."""
        relevant = pl.DataFrame({"query": self.query_J, "passage": self.passage_J}).filter(
            pl.Series(self.grade_J > 0)
        )
        first = relevant.group_by("query").agg(pl.col("passage").min())
        name = question_name(pl.col("id"), pl.col("language"))
        return (
            pl.DataFrame({"id": self.query_ids, "language": self.query_languages})
            .with_columns(query=pl.int_range(pl.len(), dtype=pl.Int32))
            .join(first, on="query", how="left", maintain_order="left")
            .select(pl.struct(name, "passage").rank("dense"))
            .to_series()
            .to_numpy()
            .astype(np.int64)
        )

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """Of queries and passages, sorted."""
        return tuple(sorted(_distinct(self.query_languages) | _distinct(self.passage_languages)))

    def within(self, languages: Sequence[str]) -> Self:
        """The queries and passages of these languages, and the judgements between them.

        What the set has no text in is said, and left out.
        """
        query_Q = np.isin(self.query_languages, languages)
        passage_P = np.isin(self.passage_languages, languages)
        if not (query_Q.any() and passage_P.any()):
            raise InputError(
                f"languages: evaluation set {self.name} has no query or no passage in "
                f"{', '.join(languages)}; it has {', '.join(self.languages)}"
            )
        if absent := sorted(set(languages) - set(self.languages)):
            log.warning("evaluation set %s has no %s", self.name, ", ".join(absent))
        kept_J = query_Q[self.query_J] & passage_P[self.passage_J]
        return replace(
            self,
            query_ids=_where(self.query_ids, query_Q),
            queries=_where(self.queries, query_Q),
            query_languages=_where(self.query_languages, query_Q),
            passage_ids=_where(self.passage_ids, passage_P),
            passages=_where(self.passages, passage_P),
            passage_languages=_where(self.passage_languages, passage_P),
            query_J=(np.cumsum(query_Q) - 1)[self.query_J[kept_J]].astype(np.int32),
            passage_J=(np.cumsum(passage_P) - 1)[self.passage_J[kept_J]].astype(np.int32),
            grade_J=self.grade_J[kept_J],
        )


def _where(texts: Sequence[str], mask: NDArray[np.bool_]) -> Sequence[str]:
    """Columns on disk stay there."""
    if isinstance(texts, TextColumn | Repeated):
        return texts.where(mask)
    return tuple(compress(texts, mask))


def _distinct(languages: Sequence[str]) -> set[str]:
    return languages.distinct() if isinstance(languages, Repeated) else set(languages)


def _repeated(ids: Sequence[str]) -> str | None:
    if len(set(ids)) == len(ids):
        return None
    return Counter(ids).most_common(1)[0][0]
