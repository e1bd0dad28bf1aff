"""Hard negatives: passages that a search finds for a query and that are not known to answer it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lingmix.data.content_groups import ContentGroups
from lingmix.data.training_pairs import TrainingPairs
from lingmix.errors import InputError
from lingmix.search.exact import Hits, Searcher
from lingmix.search.shards import Matrix, Positions, inner_products
from lingmix.search.vectors import Vectors

QUERIES = 2**17
"""Searched at once; an index is built anew for each such lot."""

CELLS = 2**21
"""Pairs times candidates, or components, looked at once."""

SAME, SHARED = "say the same as the pair's own", "answer an equal query, or equal it"
SKIPPED, CLOSE, LEFT = "are of the ranks skipped", "score too high", "are left"
FATES = (SAME, SHARED, SKIPPED, CLOSE, LEFT)


@dataclass(frozen=True, kw_only=True)
class MiningRules:
    """`count` negatives a pair, of the `depth` passages nearest to its query.

    Known answers do not count among the ranks, of which the first `skip` are passed over. Of the
    others those stay that score at most `max_share` of the pair's own passage (TopK-PercPos), and
    at most that passage less `margin` (TopK-MarginPos; arXiv 2407.15831). None: no such bound.
    """

    count: int
    depth: int
    skip: int
    max_share: float | None
    margin: float | None
    take: Literal["best", "sample"]
    language: Literal["passage", "any"]
    seed: int

    def __post_init__(self) -> None:
        for key, least in (("count", 1), ("depth", 1), ("skip", 0), ("seed", 0)):
            if type(value := getattr(self, key)) is not int or value < least:
                raise InputError(
                    f"mining.{key}: must be a whole number of at least {least}, got {value!r}"
                )
        if self.depth < self.count + self.skip:
            raise InputError(
                f"mining.depth: must be at least count + skip = {self.count + self.skip}, "
                f"got {self.depth}"
            )
        if self.max_share is not None and not 0 < self.max_share <= 1:
            raise InputError(f"mining.max_share: must be in (0, 1], or null, got {self.max_share}")
        if self.margin is not None and not 0 <= self.margin < 2:
            raise InputError(f"mining.margin: must be in [0, 2), or null, got {self.margin}")
        for key, choices in (("take", ("best", "sample")), ("language", ("passage", "any"))):
            if (value := getattr(self, key)) not in choices:
                raise InputError(f"mining.{key}: must be {' or '.join(choices)}, got {value!r}")

    def limits(self, own_N: Matrix) -> NDArray[np.float64]:
        """The highest score of a negative, given that of the pair's own passage. A share is taken
        of its size, so that the limit lies below a negative score too."""
        scores_N = own_N.astype(np.float64)
        limit_N = np.full(len(own_N), np.inf)
        if self.max_share is not None:
            limit_N = scores_N - (1 - self.max_share) * np.abs(scores_N)
        if self.margin is not None:
            limit_N = np.minimum(limit_N, scores_N - self.margin)
        return limit_N


class Chosen(NamedTuple):
    """`passage_NC` holds passages by their numbers, -1 where there is none; `counts` says of all
    candidates what became of them."""

    passage_NC: Positions
    counts: Counter[str]


def mine(
    pairs: TrainingPairs,
    groups: ContentGroups,
    queries: Vectors,
    passages: Vectors,
    searcher: Searcher,
    *,
    rules: MiningRules,
) -> Chosen:
    """Negatives of every pair; `groups` are those of the pairs' texts."""
    mined = Chosen(np.full((len(pairs), rules.count), -1, dtype=np.int64), Counter())
    random = np.random.Generator(np.random.Philox(rules.seed))
    for corpus_P, pairs_M in _corpora(pairs, groups, rules.language):
        vectors = Vectors(passages.distinct_UD, passages.row_N[corpus_P])
        for query_Q, pairs_N, row_N in _lots(pairs, pairs_M):
            found = searcher(queries[query_Q], vectors, depth=rules.depth)
            hits = Hits(np.where(found.found, corpus_P[found.passage_QK], -1), found.score_QK)
            step = max(1, CELLS // max(hits.score_QK.shape[1], queries.shape[1]))
            for begin in range(0, len(pairs_N), step):
                some_N = pairs_N[begin : begin + step]
                query_N, passage_N = pairs.query_N[some_N], pairs.passage_N[some_N]
                each_N = np.arange(len(some_N))
                own_N = inner_products(queries[query_N], passages[passage_N], each_N, each_N)
                chosen = choose(
                    hits.of(row_N[begin : begin + step]),
                    query_N,
                    passage_N,
                    own_N,
                    groups=groups,
                    rules=rules,
                    random=random,
                )
                mined.passage_NC[some_N] = chosen.passage_NC
                mined.counts.update(chosen.counts)
    if not mined.counts[LEFT]:
        fates = ", ".join(f"{mined.counts[fate]} {fate}" for fate in FATES)
        raise InputError(
            f"mining: no pair has a candidate left: of {mined.counts.total()} candidates "
            f"{fates}; raise mining.depth or max_share, or lower margin or skip"
        )
    return mined


def choose(
    hits: Hits,
    query_N: Positions,
    passage_N: Positions,
    own_N: Matrix,
    *,
    groups: ContentGroups,
    rules: MiningRules,
    random: np.random.Generator,
) -> Chosen:
    """For N pairs, of the hits of each one's query. `passage_N` is the pair's own passage, which
    scores `own_N`; hits are numbers of passages too, no two of them equal texts."""
    known_NK = hits.found & groups.known_answers(query_N[:, None], hits.passage_QK)
    own_group_N1 = groups.passage_P[passage_N][:, None]
    same_NK = hits.found & (groups.passage_P[hits.passage_QK] == own_group_N1)
    shared_NK = known_NK & ~same_NK
    open_NK = hits.found & ~known_NK
    skipped_NK = open_NK & (open_NK.cumsum(axis=1) <= rules.skip)
    close_NK = open_NK & ~skipped_NK & (hits.score_QK > rules.limits(own_N)[:, None])
    left_NK = open_NK & ~skipped_NK & ~close_NK
    removed = (same_NK, shared_NK, skipped_NK, close_NK, left_NK)
    return Chosen(
        _taken(hits.passage_QK, left_NK, rules, random),
        Counter({name: int(cells_NK.sum()) for name, cells_NK in zip(FATES, removed, strict=True)}),
    )


def _taken(
    passage_NK: Positions,
    left_NK: NDArray[np.bool_],
    rules: MiningRules,
    random: np.random.Generator,
) -> Positions:
    """The best first, also of a sample."""
    N, K = left_NK.shape
    if rules.take == "sample":
        key_NK = np.where(left_NK, random.random((N, K)), np.inf)
        order_NK = key_NK.argsort(axis=1).argsort(axis=1)
        left_NK = left_NK & (order_NK < rules.count)
    first_NC = np.argsort(~left_NK, axis=1, kind="stable")[:, : rules.count]
    taken_NC = np.full((N, rules.count), -1, dtype=np.int64)
    taken_NC[:, : first_NC.shape[1]] = np.where(
        np.take_along_axis(left_NK, first_NC, axis=1),
        np.take_along_axis(passage_NK, first_NC, axis=1),
        -1,
    )
    return taken_NC


def _corpora(
    pairs: TrainingPairs, groups: ContentGroups, language: Literal["passage", "any"]
) -> Iterator[tuple[Positions, Positions]]:
    """Passages, and the pairs that are given of them; of equal texts one is there, the first."""
    language_N = np.array([pair.passage for pair in pairs.language_pairs])[pairs.language_pair_N]
    pair_of_negative = np.arange(len(pairs)).repeat(np.diff(pairs.negative_starts))
    for name in np.unique(language_N) if language == "passage" else [None]:
        pairs_M = np.flatnonzero(language_N == name) if name else np.arange(len(pairs))
        given = np.isin(pair_of_negative, pairs_M)
        held_P = np.unique(np.concatenate([pairs.passage_N[pairs_M], pairs.negative_texts[given]]))
        yield np.sort(held_P[np.unique(groups.form_P[held_P], return_index=True)[1]]), pairs_M


def _lots(
    pairs: TrainingPairs, pairs_M: Positions
) -> Iterator[tuple[Positions, Positions, Positions]]:
    """Queries, each once; the pairs that have one of them, and the row of each one's query."""
    query_U, row_M = np.unique(pairs.query_N[pairs_M], return_inverse=True)
    order_M = np.argsort(row_M, kind="stable")
    row_M = row_M[order_M]
    for begin in range(0, len(query_U), QUERIES):
        some = slice(*np.searchsorted(row_M, [begin, begin + QUERIES]))
        yield query_U[begin : begin + QUERIES], pairs_M[order_M[some]], row_M[some] - begin


def report(chosen: Chosen) -> str:
    """What became of the candidates, and how many pairs have how many negatives."""
    counted = np.bincount((chosen.passage_NC >= 0).sum(axis=1))
    rows = [
        ("candidates found", chosen.counts.total()),
        *((f"  {fate}", chosen.counts[fate]) for fate in FATES),
        ("pairs", len(chosen.passage_NC)),
        *((f"  with {n} negatives", int(pairs)) for n, pairs in enumerate(counted) if pairs),
    ]
    return "\n".join(f"{name:<42}{number:>14,}" for name, number in rows)
