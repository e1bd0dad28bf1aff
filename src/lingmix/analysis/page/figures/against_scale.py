"""A score against scale: what was measured, and the law of each alpha."""

import altair as alt
import polars as pl

from lingmix.analysis.answer import Answer
from lingmix.analysis.page.figures.controls import INTERVALS
from lingmix.analysis.page.figures.curves import styles
from lingmix.analysis.page.figures.figure import Drawing, Figure, figure_of
from lingmix.analysis.scale_rows import UTILITY
from lingmix.analysis.scale_words import NAMES
from lingmix.analysis.table import score

MEASURED, FITTED, FORETOLD = "measured", "fitted", "foretold"
_BOUNDED = ["score", "score_low", "score_high"]


def against_scale(answer: Answer, setting: str, *, metric: str, stem: str, title: str) -> Figure:
    """A curve an alpha, dashed and with its bounds where it is foretold."""
    data, label = _rows(answer, setting), f"{NAMES[setting]} {metric}"
    measured = data.filter(kind=MEASURED)
    scales = measured["items"].unique().sort().to_list()
    x = alt.X(
        "items:Q",
        title="scale (augmented items)",
        # logarithmic from the smallest, with a place for 0
        scale=alt.Scale(type="symlog", constant=min(n for n in scales if n > 0)),
        axis=alt.Axis(values=[*scales, data["items"].max()]),
    )
    return figure_of(
        Drawing(_layers(data, x, label), (INTERVALS,), height=260),
        data,
        stem=stem,
        title=title,
        description=f"{NAMES[setting].capitalize()} {metric} by scale. {_in_words(measured)}.",
        width=380,
    )


def _layers(data: pl.DataFrame, x: alt.X, label: str) -> list[alt.Chart]:
    style, high = styles(data), alt.Y2("score_high")
    y, low = (
        alt.Y(f"{column}:Q", title=label, scale=alt.Scale(zero=False))
        for column in ("score", "score_low")
    )
    points, fitted, foretold = (
        alt.Chart().transform_filter(f"datum.kind == '{kind}'")
        for kind in (MEASURED, FITTED, FORETOLD)
    )
    region, bars = (some.transform_filter(INTERVALS.name) for some in (foretold, points))
    tooltip = ["curve:N", "items:Q", *(alt.Tooltip(f"{c}:Q", format=".3f") for c in _BOUNDED)]
    beyond = [
        region.mark_area(opacity=0.12).encode(x, low, high, style.color),
        foretold.mark_line(strokeDash=[5, 4]).encode(x, y, style.color),
    ]
    return [
        *(beyond if FORETOLD in data["kind"] else []),  # Vega warns of layers without data
        fitted.mark_line().encode(x, y, style.color),
        bars.mark_rule().encode(x, low, high, style.color),
        points.mark_point(size=70, opacity=1).encode(
            x, y, style.color, style.fill, style.shape, tooltip=tooltip
        ),
    ]


def _rows(answer: Answer, setting: str) -> pl.DataFrame:
    """`curve`, `items`, the score with bounds and its `kind`. A law that is told foretells, from
    where the fitted curve ends."""
    law = answer.law_curves.filter(setting=setting).rename({"scale": "items"})
    largest = law.filter(measured=1)["items"].max()
    told = answer.laws.filter(setting=setting)["exponent"].count()
    parts = {
        MEASURED: _measured(answer, setting).with_columns(pl.col("items").fill_null(largest)),
        FITTED: law.filter(measured=1),
        FORETOLD: law.filter(pl.col("items") >= largest) if told else None,
    }
    rows = pl.concat(
        part.select("alpha", "items", *_BOUNDED, kind=pl.lit(kind))
        for kind, part in parts.items()
        if part is not None
    )
    names = [f"alpha {alpha:g}" for alpha in rows["alpha"]]
    return rows.select(pl.Series("curve", names), "*").sort("alpha", maintain_order=True)


def _measured(answer: Answer, setting: str) -> pl.DataFrame:
    """Of the alphas that have a law; a scale of null is all there is."""
    if setting == UTILITY:
        rows = answer.frontier.rename(lambda name: name.replace(UTILITY, "score"))
    else:
        rows = answer.components.filter(pl.col("against").is_null(), setting=setting)
        rows = rows.rename(lambda name: name.replace("mean", "score"))
    known = answer.law_curves["alpha"].implode()
    return rows.rename({"scale": "items"}).filter(pl.col("alpha").is_in(known))


def _in_words(measured: pl.DataFrame) -> str:
    parts = []
    for (curve,), part in measured.group_by("curve", maintain_order=True):
        points = [f"{score(s)} at {n:,}" for n, s in part.select("items", "score").iter_rows()]
        parts.append(f"{curve}: {', '.join(points)}")
    return "; ".join(parts)
