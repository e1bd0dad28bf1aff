"""What planted truth has shown of a design, as text for the terminal."""

from collections.abc import Mapping, Sequence
from math import isinf
from typing import Any

import numpy as np

from lingmix.analysis.inference.planted import (
    LEVEL,
    BatchSweep,
    Check,
    Design,
    Noise,
    PlantedLaw,
    check_design,
)
from lingmix.analysis.table import ABSENT, score
from lingmix.text_table import format_table

HEAD = ("", "truth", "told", "held", "width")


def planted_table(settings: Mapping[str, Any], *, like: str = "") -> str:
    """Draws the studies of `conf/planted` and returns the shares in words and as a table; `like`
    says of what recorded runs design and noise are."""
    design = Design(**settings["design"])
    checks = check_design(
        PlantedLaw(**settings["law"]),
        Noise(**settings["noise"]),
        design,
        BatchSweep(**settings["batches"]),
        studies=settings["studies"],
        draws=settings["draws"],
        rng=np.random.default_rng(settings["seed"]),
    )
    about = (
        f"{settings['studies']} studies of {len(design.alphas)} alphas, {len(design.scales)} "
        f"scales, {design.seeds} seeds and {design.questions:,} questions, drawn from a known law."
    )
    if like:
        spreads = ", ".join(f"{key} {value:.4f}" for key, value in settings["noise"].items())
        about += f"\nDesign and noise as recorded of {like}; standard deviations: {spreads}."
    legend = (
        "told: the share of studies that can tell it; held: of those, the share whose "
        f"{LEVEL:.0%} interval holds the truth; width: of the interval, the median."
    )
    return f"{about}\n\n{format_table(HEAD, map(_row, checks), figures=slice(1, None))}\n\n{legend}"


def _row(check: Check) -> Sequence[str]:
    return [
        check.what,
        ABSENT if check.truth is None else _figure(check.truth),
        score(check.told, 3),
        ABSENT if check.covered is None else score(check.covered, 3),
        ABSENT if check.width is None else _figure(check.width),
    ]


def _figure(value: float) -> str:
    if isinf(value):
        return "unbounded"
    return f"{value:,.0f}" if abs(value) >= 10 else score(value)
