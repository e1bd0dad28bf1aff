"""How curves are drawn."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import altair as alt
import polars as pl

from lingmix.analysis.metric_columns import LABELS
from lingmix.analysis.page.figures.controls import INTERVALS, OF_SCALE, OF_SEED, SCALE, SEED
from lingmix.analysis.page.figures.figure import Drawing

_SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
_DASHES = ((1, 0), (7, 3), (12, 3, 3, 3), (3, 3), (18, 4), (12, 3, 3, 3, 3, 3))
_NOT_FROM_0 = alt.Scale(zero=False)


class Styles(NamedTuple):
    """A curve's colour, dark (the smallest scale) to light, its shape and its dashes: each alone
    tells it from the others."""

    color: alt.Color
    fill: alt.Fill
    shape: alt.Shape
    dash: alt.StrokeDash


def styles(data: pl.DataFrame) -> Styles:
    names = data["curve"].unique(maintain_order=True).to_list()
    last = 0.75 * (len(names) > 1)
    scheme = alt.SchemeParams("viridis", extent=[0, last], count=max(len(names), 2))
    shades = alt.Scale(domain=names, scheme=scheme)
    legend = alt.Legend(title=None, columns=3, symbolSize=80, symbolStrokeWidth=0, symbolOpacity=1)

    def of_each(values: Sequence[Any]) -> alt.Scale:
        return alt.Scale(domain=names, range=[values[n % len(values)] for n in range(len(names))])

    return Styles(
        alt.Color("curve:N", legend=legend, scale=shades),
        alt.Fill("curve:N", legend=legend, scale=shades),
        alt.Shape("curve:N", legend=legend, scale=of_each(_SHAPES)),
        alt.StrokeDash("curve:N", legend=legend, scale=of_each(_DASHES)),
    )


def x_score(setting: str, bound: str = "", *, metric: str = "mAP") -> alt.X:
    return alt.X(f"{setting}{bound}:Q", title=f"{LABELS[setting]} {metric}", scale=_NOT_FROM_0)


def y_score(setting: str, bound: str = "", *, metric: str = "mAP") -> alt.Y:
    return alt.Y(f"{setting}{bound}:Q", title=f"{LABELS[setting]} {metric}", scale=_NOT_FROM_0)


def of_controls(*, known: Sequence[str]) -> alt.Chart:
    """Of the rows that have these columns, those of the scale and the seed that were chosen."""
    parts = [f"({OF_SCALE})", OF_SEED, *(f"isValid(datum.{column})" for column in known)]
    return alt.Chart().transform_filter(" && ".join(parts))


def lines(x: alt.X, y: alt.Y, style: Styles, *, known: Sequence[str]) -> list[alt.Chart]:
    """Solid from alpha to alpha, dotted across one that the curve lacks."""
    dotted = of_controls(known=known).mark_line(strokeDash=[1, 3], strokeWidth=1)
    solid = of_controls(known=()).mark_line(invalid="break-paths-filter-domains")
    return [
        dotted.encode(x, y, style.color, order="alpha:Q"),
        solid.encode(x, y, style.color, style.dash, order="alpha:Q"),
    ]


def symbols(
    x: alt.X, y: alt.Y, style: Styles, *, known: Sequence[str], hollow: str = "false"
) -> alt.Chart:
    """Of each point, hollow where an expression says so."""
    tooltip = [
        *("curve:N", "alpha:Q", "seed:N"),
        *(alt.Tooltip(f"{column}:Q", format=".3f") for column in known),
    ]
    fill = alt.when(hollow).then(alt.value("white")).otherwise(style.fill)
    points = of_controls(known=known).mark_point(size=70, opacity=1)
    return points.encode(x, y, style.color, style.shape, fill=fill, tooltip=tooltip)


def layered(*layers: alt.Chart, height: int) -> Drawing:
    return Drawing(layers, (SCALE, SEED, INTERVALS), height)
