"""Reads the scores of language pairs of recorded runs from their `scores.json`."""

import json
import logging
import math
import time
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from lingmix.data.items import LanguagePair
from lingmix.deadline import within
from lingmix.evaluation.metric_names import TEST, MetricName, parsed

log = logging.getLogger(__name__)

SCORES = "scores.json"
"""The artifact with every score of every evaluation set, by the name of its metric."""

READING = 120.0
"""Seconds that reading the artifacts of all runs of a report may take."""

Row = dict[str, Any]


def with_pair_scores(
    client: MlflowClient, rows: Sequence[Row], metrics: Collection[str]
) -> list[Row]:
    """Return the rows of runs; those of the largest scale get `metrics` of their language pairs.

    They are read from a run's artifact where the run has not recorded them as metrics. Logs a
    warning where artifacts are missing or take longer than `READING`.
    """
    largest = _largest_scales(rows)
    deadline = time.monotonic() + READING
    filled, unread = [], 0
    for row in rows:
        scores: Mapping[str, float] = {}
        if _scale(row) == largest[_settings(row)] and not {*metrics} <= _pair_metrics(row):
            try:
                scores = within(
                    deadline - time.monotonic(), partial(_scores, client, row["run_id"])
                )
            except (MlflowException, OSError, ValueError):  # no such artifact, or not in time
                unread += 1
        pairs = [name for name in parsed(scores) if _is_of_pair(name, metrics)]
        filled.append({str(name): scores[str(name)] for name in pairs} | row)
    if unread:
        log.warning(
            "%d runs have no readable %s: figures of language pairs leave them out", unread, SCORES
        )
    return filled


def _scores(client: MlflowClient, run_id: str) -> Mapping[str, float]:
    with TemporaryDirectory() as folder:
        path = Path(client.download_artifacts(run_id, SCORES, folder))
        return json.loads(path.read_text(encoding="utf-8"))


def _largest_scales(rows: Sequence[Row]) -> dict[object, float]:
    """The largest scale among runs that differ in alpha, scale and seed only."""
    largest: dict[object, float] = {}
    for row in rows:
        settings = _settings(row)
        largest[settings] = max(largest.get(settings, 0), _scale(row))
    return largest


def _settings(row: Row) -> object:
    return tuple(
        (key, value)
        for key, value in row.items()
        if key.startswith("param.") or key in ("pairs", "encoder")
    )


def _scale(row: Row) -> float:
    scale = row.get("scale", 0)
    return math.inf if scale is None else scale


def _pair_metrics(row: Row) -> set[str]:
    return {name.score.metric for name in parsed(row) if isinstance(name.score.scope, LanguagePair)}


def _is_of_pair(name: MetricName, metrics: Collection[str]) -> bool:
    of_pair = isinstance(name.score.scope, LanguagePair)
    return name.split == TEST and of_pair and name.score.metric in metrics
