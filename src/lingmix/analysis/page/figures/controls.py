"""What the page's controls choose: parameters that the figures share by name."""

import altair as alt

ALL, MEAN = "all", "mean"

SCALE = alt.param("scale", value=ALL)
SEED = alt.param("seed", value=MEAN)
LANGUAGE = alt.param("language", value=ALL)
INTERVALS = alt.param("intervals", value=True)

OF_SCALE = f"scale == '{ALL}' || datum.scale == scale"
OF_SEED = "datum.seed == seed"
OF_LANGUAGE = f"language == '{ALL}' || datum.query == language || datum.passage == language"
