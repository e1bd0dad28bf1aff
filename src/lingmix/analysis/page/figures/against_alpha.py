"""Each setting's mAP against alpha."""

import altair as alt
import polars as pl

from lingmix.analysis.metric_columns import LABELS
from lingmix.analysis.page.figures.controls import INTERVALS
from lingmix.analysis.page.figures.curves import (
    layered,
    lines,
    of_controls,
    styles,
    symbols,
    y_score,
)
from lingmix.analysis.page.figures.figure import Figure, figure_of
from lingmix.analysis.page.figures.points import in_words


def against_alpha(points: pl.DataFrame, setting: str, *, stem: str, title: str) -> Figure:
    """A curve a scale, with its bounds."""
    data = points.select("curve", "scale", "seed", "alpha", pl.col(f"^{setting}.*$"))
    style, known = styles(data), [setting]
    alphas = alt.Axis(values=data["alpha"].unique().sort().to_list(), format="~g")
    x = alt.X("alpha:Q", title="alpha (share of monolingual batches)", axis=alphas)
    y = y_score(setting)
    bars = of_controls(known=known).transform_filter(INTERVALS.name).mark_rule()
    chart = layered(
        *lines(x, y, style, known=known),
        bars.encode(x, y_score(setting, "_low"), alt.Y2(f"{setting}_high"), style.color),
        symbols(x, y, style, known=known),
        height=260,
    )
    about = f"{LABELS[setting].capitalize()} mAP against alpha, a curve a scale."
    description = f"{about} {in_words(data, known)}."
    return figure_of(chart, data, stem=stem, title=title, description=description, width=380)
