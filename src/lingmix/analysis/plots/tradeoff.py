"""The figure that answers the question: cross-lingual against monolingual mAP."""

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lingmix.analysis.pareto_front import on_frontier
from lingmix.analysis.plots.labels import Boxes, place
from lingmix.analysis.plots.style import (
    INK,
    Style,
    draw_line,
    legend,
    new_figure,
    score_axes,
    styled_curves,
)

_AXES = ["monolingual", "crosslingual"]
_SPREADS = [f"{setting}_spread" for setting in _AXES]
_LABEL_SIZE = 9.0
_HOLLOW = {
    "color": INK,
    "marker": "o",
    "markerfacecolor": "white",
    "linestyle": "",
    "label": "hollow: another is at least as good in both",
}


def tradeoff(summary: pl.DataFrame, *, title: str) -> Figure:
    """A curve a scale, a point an alpha; error bars span one sample standard deviation each way.

    A point is hollow if another of the figure is at least as good in both and better in one.
    """
    known = summary.drop_nulls(_AXES)
    known = known.with_columns(frontier=on_frontier(known.select(_AXES).to_numpy()))
    figure, axes = new_figure(title, width=7.2, height=5.8)
    score_axes(axes)
    axes.set_xlabel("monolingual mAP")
    axes.set_ylabel("cross-lingual mAP")
    styled = styled_curves(known)
    for style, curve in styled:
        _draw(axes, style, curve)
    known_curves = [(style, curve.drop_nulls(_AXES)) for style, curve in styled]
    axes.margins(0.1)
    styles = [style for style, _ in styled] + [_HOLLOW] * (not known["frontier"].all())
    legend(figure, styles, columns=3, title="numbers on the points: alpha")
    _label(figure, axes, known_curves)
    return figure


def _draw(axes: Axes, style: Style, curve: pl.DataFrame) -> None:
    draw_line(axes, curve.select(_AXES).to_numpy(), _spreads(curve), style)
    for *point, kept in curve.select(*_AXES, "frontier").drop_nulls().iter_rows():
        face = style["color"] if kept else "white"
        axes.plot(*point, **style | {"markerfacecolor": face}, markersize=7, zorder=3)


def _label(figure: Figure, axes: Axes, styled: list[tuple[Style, pl.DataFrame]]) -> None:
    """Alpha beside each point, clear of points, error bars, curves and other labels."""
    figure.draw_without_rendering()
    pixels = figure.dpi / 72
    rows = [(style, row) for style, curve in styled for row in curve.iter_rows(named=True)]
    texts = [f"{row['alpha']:g}" for _, row in rows]
    points_N2 = np.array([[row[setting] for setting in _AXES] for _, row in rows])
    spots_N2 = axes.transData.transform(points_N2)
    sizes_N2 = np.array([[0.62 * len(t) + 0.2, 1.1] for t in texts]) * _LABEL_SIZE * pixels
    taken_T4 = np.vstack([_taken(axes, curve, 5 * pixels) for _, curve in styled])
    boxes_N4 = place(
        points_N2=spots_N2, sizes_N2=sizes_N2, taken_T4=taken_T4, bounds=np.array(axes.bbox.extents)
    )
    offsets_N2 = ((boxes_N4[:, :2] + boxes_N4[:, 2:]) / 2 - spots_N2) / pixels
    for text, (style, _), point, offset in zip(texts, rows, points_N2, offsets_N2, strict=True):
        axes.annotate(
            text,
            tuple(point),
            tuple(offset),
            textcoords="offset points",
            ha="center",
            va="center_baseline",
            fontsize=_LABEL_SIZE,
            color=style["color"],
        )


def _taken(axes: Axes, curve: pl.DataFrame, marker: float) -> Boxes:
    """Boxes over the markers, the error bars and, in short steps, the line; in pixels."""
    points_N2, spread_N2 = curve.select(_AXES).to_numpy(), _spreads(curve)
    spots_N2 = axes.transData.transform(points_N2)
    low_N2 = axes.transData.transform(points_N2 - spread_N2)
    high_N2 = axes.transData.transform(points_N2 + spread_N2)
    bar_x = np.stack([low_N2[:, 0], spots_N2[:, 1] - 2, high_N2[:, 0], spots_N2[:, 1] + 2], axis=1)
    bar_y = np.stack([spots_N2[:, 0] - 2, low_N2[:, 1], spots_N2[:, 0] + 2, high_N2[:, 1]], axis=1)
    return np.vstack([_squares(spots_N2, marker), _squares(_along(spots_N2), 2.5), bar_x, bar_y])


def _squares(centres_N2: NDArray[np.float64], reach: float) -> Boxes:
    return np.hstack([centres_N2 - reach, centres_N2 + reach])


def _along(spots_N2: NDArray[np.float64], steps: int = 40) -> NDArray[np.float64]:
    at = np.linspace(0, len(spots_N2) - 1, steps * len(spots_N2))
    known = np.arange(len(spots_N2))
    return np.stack([np.interp(at, known, spots_N2[:, axis]) for axis in (0, 1)], axis=1)


def _spreads(curve: pl.DataFrame) -> NDArray[np.float64]:
    return curve.select(pl.col(_SPREADS).fill_null(0)).to_numpy()
