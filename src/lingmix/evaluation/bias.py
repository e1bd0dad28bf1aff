"""Measures whether a pooled ranking favours languages.

The expectation for a language-blind encoder is 0 in the same-language figures and in those of
shares (but see `share_gap`), one half in PEER, and at least the number of languages less one in
rank distance. The functions take the frames of `Ranked`, or its `excess_shares`, and return a row a
query, with the figure under its name, null where it is not defined for the query.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

import numpy as np
import polars as pl
from scipy import special

from lingmix.evaluation.metric_names import SHARE, Measure


class PooledRanking(NamedTuple):
    """The multilingual setting's ranking of every query: `Ranked.relevant` and its
    `excess_shares`."""

    relevant: pl.DataFrame
    excess: pl.DataFrame


@dataclass(frozen=True, kw_only=True)
class Bias(Measure[Callable[[PooledRanking], pl.DataFrame]]):
    """A figure of language bias. `note` explains it to a reader of the report; `whole` says that it
    needs the rank of every relevant passage, not only of those that a search found."""

    note: str
    digits: int = 3
    whole: bool = False


def rank_distance(relevant: pl.DataFrame) -> pl.DataFrame:
    """Returns how many ranks lie between the first and the last of the languages' best relevant
    passages; at least the number of languages less one (arXiv 2408.10536)."""
    best = pl.col("pool_rank").min()
    distance = pl.col("pool_rank").max() - pl.col("pool_rank").min()
    return (
        relevant.group_by("query", "passage_language")
        .agg(best)
        .group_by("query")
        .agg(rank_distance=pl.when(pl.len() > 1).then(distance).cast(pl.Float64))
    )


def same_language_preference(relevant: pl.DataFrame) -> pl.DataFrame:
    """Returns how often a relevant passage in the query's language scores above one of the same
    grade in another language, less how often below: from -1 to 1."""
    same_language = pl.col("passage_language") == pl.col("query_language")
    columns = ["query", "grade", "score"]
    same, other = (
        relevant.filter(part).select(columns) for part in (same_language, ~same_language)
    )
    both = same.join(other, on=["query", "grade"], suffix="_other")
    above = (pl.col("score") > pl.col("score_other")).mean()
    below = (pl.col("score") < pl.col("score_other")).mean()
    return both.group_by("query").agg(same_language_preference=above - below)


def peer(relevant: pl.DataFrame) -> pl.DataFrame:
    """Returns the Probability of Equal Expected Rank (arXiv 2405.00978) in the whole pool; low is
    biased.

    It is the p-value that the relevant passages of a grade have equal mean ranks in all languages
    (Kruskal-Wallis on the ranks, as in its authors' code), 1 where they are in one language,
    averaged over the grades that a query has; the authors leave the weights of grades to the user.
    Null where each language has one passage, for then the p-value is constant.
    """
    grade = ["query", "grade"]
    mean = pl.col("pool_rank").mean()
    tested = (
        relevant.with_columns(
            between=mean.over(*grade, "passage_language") - mean.over(grade),
            whole=pl.col("pool_rank") - mean.over(grade),
        )
        .group_by(grade)
        .agg(
            h=(pl.len() - 1) * (pl.col("between") ** 2).sum() / (pl.col("whole") ** 2).sum(),
            languages=pl.col("passage_language").n_unique(),
            passages=pl.len(),
        )
    )
    freedom = tested["languages"].to_numpy().astype(np.int64) - 1
    p = np.where(freedom > 0, special.chdtrc(np.maximum(freedom, 1), tested["h"].to_numpy()), 1.0)
    several = pl.col("languages") > 1
    varies = several & (pl.col("passages") > pl.col("languages"))
    constant = several.any() & ~varies.any()
    return (
        tested.with_columns(p=pl.Series(p, dtype=pl.Float64))
        .group_by("query")
        .agg(peer=pl.when(~constant).then(pl.col("p").mean()))
    )


def excess_shares(relevant: pl.DataFrame, places: pl.DataFrame) -> pl.DataFrame:
    """Returns, for each query and passage language of its pool, the share of the first R places
    that the language has, less the share expected of a language-blind ranking with as many relevant
    passages of each grade there. To such a ranking passages of one grade are alike, so each
    language would have these places in proportion to its passages of that grade, and the places of
    irrelevant passages in proportion to its irrelevant passages."""
    on = ["query", "passage_language"]
    grade = ["query", "grade"]
    by_language = (
        relevant.group_by("query", "grade", "passage_language")
        .agg(relevant=pl.len().cast(pl.Int64), actual=pl.col("first_share").sum())
        .with_columns(
            expected=pl.col("actual").sum().over(grade)
            * pl.col("relevant")
            / pl.col("relevant").sum().over(grade)
        )
        .group_by(on)
        .agg(pl.col("relevant", "actual", "expected").sum())
    )
    irrelevant = pl.col("passages") - pl.col("relevant")
    all_irrelevant = pl.max_horizontal(irrelevant.sum().over("query"), 1)
    by_irrelevant = (pl.col("share") - pl.col("actual")).sum().over("query")
    return (
        places.join(by_language, on=on, how="left", maintain_order="left")
        .with_columns(pl.col("relevant", "actual", "expected").fill_null(0))
        .select(
            "query",
            "query_language",
            "passage_language",
            excess_share=pl.col("share")
            - pl.col("expected")
            - by_irrelevant * irrelevant / all_irrelevant,
        )
    )


def same_language_excess(excess: pl.DataFrame) -> pl.DataFrame:
    """Returns the excess share of the query's language."""
    return excess.filter(pl.col("passage_language") == pl.col("query_language")).select(
        "query", same_language_excess="excess_share"
    )


def share_gap(excess: pl.DataFrame) -> pl.DataFrame:
    """Returns the share of the places that languages have in excess (total variation), by query
    language first, so that languages that each favour themselves do not cancel out.

    A query's excess counts with the sign of the language's excess over the other queries of its
    language: chance then cancels out, and independent language-blind rankings score 0 in
    expectation, where a sum of absolute means would grow as queries get fewer. The rankings of an
    encoder share their passages, whose chance remains where they are few: random vectors on
    XQuAD-R score .000, on 180 passages up to .015.
    """
    share = pl.col("excess_share")
    other_queries = share.sum().over("query_language", "passage_language") - share
    return (
        excess.with_columns(gap=share * other_queries.sign())
        .group_by("query")
        .agg(share_gap=pl.col("gap").sum() / 2)
    )


def pair_shares(excess: pl.DataFrame) -> pl.DataFrame:
    """Returns, for each query and passage language, how much more of the first places the passage
    language has for these queries than a language-blind ranking would give it."""
    languages = ["query_language", "passage_language"]
    return excess.group_by(languages).agg(pl.col("excess_share").mean()).sort(languages)


BIAS = {
    "rank_distance": Bias(
        compute=lambda pooled: rank_distance(pooled.relevant),
        whole=True,
        label="rank distance",
        digits=1,
        range=(1.0, inf),
        best="nearest 0",
        note="Rank distance: how many places lie between the languages' relevant passages that "
        "rank first and last; lower is better.",
    ),
    "share_gap": Bias(
        compute=lambda pooled: share_gap(pooled.excess),
        label="share gap",
        best="nearest 0",
        range=(-1.0, 1.0),
        note="The next three are 0 in expectation for an encoder blind to language. Share gap: "
        "which part of a query's first places (as many as it has relevant passages) languages hold "
        "in excess of what a ranking blind to language would give them, which has as many relevant "
        "passages there.",
    ),
    "same_language_preference": Bias(
        compute=lambda pooled: same_language_preference(pooled.relevant),
        label="same-language preference",
        signed=True,
        best="nearest 0",
        range=(-1.0, 1.0),
        note="Same-language preference: how often a relevant passage in the query's language "
        "scores above one in another language, less how often below; from −1 to 1.",
    ),
    "same_language_excess": Bias(
        compute=lambda pooled: same_language_excess(pooled.excess),
        label="same-language excess",
        range=(-1.0, 1.0),
        signed=True,
        best="nearest 0",
        note="Same-language excess: how much more of the first places than that the query's own "
        "language holds.",
    ),
    "peer": Bias(
        compute=lambda pooled: peer(pooled.relevant),
        whole=True,
        label="PEER",
        range=SHARE,
        note="PEER: the p-value of the test that relevant passages of all languages rank alike; "
        "low is biased, one half is what an encoder blind to language scores on average. It needs "
        "several relevant passages in a language.",
    ),
}
"""By name: a row here is all that a new figure of language bias asks for."""
