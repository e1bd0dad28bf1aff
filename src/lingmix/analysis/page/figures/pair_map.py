"""A score of each language pair: query languages down, passage languages across."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import altair as alt
import polars as pl

from lingmix.analysis.page.figures.controls import (
    LANGUAGE,
    MEAN,
    OF_LANGUAGE,
    OF_SEED,
    SCALE,
    SEED,
    of_largest_scale,
)
from lingmix.analysis.page.figures.figure import Drawing, Figure, figure_of
from lingmix.analysis.table import score, signed

MOST_NUMBERED = 12
"""Languages across whose cells have room for numbers."""

_CELL = 26


class Colours(NamedTuple):
    """What the ends of the colours stand for, so that maps side by side share them; the middle of
    differences is 0."""

    low: float
    high: float
    difference: bool

    def scale(self) -> alt.Scale:
        ends = [self.low, self.high]
        if self.difference:
            return alt.Scale(scheme="redblue", domain=ends)
        return alt.Scale(scheme="blues", domain=ends)

    def number(self, digits: int) -> str:
        """A format."""
        return f"{'+' * self.difference}.{digits}f"

    def dark(self) -> str:
        """An expression: whether the cell is."""
        if self.difference:
            return f"abs(datum.score) > {0.6 * self.high}"
        return f"datum.score > {self.low + 0.55 * (self.high - self.low)}"


def colours_of(maps: Sequence[pl.DataFrame], *, difference: bool) -> Colours:
    values = [value for scores in maps for value in scores["score"]]
    if not difference:
        return Colours(min(values, default=0.0), max(values, default=0.0), difference)
    widest = max(map(abs, values), default=0.0) or 1.0
    return Colours(-widest, widest, difference)


def pair_map(scores: pl.DataFrame, colours: Colours, *, stem: str, title: str) -> Figure:
    """`scores` are rows of `pair_scores`; where they have a `scale`, the last is shown first."""
    queries, passages = scores["query"].n_unique(), scores["passage"].n_unique()
    chosen = [LANGUAGE, *(choice for choice in (SCALE, SEED) if choice.name in scores.columns)]
    cells = _shown(scores).encode(
        alt.X("passage:N", title="passage language", axis=alt.Axis(orient="top", labelAngle=0)),
        alt.Y("query:N", title="query language"),
        opacity=alt.when(OF_LANGUAGE).then(alt.value(1)).otherwise(alt.value(0.15)),
    )
    numbered = max(queries, passages) <= MOST_NUMBERED
    drawing = Drawing(
        [_rectangles(cells, colours), _texts(cells, colours, numbered=numbered)],
        chosen,
        height=_CELL * queries,
        fill="#dddddd",
    )
    return figure_of(
        drawing,
        scores,
        stem=stem,
        title=title,
        description=_in_words(scores, colours),
        width=max(240, 90 + 32 * passages),
    )


def _rectangles(cells: alt.Chart, colours: Colours) -> alt.Chart:
    legend = alt.Legend(title=None, format=colours.number(2), gradientLength=150)
    score = alt.Tooltip("score:Q", format=colours.number(3))
    return cells.mark_rect().encode(
        color=alt.Color("score:Q", scale=colours.scale(), legend=legend),
        tooltip=["query:N", "passage:N", score],
    )


def _texts(cells: alt.Chart, colours: Colours, *, numbered: bool) -> alt.Chart:
    """Numbers, or where there is no room for them a minus, so that the map reads in grey."""
    number = f"format(datum.score, '{colours.number(2)}')"
    text = number if numbered else "datum.score < 0 ? '−' : ''"
    ink = alt.when(colours.dark()).then(alt.value("white")).otherwise(alt.value("#222222"))
    return (
        cells.transform_calculate(text=text).mark_text(fontSize=10).encode(color=ink, text="text:N")
    )


def _shown(scores: pl.DataFrame) -> alt.Chart:
    """Cells of the scale and the seed that were chosen."""
    if "scale" not in scores.columns:
        return alt.Chart()
    return alt.Chart().transform_filter(f"{of_largest_scale(scores)} && {OF_SEED}")


def _in_words(scores: pl.DataFrame, colours: Colours) -> str:
    """The extremes, for those who do not see them."""
    shown = scores
    if "scale" in scores.columns:
        shown = scores.filter(pl.col("scale") == scores["scale"][-1], seed=MEAN)
    ends = shown.sort("score").rows(named=True)
    lowest, highest = (_cell(row, colours) for row in (ends[0], ends[-1]))
    return f"A score of each language pair, from {lowest} to {highest}."


def _cell(row: dict[str, Any], colours: Colours) -> str:
    shown = signed if colours.difference else score
    return f"{shown(row['score'])} (queries in {row['query']}, passages in {row['passage']})"
