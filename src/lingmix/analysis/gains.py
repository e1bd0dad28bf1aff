"""What a hybrid gains over the better pure strategy."""

import polars as pl

from lingmix.analysis.groups import keys
from lingmix.evaluation.metric_names import SETTINGS


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
