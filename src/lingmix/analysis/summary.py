"""Mean, spread over seeds and the best of each scale."""

import polars as pl

from lingmix.analysis.groups import keys
from lingmix.analysis.metric_columns import measures


def summarise(runs: pl.DataFrame) -> pl.DataFrame:
    """One row per key, scale and alpha: `seeds`, and for each measure its mean under its own name
    over the `<measure>_seeds` that have it, `<measure>_spread` (sample standard deviation; null for
    one seed) and `<measure>_best`.

    Best is within a scale; a lone value is not marked.
    """
    level, columns = [*keys(runs), "scale"], measures()
    return (
        runs.group_by([*level, "alpha"], maintain_order=True)
        .agg(
            pl.len().alias("seeds"),
            *(pl.col(m).mean() for m in columns),
            *(pl.col(m).std().alias(f"{m}_spread") for m in columns),
            *(pl.col(m).count().alias(f"{m}_seeds") for m in columns),
        )
        .with_columns(_best(m, columns[m].best, level).alias(f"{m}_best") for m in columns)
    )


def _best(measure: str, best: str, level: list[str]) -> pl.Expr:
    value = pl.col(measure)
    worth = {"highest": value, "lowest": -value, "nearest 0": -value.abs()}[best]
    contest = value.count().over(level) > 1
    return (contest & (worth == worth.max().over(level))).fill_null(value=False)
