"""Drops queries that say what one before them says, in their language or in another."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from lingmix.augmentation.drafts import Bench, Draft, Outcome, keep_queries, queries_of, required
from lingmix.augmentation.vector_filters import ENCODER
from lingmix.data.minhash import SignatureIndex, grams_of, jaccard, signatures
from lingmix.ranges import Share

SLACK = 0.15
"""Signatures estimate the similarity to about this; what they find is then computed."""

BLOCK = 1024


class Duplicates:
    """Drops near-duplicates of a query before it: of its language, by the Jaccard similarity of
    character n-grams, and of any language, by an encoder's cosine, unless `least_cosine` is null.

    Queries of one item in two languages are translations, and no duplicates. What is compared with
    are all queries before it, dropped or not, so that nothing depends on what comes after.
    """

    def __init__(self, *, least_similarity: Share, least_cosine: Share | None) -> None:
        self._similarity, self._cosine = least_similarity, least_cosine

    def __call__(self, drafts: Sequence[Draft], bench: Bench) -> Outcome:
        queries = [
            (number, *query) for number, one in enumerate(drafts) for query in queries_of(one)
        ]
        places = defaultdict(list)
        for place, (_, language, _) in enumerate(queries):
            places[language].append(place)
        found: dict[int, tuple[int, str]] = {}
        for of_language in places.values():
            texts = [queries[place][2] for place in of_language]
            for later, earlier in _alike(texts, self._similarity):
                place = of_language[later]
                found.setdefault(place, (of_language[earlier], "near-duplicate"))
        if self._cosine is not None and queries:
            encode = required(bench.encode, "encoder", ENCODER)
            vectors_QD = encode([text for _, _, text in queries], "query")[:]
            draft_Q = np.array([number for number, _, _ in queries])
            for later, earlier in _near(vectors_QD, draft_Q, self._cosine):
                found.setdefault(later, (earlier, "says the same as another"))
        reasons = {
            (drafts[queries[place][0]].id, *queries[place][1:]): (reason, queries[earlier][2])
            for place, (earlier, reason) in found.items()
        }
        return keep_queries(drafts, lambda draft, *query: reasons.get((draft.id, *query)))


def _near(
    vectors_QD: NDArray[np.float32], draft_Q: NDArray[np.int64], least: float
) -> Iterator[tuple[int, int]]:
    """Yield each query that is near one of an earlier draft, and the first of these."""
    for begin in range(0, len(vectors_QD), BLOCK):
        end = min(begin + BLOCK, len(vectors_QD))
        near_QP = vectors_QD[begin:end] @ vectors_QD[:end].T >= least
        near_QP &= draft_Q[begin:end, None] > draft_Q[:end]
        for row in np.flatnonzero(near_QP.any(axis=1)).tolist():
            yield begin + row, int(near_QP[row].argmax())


def _alike(texts: Sequence[str], least: float) -> list[tuple[int, int]]:
    """Pairs of a text and an earlier one, the first that is as similar."""
    grams = grams_of(texts)
    sets = [*grams.sets()]
    signature_NH = signatures(grams)
    pairs: dict[int, int] = {}
    for asked, found, _ in SignatureIndex(signature_NH).candidates(
        signature_NH, least=max(0.0, least - SLACK)
    ):
        for later, earlier in zip(asked.tolist(), found.tolist(), strict=True):
            if earlier < later and jaccard(sets[later], sets[earlier]) >= least:
                pairs[later] = min(earlier, pairs.get(later, earlier))
    return sorted(pairs.items())
