"""What is read of a run's metrics on one evaluation set."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import polars as pl

from lingmix.data.items import LanguagePair
from lingmix.errors import InputError
from lingmix.evaluation.bias import BIAS
from lingmix.evaluation.metric_names import (
    EXCESS_SHARE,
    MAP,
    SETTINGS,
    TEST,
    UNBOUNDED,
    Measure,
    MetricName,
    Range,
    ScoreName,
    on_test_set,
    parse_score,
    parsed,
    setting_maps,
)
from lingmix.evaluation.metrics import METRICS
from lingmix.evaluation.parallel import PARALLEL

LABELS = {
    "monolingual": "monolingual",
    "crosslingual": "cross-lingual",
    "multilingual": "multilingual",
}
PAIR_METRICS = (MAP, EXCESS_SHARE)
KNOWN: dict[str, Measure[Any]] = {**METRICS, **BIAS, **PARALLEL}
"""By the names of metrics."""
SCORED = pl.any_horizontal(pl.col(SETTINGS).is_not_null())
"""Rows with mAP in some setting."""


def measures() -> dict[str, Measure[Any]]:
    """By the columns' names: the mAP in each setting, and each figure of language bias."""
    maps = {setting: replace(METRICS[MAP], label=LABELS[setting], digits=3) for setting in SETTINGS}
    return {**maps, **BIAS}


def range_of(metric: str) -> Range:
    """Returns the range of a score of queries; one that is not known has no bounds."""
    return KNOWN[metric].range if metric in KNOWN else UNBOUNDED


def label_of(metric: str) -> str:
    """Returns its label; the name of a metric that is not known."""
    return KNOWN[metric].label if metric in KNOWN else metric


def evaluation_sets(*recorded: pl.DataFrame) -> list[str]:
    """Sets that at least one run has a setting's mAP for."""
    runs = sum(table.height for table in recorded)
    if not runs:
        raise InputError(
            "no complete run to analyse: record some with `lingmix-train -m sweep=demo` or "
            "`lingmix-evaluate` first"
        )
    names = {
        name.set
        for table in recorded
        for name in setting_maps(table.columns)
        if table[str(name)].count()
    }
    if not names:
        raise InputError(
            f"{runs} complete runs, but none has a metric test/<set>/<setting>/map: "
            "train with an evaluation set (evaluation=...), then analyse again"
        )
    return sorted(names)


def set_columns(recorded: pl.DataFrame, set_name: str) -> list[pl.Expr]:
    """The `measures` under their names, and of each language pair `pair/<en-de>/map` and
    `pair/<en-de>/excess_share`; null where not measured."""
    scores = {name: ScoreName(name, "multilingual") for name in BIAS}
    scores |= {setting: ScoreName(MAP, setting) for setting in SETTINGS}
    metrics = {name: on_test_set(set_name, str(scores[name])) for name in measures()}
    metrics |= {
        str(name.score): str(name)
        for name in parsed(recorded.columns)
        if _is_of_pair(name, set_name) and recorded[str(name)].count()
    }
    return [
        (pl.col(path).cast(pl.Float64).fill_nan(None) if path in recorded.columns else pl.lit(None))
        .cast(pl.Float64)
        .alias(name)
        for name, path in metrics.items()
    ]


def pair_columns(columns: Iterable[str]) -> dict[str, tuple[str, LanguagePair]]:
    """The metric and the language pair of those of `set_columns` that are of one."""
    scores = {column: parse_score(column) for column in columns}
    return {
        column: (score.metric, score.scope)
        for column, score in scores.items()
        if score and isinstance(score.scope, LanguagePair)
    }


def _is_of_pair(name: MetricName, set_name: str) -> bool:
    return (
        (name.split, name.set) == (TEST, set_name)
        and isinstance(name.score.scope, LanguagePair)
        and name.score.metric in PAIR_METRICS
    )
