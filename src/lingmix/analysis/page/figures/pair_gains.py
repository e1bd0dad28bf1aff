"""What one alpha changes against another, language pair by language pair."""

from collections import Counter
from typing import Any

import altair as alt
import polars as pl

from lingmix.analysis.contest_rows import GAINS, LOSES, UNDECIDED
from lingmix.analysis.groups import SCALE_NAMES
from lingmix.analysis.page.figures.controls import (
    INTERVALS,
    LANGUAGE,
    OF_LANGUAGE,
    SCALE,
    of_largest_scale,
)
from lingmix.analysis.page.figures.figure import PALE, Drawing, Figure, figure_of
from lingmix.data.items import LanguagePair

_VERDICTS = [GAINS, LOSES, UNDECIDED]
_COLOURS = ["#1b6ca8", "#b3480c", "#777777"]
_SHAPES = ["triangle-up", "triangle-down", "circle"]
_ROW = 15


def pair_gains(contest: pl.DataFrame, *, stem: str, title: str) -> Figure:
    """`contest` are rows of `Answer.comparisons`, of one alpha against another."""
    data = _rows(contest)
    shown = alt.Chart().transform_filter(f"{of_largest_scale(data)} && ({OF_LANGUAGE})")
    color, shape = _verdicts(alt.Color, range=_COLOURS), _verdicts(alt.Shape, range=_SHAPES)
    first = data.filter(scale=data["scale"][-1]).sort("difference", descending=True)
    y = alt.Y("pair:N", title="query-passage", sort=first["pair"].to_list())
    axis = alt.Axis(format="+.2f")
    x = alt.X("difference:Q", title="difference", axis=axis)
    low = alt.X("difference_low:Q", title="difference", axis=axis)
    tooltip = [
        *("pair:N", "verdict:N"),
        *(alt.Tooltip(f"difference{end}:Q", format="+.3f") for end in ("", "_low", "_high")),
        *(alt.Tooltip(f"{column}:Q", format=".3f") for column in ("effect", "p_max_t", "p_holm")),
        *("seeds_needed:Q", "questions_needed:Q"),
    ]
    drawing = Drawing(
        [
            shown.mark_rule(color=PALE).encode(alt.XDatum(0)),
            shown.transform_filter(INTERVALS.name)
            .mark_rule()
            .encode(low, alt.X2("difference_high"), y, color),
            shown.mark_point(filled=True, size=60, opacity=1).encode(
                x, y, color, shape, tooltip=tooltip
            ),
        ],
        (SCALE, LANGUAGE, INTERVALS),
        height=_ROW * data["pair"].n_unique(),
    )
    counts = Counter(first["verdict"])
    verdicts = ", ".join(f"{verdict}: {counts[verdict]}" for verdict in _VERDICTS)
    return figure_of(
        drawing,
        data,
        stem=stem,
        title=title,
        description=f"{title}. Of {first.height} language pairs: {verdicts}.",
        width=420,
    )


def _verdicts(channel: Any, **scale: Any) -> Any:
    legend = alt.Legend(title=None, columns=3, symbolSize=80, symbolStrokeWidth=0)
    return channel("verdict:N", legend=legend, scale=alt.Scale(domain=_VERDICTS, **scale))


def _rows(contest: pl.DataFrame) -> pl.DataFrame:
    ordered = contest.sort("scale", nulls_last=True, maintain_order=True)
    pairs = [LanguagePair.parse(pair) for pair in ordered["pair"]]
    return ordered.with_columns(
        SCALE_NAMES,
        query=pl.Series([pair.query for pair in pairs], dtype=pl.String),
        passage=pl.Series([pair.passage for pair in pairs], dtype=pl.String),
    )
