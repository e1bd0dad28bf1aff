"""Scores of language pairs, a row each."""

from collections.abc import Sequence

import polars as pl

from lingmix.analysis.metric_columns import pair_columns


def pair_scores(runs: pl.DataFrame, metric: str, by: Sequence[str]) -> pl.DataFrame:
    """One row a run and language pair that has the metric: the columns `by` of the run, the
    languages `query` and `passage`, and `score`."""
    pairs = {
        column: pair
        for column, (name, pair) in pair_columns(runs.columns).items()
        if name == metric
    }
    languages = pl.DataFrame(
        [(column, pair.query, pair.passage) for column, pair in pairs.items()],
        schema=["column", "query", "passage"],
        schema_overrides=dict.fromkeys(("column", "query", "passage"), pl.String),
        orient="row",
    )
    return (
        runs.unpivot(list(pairs), index=list(by), variable_name="column", value_name="score")
        .with_columns(pl.col("score").cast(pl.Float64))
        .drop_nulls("score")
        .join(languages, on="column", maintain_order="left")
        .select(*by, "query", "passage", "score")
    )


def with_means(scores: pl.DataFrame, over: str) -> pl.DataFrame:
    """The rows, and those of the mean over a column, where it is null, before them."""
    by = [c for c in scores.columns if c not in (over, "score")]
    means = scores.group_by(by, maintain_order=True).agg(pl.col("score").mean())
    return pl.concat([means, scores], how="diagonal")


def less(scores: pl.DataFrame, base: pl.DataFrame, on: Sequence[str]) -> pl.DataFrame:
    """The rows that `base` has too, their scores less its."""
    both = scores.join(base, on=on, suffix="_base", nulls_equal=True, maintain_order="left")
    return both.select(
        *(pl.col(c) for c in scores.columns if c != "score"),
        pl.col("score") - pl.col("score_base"),
    )
