"""One Vega-Lite specification a figure, of which all its forms are made."""

import textwrap
from typing import Any, NamedTuple

import altair as alt
import polars as pl
import vl_convert as vlc

INK, PALE = "#333333", "#999999"
_ROWS = "rows"
_LETTER = 6.5
"""Pixels a letter of a title takes."""

_CONFIG: dict[str, Any] = {
    "font": "system-ui, sans-serif",
    "background": "white",
    "view": {"stroke": None},
    "axis": {
        "gridColor": "#e5e5e5",
        "domainColor": PALE,
        "tickColor": PALE,
        "labelColor": INK,
        "titleColor": INK,
        "titleFontWeight": "normal",
        "labelFontSize": 11,
        "titleFontSize": 12,
    },
    "title": {"fontSize": 13, "fontWeight": "normal", "color": INK, "anchor": "start"},
    "legend": {
        "orient": "bottom",
        "labelColor": INK,
        "titleColor": INK,
        "titleFontWeight": "normal",
        "labelLimit": 300,
        "labelFontSize": 11,
    },
}


class Figure(NamedTuple):
    """`stem` names its files, `description` says what is to be seen, `data` are all rows that it
    draws and lets its reader choose from; `width`, of its files, is in pixels."""

    stem: str
    title: str
    description: str
    data: pl.DataFrame
    chart: dict[str, Any]
    width: int

    def specification(self, **properties: Any) -> dict[str, Any]:
        return self.chart | {"datasets": {_ROWS: self.data.to_dicts()}} | properties

    def fluid(self) -> dict[str, Any]:
        """For the page: as wide as there is room, the title beside it."""
        return self.specification(
            width="container", autosize={"type": "fit-x", "contains": "padding"}
        )

    def svg(self) -> str:
        title = textwrap.wrap(self.title, int(self.width / _LETTER))
        return vlc.vegalite_to_svg(self.specification(width=self.width, title=title))


def figure_of(
    chart: alt.LayerChart,
    data: pl.DataFrame,
    *,
    stem: str,
    title: str,
    description: str,
    width: int,
) -> Figure:
    """Does not validate the chart, which takes as long as to make it: tests do."""
    named = chart.properties(data=alt.NamedData(name=_ROWS), description=description)
    specification = named.configure(**_CONFIG).to_dict(validate=False)
    return Figure(stem, title, description, data, specification, width)


def png(svg: str) -> bytes:
    """For a slide, or where SVG is not taken."""
    return vlc.svg_to_png(svg, scale=2)
