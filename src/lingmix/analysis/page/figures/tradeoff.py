"""The figure that answers the question: cross-lingual against monolingual mAP."""

import altair as alt
import polars as pl

from lingmix.analysis.inference.frontier import on_front
from lingmix.analysis.page.figures.controls import INTERVALS
from lingmix.analysis.page.figures.curves import (
    layered,
    lines,
    of_controls,
    styles,
    symbols,
    x_score,
    y_score,
)
from lingmix.analysis.page.figures.figure import INK, Figure, figure_of
from lingmix.analysis.page.figures.points import in_words

_AXES = ["monolingual", "crosslingual"]


def tradeoff(points: pl.DataFrame, *, stem: str, title: str) -> Figure:
    """A curve a scale, a point an alpha, with its bounds.

    A point is hollow if another of the same seed is at least as good in both and better in one.
    """
    data = _with_dominated(points.select(pl.exclude("^multilingual.*$")))
    style = styles(data)
    x, y = x_score("monolingual"), y_score("crosslingual")
    bars = of_controls(known=_AXES).transform_filter(INTERVALS.name).mark_rule()
    chart = layered(
        *lines(x, y, style, known=_AXES),
        bars.encode(x_score("monolingual", "_low"), alt.X2("monolingual_high"), y, style.color),
        bars.encode(x, y_score("crosslingual", "_low"), alt.Y2("crosslingual_high"), style.color),
        symbols(x, y, style, known=_AXES, hollow="datum.dominated"),
        of_controls(known=_AXES).mark_text(dx=10, dy=-9, color=INK).encode(x, y, text="alpha:Q"),
        height=400,
    )
    about = "Monolingual and cross-lingual mAP, a curve a scale and a point an alpha."
    description = f"{about} {in_words(data, _AXES)}."
    return figure_of(chart, data, stem=stem, title=title, description=description, width=640)


def _with_dominated(points: pl.DataFrame) -> pl.DataFrame:
    known = points.drop_nulls(_AXES)
    found = [
        part.select("curve", "seed", "alpha", dominated=~on_front(part.select(_AXES).to_numpy()))
        for part in known.partition_by("seed", maintain_order=True)
    ]
    by = ["curve", "seed", "alpha"]
    return points.join(pl.concat(found), on=by, how="left", maintain_order="left")
