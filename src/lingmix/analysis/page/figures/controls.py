"""What the page's controls choose: parameters that the figures share by name."""

import json

import altair as alt
import polars as pl

ALL, MEAN = "all", "mean"

SCALE = alt.param("scale", value=ALL)
SEED = alt.param("seed", value=MEAN)
LANGUAGE = alt.param("language", value=ALL)
INTERVALS = alt.param("intervals", value=True)

OF_SCALE = f"scale == '{ALL}' || datum.scale == scale"
OF_SEED = "datum.seed == seed"
OF_LANGUAGE = f"language == '{ALL}' || datum.query == language || datum.passage == language"


def of_largest_scale(data: pl.DataFrame) -> str:
    """Of the scale that was chosen; where that is all, of the last in the data."""
    last = json.dumps(data["scale"][-1])
    return f"datum.scale == (scale == '{ALL}' ? {last} : scale)"
