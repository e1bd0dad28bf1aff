"""One Vega-Lite specification a figure, of which all its forms are made."""

import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

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


class Drawing(NamedTuple):
    """Layers over one another, and the parameters that they read; `fill` is the ground's colour."""

    layers: Sequence[alt.Chart]
    params: Sequence[alt.Parameter]
    height: int
    fill: str | None = None

    def specification(self) -> dict[str, Any]:
        """As `alt.LayerChart` makes it, which copies each layer several times and validates it:
        tests validate all figures."""
        layers = [one.to_dict(validate=False, context={"top_level": False}) for one in self.layers]
        view = {} if self.fill is None else {"view": {"fill": self.fill}}
        return {
            "$schema": alt.SCHEMA_URL,
            "height": self.height,
            "params": [cast("alt.VariableParameter", one.param).to_dict() for one in self.params],
            "layer": [{key: one[key] for key in one if key != "data"} for one in layers],
            **view,
        }


def figure_of(
    drawing: Drawing,
    data: pl.DataFrame,
    *,
    stem: str,
    title: str,
    description: str,
    width: int,
) -> Figure:
    """Draws rows of the data."""
    about = {"config": _CONFIG, "data": {"name": _ROWS}, "description": description}
    return Figure(stem, title, description, data, drawing.specification() | about, width)


def png(svg: str) -> bytes:
    """For a slide, or where SVG is not taken."""
    return vlc.svg_to_png(svg, scale=2)
