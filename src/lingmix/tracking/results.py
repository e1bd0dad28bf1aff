"""The results of a run: metrics, per-query scores, configuration and model."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from lingmix.evaluation.metric_names import on_test_set
from lingmix.evaluation.scores import SetScores
from lingmix.tracking.environment import environment
from lingmix.tracking.outbox.recorder import RunRecorder
from lingmix.tracking.pair_scores import SCORES, as_metrics
from lingmix.tracking.secrets import mask_all_secrets


def log_results(
    recorder: RunRecorder,
    scores: Sequence[SetScores],
    *,
    folder: Path,
    config: Mapping[str, Any],
    overrides: Sequence[str],
    save_model: Callable[[Path], None] | None,
) -> None:
    """Metrics as `test/<set>/...` (see `as_metrics`); as artifacts all scores, and what lies
    in `folder` already."""
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


def _write_yaml(path: Path, value: object) -> None:
    path.write_text(yaml.safe_dump(value, sort_keys=False, allow_unicode=True), encoding="utf-8")
