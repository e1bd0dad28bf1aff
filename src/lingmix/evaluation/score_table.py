"""Formats scores for a terminal."""

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
from lingmix.evaluation.parallel import HEADLINES
from lingmix.evaluation.scores import SetScores
from lingmix.text_table import format_table


def headline(scores: Sequence[SetScores]) -> str:
    """Returns mAP in each setting, a line a set."""
    lines = []
    for of_set in scores:
        means = ((setting, of_set.figure(MAP, setting)) for setting in SETTINGS)
        parts = (f"{setting} {value:.3f}" for setting, value in means if value is not None)
        lines.append(f"  {of_set.name}: mAP {', '.join(parts)}")
    return "\n".join(lines)


def score_table(scores: Sequence[SetScores]) -> str:
    """Returns a table of every setting of every set, with notes on the language bias, on parallel
    passages and on queries that were not counted."""
    rows: list[Sequence[str]] = []
    notes = []
    for of_set in scores:
        rows.append((of_set.name,))
        for setting in SETTINGS:
            if of_set.figure(MAP, setting) is not None:
                rows.append((f"  {setting}", *_figures(of_set, setting)))
        notes += [f"{of_set.name}: {note}" for note in (*_pooled(of_set), *_counted(of_set))]
    labels = (metric.label for metric in METRICS.values())
    return "\n".join([format_table(("", *labels), rows, figures=slice(1, None)), *notes])


def recorded_scores(metrics: Mapping[str, float]) -> list[SetScores]:
    """Reads the scores of a recorded run from its metrics, without those that are only in files."""
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
    return ["" if value is None else metric.format(value) for metric, value in means]


def _pooled(scores: SetScores) -> list[str]:
    """Shows the headline figures of the pool of all languages."""
    notes = []
    for what, measures in (("language bias", BIAS), ("parallel passages", HEADLINES)):
        figures = (
            (measure, scores.figure(name, "multilingual")) for name, measure in measures.items()
        )
        shown = [f"{of.label} {of.format(value)}" for of, value in figures if value is not None]
        notes += [f"{what}: {', '.join(shown)}"] if shown else []
    return notes


def _counted(scores: SetScores) -> list[str]:
    """Says which queries a mean is over, where these are not all of the set's."""
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
            answered = scores.figure(answerable(MAP), setting)
            notes.append(
                f"{without:.0f} judged {setting} rankings have no relevant passage and count 0; "
                f"mAP of the others {math.nan if answered is None else answered:.4f}"
            )
    if (found := scores.figure(SEARCH_RECALL)) is not None:
        notes.append(f"the search found {found:.1%} of the exact hits")
    return notes
