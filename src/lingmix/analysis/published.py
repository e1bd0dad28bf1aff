"""Rows that others have published, to stand beside those recorded."""

from pathlib import Path

import polars as pl

from lingmix.analysis.metric_columns import pair_columns
from lingmix.evaluation.metric_names import MAP

SOURCE = "arXiv 2408.10536"
FILE = Path(__file__).with_name("published.csv")


def with_published(encoders: pl.DataFrame, set_name: str, runs: pl.DataFrame) -> pl.DataFrame:
    """Rows of `evaluated`, and below them, marked as such, the published ones of a set of this name
    where what was measured is a mean over the same languages."""
    pairs = pair_columns({*encoders.columns, *runs.columns}).values()
    measured = {pair.query for metric, pair in pairs if metric == MAP and pair.monolingual}
    rows = pl.read_csv(FILE).filter(
        pl.col("set") == set_name, pl.col("languages") == " ".join(sorted(measured))
    )
    if rows.is_empty():
        return encoders
    words = pl.format("{}, published, {}", "settings", pl.lit(SOURCE))
    rows = rows.with_columns(settings=words).drop("set", "languages")
    return pl.concat([encoders, rows], how="diagonal_relaxed")
