"""Each setting's mAP against alpha."""

import polars as pl
from matplotlib.figure import Figure

from lingmix.analysis.metric_columns import LABELS
from lingmix.analysis.plots.style import draw_line, legend, new_figure, score_axes, styled_curves


def against_alpha(summary: pl.DataFrame, setting: str, *, title: str) -> Figure:
    """A line a scale; error bars span one sample standard deviation each way."""
    figure, axes = new_figure(title, width=4.2, height=3.9)
    score_axes(axes)
    axes.set_xlabel("alpha (share of monolingual batches)")
    axes.set_ylabel(f"{LABELS[setting]} mAP")
    styled = styled_curves(summary.drop_nulls(setting))
    for style, curve in styled:
        points_N2 = curve.select("alpha", setting).to_numpy()
        spread = pl.col(f"{setting}_spread").fill_null(0)
        draw_line(axes, points_N2, curve.select(pl.lit(0.0), spread).to_numpy(), style)
        axes.plot(*points_N2.T, **style, linestyle="", zorder=3)
    axes.set_xlim(-0.05, 1.05)
    axes.set_xticks(sorted({0.0, 1.0, *summary["alpha"]}))
    axes.xaxis.set_major_formatter("{x:g}")
    legend(figure, [style for style, _ in styled], columns=2)
    return figure
