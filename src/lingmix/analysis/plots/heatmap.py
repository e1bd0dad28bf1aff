"""A figure of each language pair: query languages down, passage languages across."""

from typing import NamedTuple

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lingmix.analysis.metric_columns import pair_columns
from lingmix.analysis.plots.style import new_figure
from lingmix.analysis.table import score, signed

_MOST_NUMBERED = 12


class PairScores(NamedTuple):
    """`scores_QP[q, p]` for query language q and passage language p; NaN where not measured."""

    queries: tuple[str, ...]
    passages: tuple[str, ...]
    scores_QP: NDArray[np.float64]


def pair_scores(runs: pl.DataFrame, metric: str) -> PairScores:
    """Mean of a metric over the given rows."""
    columns = {
        pair: column
        for column, (name, pair) in pair_columns(runs.columns).items()
        if name == metric
    }
    queries = tuple(sorted({pair.query for pair in columns}))
    passages = tuple(sorted({pair.passage for pair in columns}))
    scores_QP = np.full((len(queries), len(passages)), np.nan)
    for pair, column in columns.items():
        spot = queries.index(pair.query), passages.index(pair.passage)
        scores_QP[spot] = runs[column].mean()
    return PairScores(queries, passages, scores_QP)


def heatmap(
    scores: PairScores, *, title: str, limits: tuple[float, float], difference: bool
) -> Figure:
    """`limits` are the values of the colours' ends, so that maps side by side share them."""
    rows, columns = scores.scores_QP.shape
    numbered = max(rows, columns) <= _MOST_NUMBERED
    cell = 0.46 if numbered else 0.26
    figure, axes = new_figure(
        title, width=max(3.6, 2.1 + cell * columns), height=max(3.0, 1.1 + cell * rows)
    )
    low, high = limits
    image = axes.imshow(
        scores.scores_QP, cmap="RdBu" if difference else "Blues", vmin=low, vmax=high
    )
    axes.set_facecolor("#dddddd")
    axes.set_xlabel("passage language")
    axes.set_ylabel("query language")
    axes.set_xticks(range(columns), scores.passages, rotation=0 if numbered else 90, fontsize=9)
    axes.set_yticks(range(rows), scores.queries, fontsize=9)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.colorbar(image, ax=axes, shrink=0.8).outline.set_visible(False)
    if numbered:
        colors_QP4 = image.to_rgba(scores.scores_QP)
        for (row, column), value in np.ndenumerate(scores.scores_QP):
            if not np.isnan(value):
                light = colors_QP4[row, column, :3] @ [0.299, 0.587, 0.114] > 0.5
                axes.text(
                    column,
                    row,
                    signed(value, 2) if difference else score(value, 2),
                    ha="center",
                    va="center",
                    fontsize=8,
                    color="#222222" if light else "white",
                )
    return figure
