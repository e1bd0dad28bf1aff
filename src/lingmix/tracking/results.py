"""What a finished run leaves behind: metrics, per-query results, configuration, model."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from lingmix.evaluation.scores import SetScores
from lingmix.text_table import in_columns
from lingmix.tracking.environment import environment
from lingmix.tracking.outbox.recorder import RunRecorder
from lingmix.tracking.secrets import masked

SETTINGS = ("monolingual", "crosslingual", "multilingual")
METRICS = {
    "map": "mAP",
    "ndcg_at_10": "nDCG@10",
    "recall_at_1": "R@1",
    "recall_at_10": "R@10",
    "recall_at_100": "R@100",
    "mrr_at_10": "MRR@10",
}
BIAS = {
    "rank_distance": ("rank distance", ".1f"),
    "share_gap": ("share gap", ".3f"),
    "same_language_preference": ("same-language preference", "+.3f"),
    "same_language_excess": ("same-language excess", "+.3f"),
    "peer": ("PEER", ".3f"),
}


def log_results(
    recorder: RunRecorder,
    scores: Sequence[SetScores],
    *,
    folder: Path,
    config: Mapping[str, Any],
    overrides: Sequence[str],
    save_model: Callable[[Path], None] | None,
) -> None:
    """Metrics as `test/<set>/...`; as artifacts the rest, and what lies in `folder` already."""
    metrics = {
        f"test/{one.name}/{name}": value for one in scores for name, value in one.metrics.items()
    }
    counts = {one.name: one.counts for one in scores}
    _write_yaml(folder / "config.yaml", masked(config))
    _write_yaml(folder / "overrides.yaml", masked(overrides))
    for name, value in (
        ("scores.json", metrics),
        ("counts.json", counts),
        ("environment.json", environment()),
    ):
        (folder / name).write_text(json.dumps(value, indent=1), encoding="utf-8")
    per_query = pl.concat([one.per_query for one in scores], how="diagonal")
    per_query.write_parquet(folder / "per_query.parquet")
    if save_model is not None:
        save_model(folder / "model")
    recorder.log_files(folder)
    recorder.log_metrics(metrics)
    recorder.flush()


def headline(scores: Sequence[SetScores]) -> str:
    """mAP in each setting, a line a set."""
    lines = []
    for one in scores:
        shown = (
            f"{setting} {one.metrics[f'{setting}/map']:.3f}"
            for setting in SETTINGS
            if f"{setting}/map" in one.metrics
        )
        lines.append(f"  {one.name}: mAP {', '.join(shown)}")
    return "\n".join(lines)


def score_table(scores: Sequence[SetScores]) -> str:
    """Every setting of every set, the language bias, and which queries were counted."""
    rows: list[Sequence[str]] = []
    notes = []
    for one in scores:
        rows.append((one.name,))
        for setting in SETTINGS:
            if f"{setting}/map" in one.metrics:
                figures = (f"{one.metrics[f'{setting}/{metric}']:.4f}" for metric in METRICS)
                rows.append((f"  {setting}", *figures))
        notes += [f"{one.name}: {note}" for note in (*_bias(one), *_counted(one))]
    table = in_columns(("", *METRICS.values()), rows, figures=slice(1, None))
    return "\n".join([table, *notes])


def recorded_scores(metrics: Mapping[str, float]) -> list[SetScores]:
    """Of a recorded run, without what MLflow has as files alone."""
    by_set: dict[str, dict[str, float]] = {}
    for key, value in metrics.items():
        test, _, rest = key.partition("/")
        set_name, _, name = rest.partition("/")
        if test == "test":
            by_set.setdefault(set_name, {})[name] = value
    return [
        SetScores(name=name, metrics=of, per_query=pl.DataFrame(), counts={})
        for name, of in by_set.items()
    ]


def _bias(scores: SetScores) -> list[str]:
    told = [
        f"{words} {scores.metrics[f'multilingual/{name}']:{form}}"
        for name, (words, form) in BIAS.items()
        if f"multilingual/{name}" in scores.metrics
    ]
    return [f"language bias: {', '.join(told)}"] if told else []


def _counted(scores: SetScores) -> list[str]:
    """Which queries a mean is over, where they are not all of the set's."""
    counts, metrics = scores.counts, scores.metrics
    notes = [f"left out {n} queries without a judgement"] if (n := counts.get("unjudged")) else []
    for setting in SETTINGS:
        if skipped := counts.get(f"{setting}/skipped"):
            rankings = skipped + counts[f"{setting}/ranked"]
            notes.append(
                f"left out {skipped} of {rankings} {setting} rankings, whose query is not judged "
                "there"
            )
        if without := metrics.get(f"{setting}/without_relevant"):
            others = metrics.get(f"{setting}/map_answerable", math.nan)
            notes.append(
                f"{without:.0f} judged {setting} rankings have no relevant passage and count 0; "
                f"mAP of the others {others:.4f}"
            )
    if "search_recall" in metrics:
        notes.append(f"the search found {metrics['search_recall']:.1%} of the exact hits")
    return notes


def _write_yaml(path: Path, value: object) -> None:
    path.write_text(yaml.safe_dump(value, sort_keys=False, allow_unicode=True), encoding="utf-8")
