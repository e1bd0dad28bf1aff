"""Measures how the parallel relevant passages of a query, its translations of one content, are
ranked in the pool of all languages.

The functions take frames of `Ranked` and return a row for each query that has relevant passages in
several languages (in its own and in another, where the measure speaks of the query's language),
with the figure under its name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import NamedTuple, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lingmix.evaluation.metric_names import SHARE, Measure, Range
from lingmix.evaluation.metrics import Rankings, ndcg
from lingmix.evaluation.pools import LISTED, Positions

COMPARED = 2**16
"""Pairs of result lists that are compared at once."""

OWN = pl.col("passage_language") == pl.col("query_language")


class ParallelRanking(NamedTuple):
    """The multilingual setting's ranking of every query.

    `in_several` are the rows of `Ranked.relevant` of queries with relevant passages in several
    languages, `in_own_and_other` those where the query's language is one of them. `lists` is
    `Ranked.lists` with the `question` that each query asks, null where queries are ranked against
    different pools. A passage ranked beyond `depth` (None: no limit) counts as not retrieved.
    """

    in_several: pl.DataFrame
    in_own_and_other: pl.DataFrame
    lists: pl.DataFrame
    depth: int | None

    @classmethod
    def of(cls, relevant: pl.DataFrame, lists: pl.DataFrame, *, depth: int | None) -> Self:
        language = pl.col("passage_language")
        in_several = relevant.filter((language != language.first()).any().over("query"))
        in_own_and_other = in_several.filter(OWN.any().over("query"))
        return cls(in_several, in_own_and_other, lists, depth)


@dataclass(frozen=True, kw_only=True)
class Parallel(Measure[Callable[[ParallelRanking], pl.DataFrame]]):
    """A measure of parallel passages. `whole` says that it needs the rank of every relevant
    passage, not only of those that a search found; `detail`, that its mean is in `scores.json`
    alone."""

    whole: bool = False
    detail: bool = False
    range: Range = SHARE


def max_rank(ranking: ParallelRanking) -> pl.DataFrame:
    """Returns the worst rank of a relevant passage in the whole pool, Max@R of arXiv 2604.05684."""
    last = pl.col("pool_rank").max().cast(pl.Float64)
    return ranking.in_several.group_by("query").agg(max_rank=last)


def complete(ranking: ParallelRanking, *, k: int) -> pl.DataFrame:
    """Returns 1 where all relevant passages are among the first k, else 0 (arXiv 2604.05684)."""
    first = min(k, ranking.depth or k)
    complete = (pl.col("pool_rank").max() <= first).cast(pl.Float64).alias(f"complete_at_{k}")
    return ranking.in_several.group_by("query").agg(complete)


def language_preference(ranking: ParallelRanking) -> pl.DataFrame:
    """Returns 1 where the first of the relevant passages is in the query's language, else 0; the
    languages that tie for the first place share it. The mean is the Language Preference Rate (LPR)
    of arXiv 2605.07249, in our reading of its abstract: a query counts wherever its passages rank.
    """
    first = pl.col("score") == pl.col("score").max().over("query")
    return (
        ranking.in_own_and_other.filter(first).group_by("query").agg(language_preference=OWN.mean())
    )


def lang_ndcg(ranking: ParallelRanking, *, k: int) -> pl.DataFrame:
    """Returns nDCG@k with twice the gain for relevant passages in the query's language.

    After Lang-nDCG of arXiv 2605.07249, whose exact gains we could not read: these are ours. The
    ideal ranking has all relevant passages first, of one grade those in the query's language ahead.
    """
    ranked = ranking.in_own_and_other.sort("query", "pool_rank")
    figures = ndcg(
        Rankings.of(
            ranked["query"].rle_id().to_numpy().astype(np.int64),
            ranked["pool_rank"].to_numpy(),
            ranked.select(pl.col("grade") * (1 + OWN.cast(pl.Int32))).to_series().to_numpy(),
            depth=ranking.depth,
        ),
        k=k,
    )
    queries = ranked["query"].unique(maintain_order=True)
    return pl.DataFrame({"query": queries, f"lang_ndcg_at_{k}": figures})


def first_passage(ranking: ParallelRanking, *, relevant: bool, own: bool) -> pl.DataFrame:
    """Returns 1 where the passage at rank 1 is relevant, or is not, and is in the query's language,
    or is not: the four cases of arXiv 2605.07249 (right or wrong content and language)."""
    name = f"first_{'relevant' if relevant else 'irrelevant'}_{'own' if own else 'other'}"
    queries = ranking.in_own_and_other
    is_relevant = pl.col("query").is_in(queries.filter(pool_rank=1)["query"].implode())
    case = (is_relevant == relevant) & (own == OWN)
    return (
        ranking.lists.filter(place=1)
        .join(queries, on="query", how="semi")
        .select("query", case.cast(pl.Float64).alias(name))
    )


def rank_correlation(ranking: ParallelRanking) -> pl.DataFrame:
    """Returns Spearman's correlation of a query's result list with those of the same question in
    the other languages, its mean over these; averaged over queries and then languages it is the
    Mean Rank Correlation (MRC) of arXiv 2509.06195, RC_i(a).

    How the paper cuts lists we could not read. Ours are compared over the passages of either list,
    K each; those outside a list of K tie behind it (as in Fagin et al., SIAM J. Discrete Math.
    2003), so disjoint lists of 10 correlate with -.86.
    """
    asked = ranking.lists.drop_nulls("question").sort("query", "place")
    queries = asked.select("query", "question").unique(maintain_order=True)
    queries = queries.with_columns(row=pl.int_range(pl.len()))
    pairs = queries.join(queries, on="question", suffix="_other").filter(
        pl.col("row") < pl.col("row_other")
    )
    passage_QK = asked["passage"].to_numpy().reshape(max(len(queries), 1), -1)
    parts = [
        _spearman(passage_QK[part["row"].to_numpy()], passage_QK[part["row_other"].to_numpy()])
        for part in pairs.iter_slices(COMPARED)
    ]
    correlation = pl.Series("correlation", np.concatenate([np.zeros(0), *parts])).fill_nan(None)
    either = (
        pl.DataFrame([pairs[one].alias("query"), correlation]) for one in ("query", "query_other")
    )
    mean = pl.col("correlation").mean().alias(f"rank_correlation_at_{LISTED}")
    return pl.concat(either).group_by("query").agg(mean)


def _spearman(one_NK: Positions, other_NK: Positions) -> NDArray[np.float64]:
    """Returns Spearman's correlation of N pairs of lists of K passages over the passages of either,
    where the M outside a list tie for the places K + 1 to K + M; NaN where K is 1 and both agree.
    """
    K = one_NK.shape[1]
    same_NKK = (one_NK[:, :, None] == other_NK[:, None, :]) & (one_NK[:, :, None] >= 0)
    outside_N = K - same_NKK.sum((1, 2))
    place_NK = np.arange(1, K + 1) - (K + outside_N[:, None] + 1) / 2  # less the mean place
    both_N = np.einsum("ni,nj,nij->n", place_NK, place_NK, same_NKK)
    alone_N = (place_NK * ~same_NKK.any(2)).sum(1) + (place_NK * ~same_NKK.any(1)).sum(1)
    variance_N = (place_NK**2).sum(1) + outside_N * (K / 2) ** 2
    with np.errstate(invalid="ignore"):
        return (both_N + alone_N * K / 2) / variance_N


PARALLEL = {
    "max_rank": Parallel(
        compute=max_rank, whole=True, label="Max@R", digits=1, best="lowest", range=(1.0, inf)
    ),
    "complete_at_20": Parallel(compute=partial(complete, k=20), label="Complete@20"),
    f"rank_correlation_at_{LISTED}": Parallel(
        compute=rank_correlation, label=f"MRC@{LISTED}", signed=True, range=(-1.0, 1.0)
    ),
    "language_preference": Parallel(compute=language_preference, label="language preference"),
    "complete_at_100": Parallel(
        compute=partial(complete, k=100), label="Complete@100", detail=True
    ),
    "lang_ndcg_at_10": Parallel(
        compute=partial(lang_ndcg, k=10), label="Lang-nDCG@10", detail=True
    ),
    "first_relevant_own": Parallel(
        compute=partial(first_passage, relevant=True, own=True),
        label="right content, own language first",
        detail=True,
    ),
    "first_relevant_other": Parallel(
        compute=partial(first_passage, relevant=True, own=False),
        label="right content, other language first",
        detail=True,
    ),
    "first_irrelevant_own": Parallel(
        compute=partial(first_passage, relevant=False, own=True),
        label="wrong content, own language first",
        best="lowest",
        detail=True,
    ),
    "first_irrelevant_other": Parallel(
        compute=partial(first_passage, relevant=False, own=False),
        label="wrong content, other language first",
        best="lowest",
        detail=True,
    ),
}
"""By name: a row here is all that a new measure asks for."""

HEADLINES = {name: measure for name, measure in PARALLEL.items() if not measure.detail}
