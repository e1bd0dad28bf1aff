"""Scores as a terminal shows them."""

import math
from collections.abc import Mapping, Sequence

import polars as pl

from lingmix.evaluation.bias import BIAS
from lingmix.evaluation.metric_names import (
    MAP,
    RANKED,
    SEARCH_RECALL,
    SETTINGS,
    SKIPPED,
    TEST,
    UNJUDGED,
    WITHOUT_RELEVANT,
    ScoreName,
    answerable,
    parsed,
)
from lingmix.evaluation.metrics import METRICS
from lingmix.evaluation.scores import SetScores
from lingmix.text_table import format_table


def headline(scores: Sequence[SetScores]) -> str:
    """mAP in each setting, a line a set."""
    lines = []
    for one in scores:
        means = ((setting, one.figure(MAP, setting)) for setting in SETTINGS)
        shown = (f"{setting} {value:.3f}" for setting, value in means if value is not None)
        lines.append(f"  {one.name}: mAP {', '.join(shown)}")
    return "\n".join(lines)


def score_table(scores: Sequence[SetScores]) -> str:
    """Every setting of every set, the language bias, and which queries were counted."""
    rows: list[Sequence[str]] = []
    notes = []
    for one in scores:
        rows.append((one.name,))
        for setting in SETTINGS:
            if one.figure(MAP, setting) is not None:
                rows.append((f"  {setting}", *_figures(one, setting)))
        notes += [f"{one.name}: {note}" for note in (*_bias(one), *_counted(one))]
    labels = (metric.label for metric in METRICS.values())
    return "\n".join([format_table(("", *labels), rows, figures=slice(1, None)), *notes])


def recorded_scores(metrics: Mapping[str, float]) -> list[SetScores]:
    """Of a recorded run, without what MLflow has as files alone."""
    by_set: dict[str, dict[str, float]] = {}
    for name in parsed(metrics):
        if name.split == TEST:
            by_set.setdefault(name.set, {})[str(name.score)] = metrics[str(name)]
    return [
        SetScores(name=name, metrics=means, per_query=pl.DataFrame(), counts={})
        for name, means in by_set.items()
    ]


def _figures(scores: SetScores, setting: str) -> list[str]:
    """Empty for a metric that a run of an older version has not measured."""
    means = ((metric, scores.figure(name, setting)) for name, metric in METRICS.items())
    return ["" if value is None else metric.shown(value) for metric, value in means]


def _bias(scores: SetScores) -> list[str]:
    figures = ((figure, scores.figure(name, "multilingual")) for name, figure in BIAS.items())
    shown = [
        f"{figure.label} {figure.shown(value)}" for figure, value in figures if value is not None
    ]
    return [f"language bias: {', '.join(shown)}"] if shown else []


def _counted(scores: SetScores) -> list[str]:
    """Which queries a mean is over, where they are not all of the set's."""
    counts = scores.counts
    notes = [f"left out {n} queries without a judgement"] if (n := counts.get(UNJUDGED)) else []
    for setting in SETTINGS:
        if skipped := counts.get(str(ScoreName(SKIPPED, setting))):
            rankings = skipped + counts[str(ScoreName(RANKED, setting))]
            notes.append(
                f"left out {skipped} of {rankings} {setting} rankings, whose query is not judged "
                "there"
            )
        if without := scores.figure(WITHOUT_RELEVANT, setting):
            others = scores.figure(answerable(MAP), setting)
            notes.append(
                f"{without:.0f} judged {setting} rankings have no relevant passage and count 0; "
                f"mAP of the others {math.nan if others is None else others:.4f}"
            )
    if (found := scores.figure(SEARCH_RECALL)) is not None:
        notes.append(f"the search found {found:.1%} of the exact hits")
    return notes
