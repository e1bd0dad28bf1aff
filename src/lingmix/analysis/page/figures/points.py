"""Curves of scores: a curve a scale, a point an alpha."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from lingmix.analysis.groups import curves, scale_name
from lingmix.analysis.page.figures.controls import MEAN
from lingmix.analysis.table import score
from lingmix.evaluation.metric_names import SETTINGS


def points(runs: pl.DataFrame, summary: pl.DataFrame) -> pl.DataFrame:
    """One row a curve, seed (and their mean) and alpha: `curve`, `scale`, `seed`, `alpha`, and for
    each setting its mAP with the bounds `<setting>_low` and `<setting>_high`, one sample standard
    deviation each way.

    Null where a curve has no run of an alpha that another has.
    """
    bounds = [
        (pl.col(s) + sign * pl.col(f"{s}_spread")).alias(f"{s}_{side}")
        for s in SETTINGS
        for side, sign in (("low", -1), ("high", 1))
    ]
    means = _named(summary).with_columns(pl.lit(MEAN).alias("seed"), *bounds)
    single = _named(runs).with_columns(pl.col("seed").cast(pl.String))
    by = ["curve", "scale", "seed", "alpha"]
    scores = [f"{s}{bound}" for s in SETTINGS for bound in ("", "_low", "_high")]
    found = pl.concat([means, single], how="diagonal").select(*by, *scores)
    alphas = found.select(pl.col("alpha").unique().sort())
    grid = found.select(by[:-1]).unique(maintain_order=True).join(alphas, how="cross")
    return grid.join(found, on=by, how="left", maintain_order="left")


def in_words(data: pl.DataFrame, settings: Sequence[str]) -> str:
    """The means, for those who do not see them."""
    means = data.filter(seed=MEAN).drop_nulls(list(settings))
    return "; ".join(
        f"{curve}: {', '.join(_point(row, settings) for row in part.iter_rows(named=True))}"
        for (curve,), part in means.group_by("curve", maintain_order=True)
    )


def _point(row: dict[str, Any], settings: Sequence[str]) -> str:
    scores = " and ".join(score(row[setting]) for setting in settings)
    return f"{scores} at alpha {row['alpha']:g}"


def _named(rows: pl.DataFrame) -> pl.DataFrame:
    return pl.concat(
        curve.with_columns(
            pl.lit(name).alias("curve"), pl.lit(scale_name(curve["scale"][0])).alias("scale")
        )
        for name, curve in curves(rows)
    )
