"""What a finished run leaves behind: metrics, per-query results, configuration, model."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from lingmix.evaluation.scores import SetScores
from lingmix.tracking.recorder import RunRecorder

SETTINGS = ("monolingual", "crosslingual", "multilingual")


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
    _write_yaml(folder / "config.yaml", config)
    _write_yaml(folder / "overrides.yaml", list(overrides))
    for name, value in (("scores.json", metrics), ("counts.json", counts)):
        (folder / name).write_text(json.dumps(value, indent=1), encoding="utf-8")
    per_query = pl.concat([one.per_query for one in scores], how="diagonal")
    per_query.write_parquet(folder / "per_query.parquet")
    if save_model is not None:
        save_model(folder / "model")
    recorder.log_files(folder)
    recorder.log_metrics(metrics)
    recorder.flush()


def headline(scores: Sequence[SetScores]) -> str:
    """mAP in each setting, a line a set, and what was left out of it."""
    lines = []
    for one in scores:
        shown = (
            f"{setting} {one.metrics[f'{setting}/map']:.3f}"
            for setting in SETTINGS
            if f"{setting}/map" in one.metrics
        )
        lines.append(f"  {one.name}: mAP {', '.join(shown)}")
        if "search_recall" in one.metrics:
            lines.append(f"    the search found {one.metrics['search_recall']:.3f} of exact hits")
        lines += [f"    left out: {what}" for what in _left_out(one)]
    return "\n".join(lines)


def _left_out(scores: SetScores) -> list[str]:
    counts = scores.counts
    told = [
        f"{counts[f'{setting}/skipped']} of "
        f"{counts[f'{setting}/skipped'] + counts[f'{setting}/ranked']} {setting} rankings, which "
        "have no relevant passage"
        for setting in SETTINGS
        if counts.get(f"{setting}/skipped")
    ]
    if counts.get("unjudged"):
        told.insert(0, f"{counts['unjudged']} queries without a judgement")
    return told


def _write_yaml(path: Path, value: object) -> None:
    path.write_text(yaml.safe_dump(value, sort_keys=False, allow_unicode=True), encoding="utf-8")
