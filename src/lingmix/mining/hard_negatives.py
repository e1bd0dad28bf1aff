"""Mines hard negatives: passages that a search finds for a query and that are not known to answer
it."""

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
"""Queries that are searched at once; an approximate index is built for each such batch."""

BLOCK = 2**21
"""Pairs times candidates, or times dimensions, in memory at once."""

SAME, KNOWN = "say the same as the pair's passage", "answer an equal query, or equal it"
SKIPPED, CLOSE, REMAINING = "are of the ranks skipped", "score too high", "are left"
OUTCOMES = (SAME, KNOWN, SKIPPED, CLOSE, REMAINING)


@dataclass(frozen=True, kw_only=True)
class MiningRules:
    """Which `count` of the `depth` passages nearest to its query are the negatives of a pair.

    Known answers are removed, then the first `skip` ranks of what is left. Of the rest those remain
    that score at most `max_share` times the pair's passage (TopK-PercPos), and at most that
    passage's score less `margin` (TopK-MarginPos; arXiv 2407.15831). None sets no such bound.
    Raises InputError for values out of range.
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

    def limits(self, positive_score_N: Matrix) -> NDArray[np.float64]:
        """Returns the highest score of a negative, given that of the pair's passage. The share is
        taken of the absolute value, so that the limit is below a negative score too."""
        scores_N = positive_score_N.astype(np.float64)
        limit_N = np.full(len(positive_score_N), np.inf)
        if self.max_share is not None:
            limit_N = scores_N - (1 - self.max_share) * np.abs(scores_N)
        if self.margin is not None:
            limit_N = np.minimum(limit_N, scores_N - self.margin)
        return limit_N


class Chosen(NamedTuple):
    """`passage_NC` are the numbers of the passages chosen, -1 where there are fewer; `counts` are
    the candidates by outcome."""

    passage_NC: Positions
    counts: Counter[str]


def mine(
    pairs: TrainingPairs,
    queries: Vectors,
    passages: Vectors,
    searcher: Searcher,
    *,
    rules: MiningRules,
) -> Chosen:
    """Finds the negatives of every pair; `queries` and `passages` are vectors by text.

    Raises InputError where no pair has a candidate left.
    """
    groups = pairs.groups
    mined = Chosen(np.full((len(pairs), rules.count), -1, dtype=np.int64), Counter())
    random = np.random.Generator(np.random.Philox(rules.seed))
    for corpus_P, pairs_M in _corpora(pairs, groups, rules.language):
        vectors = Vectors(passages.distinct_UD, passages.row_N[corpus_P])
        for query_Q, pairs_N, row_N in _query_batches(pairs, pairs_M):
            found = searcher(queries[query_Q], vectors, depth=rules.depth)
            hits = Hits(np.where(found.found, corpus_P[found.passage_QK], -1), found.score_QK)
            step = max(1, BLOCK // max(hits.score_QK.shape[1], queries.shape[1]))
            for begin in range(0, len(pairs_N), step):
                part_N = pairs_N[begin : begin + step]
                query_N, passage_N = pairs.query_N[part_N], pairs.passage_N[part_N]
                chosen = choose(
                    hits.select(row_N[begin : begin + step]),
                    query_N,
                    passage_N,
                    _row_products(queries[query_N], passages[passage_N]),
                    groups=groups,
                    rules=rules,
                    random=random,
                )
                mined.passage_NC[part_N] = chosen.passage_NC
                mined.counts.update(chosen.counts)
    _require_remaining(mined.counts)
    return mined


def _row_products(left_ND: Matrix, right_ND: Matrix) -> Matrix:
    """Returns the inner product of each row with the one beside it."""
    each_N = np.arange(len(left_ND))
    return inner_products(left_ND, right_ND, each_N, each_N)


def _require_remaining(counts: Counter[str]) -> None:
    if not counts[REMAINING]:
        outcomes = ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES)
        raise InputError(
            f"mining: no pair has a candidate left: of {counts.total()} candidates "
            f"{outcomes}; raise mining.depth or max_share, or lower margin or skip"
        )


def choose(
    hits: Hits,
    query_N: NDArray[np.integer],
    passage_N: NDArray[np.integer],
    positive_score_N: Matrix,
    *,
    groups: ContentGroups,
    rules: MiningRules,
    random: np.random.Generator,
) -> Chosen:
    """Chooses among the hits of the queries of N pairs, each with its passage `passage_N`, which
    scores `positive_score_N`. Hits are numbers of passages, no two of them equal texts."""
    known_NK = hits.found & groups.known_answers(query_N[:, None], hits.passage_QK)
    positive_group_N1 = groups.group_T[passage_N][:, None]
    same_NK = hits.found & (groups.group_T[hits.passage_QK] == positive_group_N1)
    known_other_NK = known_NK & ~same_NK
    unknown_NK = hits.found & ~known_NK
    skipped_NK = unknown_NK & (unknown_NK.cumsum(axis=1) <= rules.skip)
    close_NK = unknown_NK & ~skipped_NK & (hits.score_QK > rules.limits(positive_score_N)[:, None])
    remaining_NK = unknown_NK & ~skipped_NK & ~close_NK
    removed = (same_NK, known_other_NK, skipped_NK, close_NK, remaining_NK)
    return Chosen(
        _choose_ranked(hits.passage_QK, remaining_NK, rules, random),
        Counter(
            {name: int(cells_NK.sum()) for name, cells_NK in zip(OUTCOMES, removed, strict=True)}
        ),
    )


def _choose_ranked(
    passage_NK: Positions,
    remaining_NK: NDArray[np.bool_],
    rules: MiningRules,
    random: np.random.Generator,
) -> Positions:
    """Returns the first `count` remaining candidates, or a sample of them, in order of rank.

    ranks 1 2 3 4, of which 2 3 4 remain, and count 2     best 2 3     sample, such as 2 4
    """
    N, K = remaining_NK.shape
    if rules.take == "sample":
        key_NK = np.where(remaining_NK, random.random((N, K)), np.inf)
        order_NK = key_NK.argsort(axis=1).argsort(axis=1)
        remaining_NK = remaining_NK & (order_NK < rules.count)
    first_NC = np.argsort(~remaining_NK, axis=1, kind="stable")[:, : rules.count]
    chosen_NC = np.full((N, rules.count), -1, dtype=np.int64)
    chosen_NC[:, : first_NC.shape[1]] = np.where(
        np.take_along_axis(remaining_NK, first_NC, axis=1),
        np.take_along_axis(passage_NK, first_NC, axis=1),
        -1,
    )
    return chosen_NC


def _corpora(
    pairs: TrainingPairs, groups: ContentGroups, language: Literal["passage", "any"]
) -> Iterator[tuple[Positions, Positions]]:
    """Yields the passages that are searched, only the first of equal texts, and the pairs that get
    negatives of them: those of a passage language, or all."""
    language_N = np.array([pair.passage for pair in pairs.language_pairs])[pairs.language_pair_N]
    pair_of_negative, negative_texts = pairs.given_negatives
    for name in np.unique(language_N) if language == "passage" else [None]:
        pairs_M = np.flatnonzero(language_N == name) if name else np.arange(len(pairs))
        of_pairs = np.isin(pair_of_negative, pairs_M)
        corpus_P = np.unique(np.concatenate([pairs.passage_N[pairs_M], negative_texts[of_pairs]]))
        yield np.sort(corpus_P[np.unique(groups.form_T[corpus_P], return_index=True)[1]]), pairs_M


def _query_batches(
    pairs: TrainingPairs, pairs_M: Positions
) -> Iterator[tuple[Positions, Positions, Positions]]:
    """Yields distinct queries, the pairs that have one of them, and the row of each pair's query.

    query of pairs 0 1 2 3 is 7 2 7 5     queries 2 5 7     pairs 1 3 0 2     rows 0 1 2 2
    """
    query_U, row_M = np.unique(pairs.query_N[pairs_M].astype(np.int64), return_inverse=True)
    order_M = np.argsort(row_M, kind="stable")
    row_M = row_M[order_M]
    for begin in range(0, len(query_U), QUERIES):
        some = slice(*np.searchsorted(row_M, [begin, begin + QUERIES]))
        yield query_U[begin : begin + QUERIES], pairs_M[order_M[some]], row_M[some] - begin


def report(chosen: Chosen) -> str:
    """Returns a table of candidates by outcome, and of pairs by their number of negatives."""
    counted = np.bincount((chosen.passage_NC >= 0).sum(axis=1))
    rows = [
        ("candidates found", chosen.counts.total()),
        *((f"  {outcome}", chosen.counts[outcome]) for outcome in OUTCOMES),
        ("pairs", len(chosen.passage_NC)),
        *((f"  with {n} negatives", int(pairs)) for n, pairs in enumerate(counted) if pairs),
    ]
    return "\n".join(f"{name:<42}{number:>14,}" for name, number in rows)
