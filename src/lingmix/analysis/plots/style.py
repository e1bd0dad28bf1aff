"""How every figure looks, and its PNG."""

import io
import textwrap
from typing import Any

import numpy as np
import polars as pl
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from lingmix.analysis.groups import curves

INK = "#333333"
_LETTERS_AN_INCH = 11
_MARKERS = "osD^vPX*"

Style = dict[str, Any]


def png(figure: Figure) -> bytes:
    with io.BytesIO() as stream:
        figure.savefig(stream, format="png", metadata={"Software": None})
        return stream.getvalue()


def new_figure(title: str, *, width: float, height: float) -> tuple[Figure, Axes]:
    """Width and height in inches."""
    figure = Figure(figsize=(width, height), dpi=150, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    lines = textwrap.fill(title, int(width * _LETTERS_AN_INCH))
    figure.suptitle(lines, fontsize=11, color=INK, parse_math=False)
    return figure, figure.add_subplot()


def score_axes(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e5e5e5", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.ticklabel_format(useOffset=False)
    axes.tick_params(color="#999999")


def styled_curves(summary: pl.DataFrame) -> list[tuple[Style, pl.DataFrame]]:
    """A curve a scale, dark (the smallest) to light; markers tell them apart without colour.

    Every curve has a row for each alpha of the figure, null where it has no run.
    """
    alphas = summary.select(pl.col("alpha").unique().sort())
    named = [
        (name, alphas.join(curve, on="alpha", how="left", maintain_order="left"))
        for name, curve in curves(summary)
    ]
    shades = colormaps["viridis"](np.linspace(0, 0.72, len(named)))
    return [
        ({"color": tuple(shade), "marker": _MARKERS[i % len(_MARKERS)], "label": name}, curve)
        for i, (shade, (name, curve)) in enumerate(zip(shades, named, strict=True))
    ]


def draw_line(
    axes: Axes, points_N2: NDArray[np.float64], spreads_N2: NDArray[np.float64], style: Style
) -> None:
    """With error bars; dotted across points that are missing (NaN)."""
    known_K2 = points_N2[~np.isnan(points_N2).any(axis=1)]
    axes.plot(*known_K2.T, color=style["color"], linestyle=":", linewidth=1, zorder=1)
    axes.errorbar(
        points_N2[:, 0],
        points_N2[:, 1],
        xerr=spreads_N2[:, 0] if spreads_N2[:, 0].any() else None,
        yerr=spreads_N2[:, 1] if spreads_N2[:, 1].any() else None,
        color=style["color"],
        linewidth=1.3,
        elinewidth=0.9,
        capsize=2,
        zorder=2,
    )


def legend(figure: Figure, styles: list[Style], *, columns: int, title: str = "") -> None:
    figure.legend(
        handles=[Line2D([], [], **style) for style in styles],
        title=title,
        loc="outside lower center",
        ncols=columns,
        frameon=False,
        fontsize=9,
        title_fontsize=9,
    )
