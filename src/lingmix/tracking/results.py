"""The results of a run: metrics, per-query scores, configuration and model."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from lingmix.evaluation.geometry import GEOMETRY
from lingmix.evaluation.metric_names import (
    CENTERED,
    CONTRASTIVE_ENTROPY,
    SETTINGS,
    MetricName,
    on_test_set,
    parse,
    setting_maps,
)
from lingmix.evaluation.parallel import HEADLINES, PARALLEL
from lingmix.evaluation.scores import SetScores
from lingmix.tracking.environment import environment
from lingmix.tracking.outbox.recorder import RunRecorder
from lingmix.tracking.pair_scores import SCORES
from lingmix.tracking.secrets import mask_all_secrets

DETAILS = {*GEOMETRY, *PARALLEL} - HEADLINES.keys()
"""Measures that are in `scores.json` alone."""

PairMetrics = Mapping[str, Collection[str]]
"""`tracking.pair_metrics`: for `val` and `test`, the metrics of language pairs that are recorded,
or `all`."""


def log_results(
    recorder: RunRecorder,
    scores: Sequence[SetScores],
    *,
    folder: Path,
    config: Mapping[str, Any],
    overrides: Sequence[str],
    save_model: Callable[[Path], None] | None,
) -> None:
    """Records some of the scores as metrics (see `as_metrics`), and as artifacts all of them, the
    configuration, the model and what `folder` contains already."""
    metrics = {
        on_test_set(set_scores.name, name): value
        for set_scores in scores
        for name, value in set_scores.metrics.items()
    }
    counts = {set_scores.name: set_scores.counts for set_scores in scores}
    _write_yaml(folder / "config.yaml", mask_all_secrets(config))
    _write_yaml(folder / "overrides.yaml", mask_all_secrets(overrides))
    for name, value in (
        (SCORES, metrics),
        ("counts.json", counts),
        ("environment.json", environment()),
    ):
        (folder / name).write_text(json.dumps(value, indent=1), encoding="utf-8")
    per_query = pl.concat([set_scores.per_query for set_scores in scores], how="diagonal")
    per_query.write_parquet(folder / "per_query.parquet")
    if save_model is not None:
        save_model(folder / "model")
    recorder.log_files(folder)
    recorder.log_metrics(as_metrics(metrics, config["tracking"]["pair_metrics"]))
    recorder.flush()


def as_metrics(scores: Mapping[str, float], pair_metrics: PairMetrics) -> dict[str, float]:
    """Return the scores to record as metrics, which the pages of MLflow list one by one.

    A set of 11 languages has some 1,000 scores. Of its languages and 121 language pairs only
    `pair_metrics` are recorded, the contrastive entropy of the whole set alone, no details, and of
    a set with centered vectors only the mAP of each setting.
    """
    return {name: scores[name] for name in scores if _is_recorded(parse(name), pair_metrics)}


def _is_recorded(name: MetricName | None, pair_metrics: PairMetrics) -> bool:
    if name is None:
        return True
    if name.set.endswith(CENTERED):
        return name in setting_maps([str(name)])
    metric, scope = name.score
    if metric in DETAILS or (metric == CONTRASTIVE_ENTROPY and scope in SETTINGS):
        return False
    if name.score.of_each is None:
        return True
    recorded = pair_metrics[name.split]
    return recorded == "all" or name.score.of_each in recorded


def _write_yaml(path: Path, value: object) -> None:
    path.write_text(yaml.safe_dump(value, sort_keys=False, allow_unicode=True), encoding="utf-8")
