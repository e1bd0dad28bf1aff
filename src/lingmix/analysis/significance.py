"""What a hybrid gains over pure strategies, and whether that is more than the seeds' noise."""

import numpy as np
import polars as pl
from scipy import stats

from lingmix.analysis.groups import keys
from lingmix.evaluation.metric_names import SETTINGS


def compare(runs: pl.DataFrame) -> pl.DataFrame:
    """One row per key, scale, hybrid alpha and the pure strategy `against` (alpha 1 or 0): `seeds`
    that both have, and for each setting the mean difference in mAP (hybrid minus pure) over those
    where both have measured it, `<setting>_seeds` of them, with the bounds of its paired 95%
    t-interval, `<setting>_low` and `<setting>_high` (null below two seeds).
    """
    level = [*keys(runs), "scale"]
    hybrid = runs.filter((pl.col("alpha") > 0) & (pl.col("alpha") < 1))
    pure = runs.filter(pl.col("alpha").is_in([0.0, 1.0])).rename({"alpha": "against"})
    contests = (
        hybrid.select(*level, "alpha")
        .unique(maintain_order=True)
        .join(pure.select(*level, "against").unique(), on=level, nulls_equal=True)
    )
    differences = hybrid.join(pure, on=[*level, "seed"], nulls_equal=True, suffix="_pure").select(
        *level, "alpha", "against", *(pl.col(s) - pl.col(f"{s}_pure") for s in SETTINGS)
    )
    by = [*level, "alpha", "against"]
    return (
        contests.join(_intervals(differences, by), on=by, how="left", nulls_equal=True)
        .with_columns(pl.col("seeds", *(f"{s}_seeds" for s in SETTINGS)).fill_null(0))
        .sort(by, descending=[False] * (len(by) - 1) + [True], nulls_last=True)
    )


def _intervals(differences: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    found = differences.group_by(by).agg(
        pl.len().alias("seeds"),
        *(pl.col(s).mean() for s in SETTINGS),
        *(pl.col(s).count().alias(f"{s}_seeds") for s in SETTINGS),
        *((pl.col(s).std() / pl.col(s).count().sqrt()).alias(f"{s}_error") for s in SETTINGS),
    )
    bounds = [
        (pl.col(s) + sign * _quantile(found[f"{s}_seeds"]) * pl.col(f"{s}_error")).alias(
            f"{s}_{side}"
        )
        for s in SETTINGS
        for side, sign in (("low", -1), ("high", 1))
    ]
    return found.with_columns(bounds).drop([f"{s}_error" for s in SETTINGS])


def _quantile(seeds: pl.Series) -> pl.Series:
    """Of the t-distribution that leaves 2.5% above it, with a degree of freedom less than seeds."""
    degrees = seeds.to_numpy().astype(np.float64) - 1
    return pl.Series(stats.t.ppf(0.975, np.where(degrees > 0, degrees, np.nan)))


def gains(summary: pl.DataFrame) -> pl.DataFrame:
    """One row per key, scale and hybrid alpha: for each setting the mean mAP minus that of the
    better pure strategy of the scale, and `<setting>_over`, that strategy's alpha.

    Null where alpha 0 or alpha 1 is missing: then the better one is unknown.
    """
    level = [*keys(summary), "scale"]
    rows = summary.filter((pl.col("alpha") > 0) & (pl.col("alpha") < 1)).select(
        *level, "alpha", *SETTINGS
    )
    for alpha in (0, 1):
        pure = summary.filter(pl.col("alpha") == alpha).select(*level, *SETTINGS)
        rows = rows.join(
            pure, on=level, how="left", nulls_equal=True, suffix=f"_{alpha}", maintain_order="left"
        )
    return rows.select(*level, "alpha", *(e for s in SETTINGS for e in _gain(s)))


def _gain(setting: str) -> tuple[pl.Expr, pl.Expr]:
    cross, mono = pl.col(f"{setting}_0"), pl.col(f"{setting}_1")
    better = pl.when(mono >= cross).then(mono).when(cross > mono).then(cross)
    over = pl.when(mono >= cross).then(1).when(cross > mono).then(0)
    return (pl.col(setting) - better).alias(setting), over.alias(f"{setting}_over")
