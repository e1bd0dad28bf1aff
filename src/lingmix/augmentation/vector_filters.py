"""Filters by an encoder's vectors: the round trip, and the adequacy of translations."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lingmix.augmentation.drafts import (
    Bench,
    Draft,
    Outcome,
    Rejected,
    Side,
    keep_queries,
    queries_of,
    required,
)
from lingmix.data.items import Texts
from lingmix.ranges import Count, Share

if TYPE_CHECKING:  # it imports torch
    from lingmix.data.tokens import Role

ROWS = 1024
"""Queries that are compared at once."""

ENCODER = "an encoder, as encoder=me5_small or encoder=pretrained encoder.name=folder"

Asked = tuple[Draft, str, str]
"""A draft, and the language and the text of one of its queries."""


class RoundTrip:
    """Drops queries whose own passage is not among the `depth` nearest of all passages there are in
    its language: in the query's, or where the draft has none in that, in the best of the others."""

    def __init__(self, *, depth: Count) -> None:
        self._depth = depth

    def __call__(self, drafts: Sequence[Draft], bench: Bench) -> Outcome:
        asked: dict[str, list[Asked]] = defaultdict(list)
        for draft in drafts:
            for language, text in queries_of(draft):
                for of in [language] if language in draft.passages else draft.passages:
                    asked[of].append((draft, language, text))
        ranks: dict[tuple[str, str, str], int] = {}
        for of, of_language in asked.items():
            for (draft, *query), rank in zip(
                of_language, _ranks(of_language, of, bench), strict=True
            ):
                key = (draft.id, query[0], query[1])
                ranks[key] = min(rank, ranks.get(key, rank))

        def judge(draft: Draft, language: str, text: str) -> tuple[str, str] | None:
            rank = ranks[draft.id, language, text]
            return ("does not find its passage", f"rank {rank}") if rank > self._depth else None

        return keep_queries(drafts, judge)


def _ranks(asked: Sequence[Asked], language: str, bench: Bench) -> list[int]:
    """The rank of each query's passage among those of a language; a passage of an equal score, as
    an equal text has, is not before it."""
    encode = required(bench.encode, "encoder", ENCODER)
    pool = [one.passages[language][0] for one in bench.corpus if language in one.passages]
    passages_PD = encode(pool, "passage")[:]
    own_QD = encode([draft.passages[language][0] for draft, _, _ in asked], "passage")
    queries_QD = encode([text for _, _, text in asked], "query")
    ranks: list[int] = []
    for begin in range(0, len(asked), ROWS):
        some = slice(begin, begin + ROWS)
        scores_QP = queries_QD[some] @ passages_PD.T
        own_Q = np.einsum("qd,qd->q", queries_QD[some], own_QD[some])
        ranks += ((scores_QP > own_Q[:, None] + 1e-6).sum(axis=1) + 1).tolist()
    return ranks


class Adequacy:
    """Drops translations whose cosine with the text of the `source` language is below `least`: of
    queries, or of passages, of which the draft keeps those that are left."""

    def __init__(self, *, source: str, side: Side, least: Share) -> None:
        self._source, self._side, self._least = source, side, least

    def __call__(self, drafts: Sequence[Draft], bench: Bench) -> Outcome:
        encode = required(bench.encode, "encoder", ENCODER)
        role: Role = "query" if self._side == "queries" else "passage"
        every = [
            text
            for draft in drafts
            for texts in getattr(draft, self._side).values()
            for text in texts
        ]
        rows = {text: row for row, text in enumerate(dict.fromkeys(every))}
        vectors_ND = encode([*rows], role)[:] if rows else np.empty((0, 1))
        kept, rejected = [], []
        for draft in drafts:
            texts: Texts = getattr(draft, self._side)
            sources = [rows[text] for text in texts.get(self._source, ())]
            left: dict[str, tuple[str, ...]] = {}
            for language, translated in texts.items():
                for text in translated:
                    cosine = (vectors_ND[sources] @ vectors_ND[rows[text]]).max(initial=-1.0)
                    if language == self._source or not sources or cosine >= self._least:
                        left[language] = (*left.get(language, ()), text)
                    else:
                        detail = f"cosine {cosine:.2f}"
                        rejected.append(
                            Rejected(draft.id, language, text, "far from its source", detail)
                        )
            kept.append(
                replace(draft, queries=left)
                if self._side == "queries"
                else replace(draft, passages=left)
            )
        return Outcome(kept, rejected)
