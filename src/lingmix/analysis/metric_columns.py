"""What is read of a run's metrics on one evaluation set."""

import re

import polars as pl

from lingmix.errors import InputError

SETTINGS = ("monolingual", "crosslingual", "multilingual")
BIAS = (
    "rank_distance",
    "share_gap",
    "same_language_preference",
    "same_language_excess",
    "peer",
)
MEASURES = (*SETTINGS, *BIAS)
SCORED = pl.any_horizontal(pl.col(SETTINGS).is_not_null())
"""Rows with mAP in some setting."""

_SETTING_MAP = re.compile(rf"test/(.+)/(?:{'|'.join(SETTINGS)})/map")


def evaluation_sets(*recorded: pl.DataFrame) -> list[str]:
    """Sets that at least one run has a setting's mAP for."""
    runs = sum(table.height for table in recorded)
    if not runs:
        raise InputError(
            "no complete run to analyse: record some with `lingmix-train -m sweep=demo` or "
            "`lingmix-evaluate` first"
        )
    names = {
        match[1]
        for table in recorded
        for column in table.columns
        if (match := _SETTING_MAP.fullmatch(column)) and table[column].count()
    }
    if not names:
        raise InputError(
            f"{runs} complete runs, but none has a metric test/<set>/<setting>/map: "
            "train with an evaluation set (evaluation=...), then analyse again"
        )
    return sorted(names)


def measures(recorded: pl.DataFrame, set_name: str) -> list[pl.Expr]:
    """The mAP in each setting under its name, each figure of language bias, and of each language
    pair `pair/<en-de>/map` and `pair/<en-de>/excess_share`; null where not measured."""
    paths = {setting: f"test/{set_name}/{setting}/map" for setting in SETTINGS}
    paths |= {figure: f"test/{set_name}/multilingual/{figure}" for figure in BIAS}
    pair = re.compile(rf"test/{re.escape(set_name)}/(pair/[^/]+/(?:map|excess_share))")
    paths |= {
        match[1]: column
        for column in recorded.columns
        if (match := pair.fullmatch(column)) and recorded[column].count()
    }
    return [
        (pl.col(path).cast(pl.Float64).fill_nan(None) if path in recorded.columns else pl.lit(None))
        .cast(pl.Float64)
        .alias(name)
        for name, path in paths.items()
    ]
