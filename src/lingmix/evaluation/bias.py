"""Whether a pooled ranking favours languages: figures that a language-blind encoder scores none in.

All take what `Ranked` holds and give a row a query, or a row a language; where a figure says
nothing about a query it is null.
"""

import polars as pl
from scipy.stats import chi2

from lingmix.data.items import LanguagePair


def rank_distance(relevant: pl.DataFrame) -> pl.DataFrame:
    """How many places lie between the languages' relevant passages (each language's best) that rank
    first and last; at least the number of languages less one (arXiv 2408.10536)."""
    best = pl.col("pool_rank").min()
    distance = pl.col("pool_rank").max() - pl.col("pool_rank").min()
    return (
        relevant.group_by("query", "passage_language")
        .agg(best)
        .group_by("query")
        .agg(rank_distance=pl.when(pl.len() > 1).then(distance).cast(pl.Float64))
    )


def same_language_preference(relevant: pl.DataFrame) -> pl.DataFrame:
    """How often a relevant passage of the query's language scores above one of another language,
    less how often below: from -1 to 1."""
    own = pl.col("passage_language") == pl.col("query_language")
    score = relevant.select("query", "score", own=own)
    both = score.filter("own").join(score.filter(~pl.col("own")), on="query", suffix="_other")
    above = (pl.col("score") > pl.col("score_other")).mean()
    below = (pl.col("score") < pl.col("score_other")).mean()
    return both.group_by("query").agg(same_language_preference=above - below)


def peer(relevant: pl.DataFrame) -> pl.DataFrame:
    """Probability of Equal Expected Rank (arXiv 2405.00978) of all relevant passages, over the
    whole pool: the Kruskal-Wallis p-value of equal mean ranks a language, on the ranks themselves
    as its authors' code has it. Low is biased. With one passage a language it is constant, so
    null."""
    mean = pl.col("pool_rank").mean()
    languages = pl.col("passage_language").n_unique()
    spread = relevant.with_columns(
        between=mean.over("query", "passage_language") - mean.over("query"),
        whole=pl.col("pool_rank") - mean.over("query"),
    )
    tested = (
        spread.group_by("query")
        .agg(
            h=(pl.len() - 1) * (pl.col("between") ** 2).sum() / (pl.col("whole") ** 2).sum(),
            languages=languages,
            passages=pl.len(),
        )
        .filter((pl.col("languages") > 1) & (pl.col("passages") > pl.col("languages")))
    )
    p = chi2.sf(tested["h"].to_numpy(), tested["languages"].to_numpy() - 1)
    return tested.select("query", peer=pl.Series(p, dtype=pl.Float64))


def excess_shares(relevant: pl.DataFrame, places: pl.DataFrame) -> pl.DataFrame:
    """Of each query and passage language of its pool: the language's share of the first R places
    less its share of the R relevant passages."""
    due = (
        relevant.group_by("query", "passage_language")
        .agg(found=pl.len())
        .with_columns(due=pl.col("found") / pl.col("found").sum().over("query"))
    )
    on = ["query", "passage_language"]
    return places.join(due, on=on, how="left", maintain_order="left").select(
        "query",
        "query_language",
        "passage_language",
        excess_share=pl.col("share") - pl.col("due").fill_null(0.0),
    )


def same_language_excess(excess: pl.DataFrame) -> pl.DataFrame:
    return excess.filter(pl.col("passage_language") == pl.col("query_language")).select(
        "query", same_language_excess="excess_share"
    )


def share_figures(excess: pl.DataFrame) -> dict[str, float]:
    """`pair/<en-de>/excess_share`: how much more of the first places than its due German holds for
    English queries. `multilingual/excess_share/<language>`: its mean over query languages;
    `multilingual/share_gap`: the part of the places held beyond any language's due (total
    variation), in each query language first, so that each favouring itself does not cancel out."""
    languages = ["query_language", "passage_language"]
    share = pl.col("excess_share")
    mean = excess.group_by(languages).agg(share.mean()).sort(languages)
    gaps = mean.group_by("query_language", maintain_order=True).agg(share.abs().sum() / 2)
    shares = mean.group_by("passage_language", maintain_order=True).agg(share.mean())
    return {
        **{
            f"pair/{LanguagePair(query, passage)}/excess_share": of
            for query, passage, of in mean.iter_rows()
        },
        "multilingual/share_gap": gaps.select(share.mean()).item(),
        **{
            f"multilingual/excess_share/{language}": of
            for language, of in sorted(shares.iter_rows())
        },
    }
