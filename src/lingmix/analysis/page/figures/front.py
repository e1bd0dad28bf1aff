"""The trade-off and what is sure of it: intervals, and the region in which the front may lie."""

import altair as alt
import polars as pl

from lingmix.analysis.answer import Answer
from lingmix.analysis.groups import SCALE_NAMES
from lingmix.analysis.page.figures.controls import INTERVALS, OF_SCALE, SCALE
from lingmix.analysis.page.figures.curves import Styles, styles, x_score, y_score
from lingmix.analysis.page.figures.figure import INK, Drawing, Figure, figure_of
from lingmix.analysis.table import score

_BOUNDED = [
    f"{axis}{end}" for axis in ("monolingual", "crosslingual") for end in ("", "_low", "_high")
]
_LIKELY = 0.5
"""The probability of being on the front below which a point is hollow."""


def front(answer: Answer, *, metric: str, stem: str, title: str) -> Figure:
    """A curve a scale, a point an alpha."""
    data = _rows(answer)
    style = styles(data)
    shown = alt.Chart().transform_filter(OF_SCALE)
    alphas = shown.transform_filter("isValid(datum.alpha)")
    region = shown.transform_filter(f"{INTERVALS.name} && !isValid(datum.alpha)")
    bars = alphas.transform_filter(INTERVALS.name).mark_rule()
    x, y = x_score("monolingual", metric=metric), y_score("crosslingual", metric=metric)
    x_low = x_score("monolingual", "_low", metric=metric)
    y_low, y_high = y_score("crosslingual", "_low", metric=metric), alt.Y2("crosslingual_high")
    drawing = Drawing(
        [
            region.mark_area(opacity=0.15).encode(x, y_low, y_high, style.color),
            alphas.mark_line().encode(x, y, style.color, style.dash, order="alpha:Q"),
            bars.encode(x_low, alt.X2("monolingual_high"), y, style.color),
            bars.encode(x, y_low, y_high, style.color),
            _symbols(alphas.encode(x, y), style),
            alphas.mark_text(dx=10, dy=-9, color=INK).encode(x, y, text="alpha:Q"),
        ],
        (SCALE, INTERVALS),
        height=400,
    )
    return figure_of(
        drawing,
        data,
        stem=stem,
        title=title,
        description=_in_words(data),
        width=640,
    )


def _symbols(points: alt.Chart, style: Styles) -> alt.Chart:
    unlikely = alt.when(f"datum.front < {_LIKELY}").then(alt.value("white"))
    tooltip = [
        *("curve:N", "alpha:Q"),
        *(alt.Tooltip(f"{column}:Q", format=".3f") for column in _BOUNDED),
        alt.Tooltip("front:Q", format=".2f", title="probability of being on the front"),
        alt.Tooltip("best:Q", format=".2f", title="probability of being the best"),
    ]
    return points.mark_point(size=70, opacity=1).encode(
        style.color, style.shape, fill=unlikely.otherwise(style.fill), tooltip=tooltip
    )


def _rows(answer: Answer) -> pl.DataFrame:
    """Of the alphas, then of the region, which has none. Where perhaps no alpha attains a
    monolingual score, the region reaches down to its lowest place."""
    alphas = answer.frontier.select("scale", "alpha", *_BOUNDED, "front", "best")
    low = pl.col("crosslingual_low")
    floor = pl.coalesce(low, low.min().over("scale"), alphas["crosslingual_low"].min())
    region = answer.region.with_columns(
        crosslingual_low=pl.when(pl.col("crosslingual_high").is_not_null()).then(floor)
    )
    rows = pl.concat([alphas, region], how="diagonal").with_columns(SCALE_NAMES)
    return rows.select(("scale " + pl.col("scale")).alias("curve"), "*")


def _in_words(data: pl.DataFrame) -> str:
    points = [
        f"{row['curve']}, alpha {row['alpha']:g}: {score(row['monolingual'])} and "
        f"{score(row['crosslingual'])}, on the front with probability {score(row['front'], 2)}"
        for row in data.drop_nulls(["alpha", "front"]).iter_rows(named=True)
    ]
    return f"Monolingual and cross-lingual scores. {'; '.join(points)}."
