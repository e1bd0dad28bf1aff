"""The objectives of a study: which scores they may name, and their values in a complete run."""

import math
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Literal

from mlflow import MlflowClient
from mlflow.entities import Run

from lingmix.cli.config import Config
from lingmix.data.items import LanguagePair
from lingmix.errors import InputError
from lingmix.evaluation.bias import BIAS
from lingmix.evaluation.metric_names import (
    CONTRASTIVE_ENTROPY,
    DEVELOPMENT,
    EXCESS_SHARE,
    SETTINGS,
    TEST,
    VAL,
    MetricName,
    ScoreName,
    on_development_set,
    parse,
)
from lingmix.evaluation.metrics import METRICS
from lingmix.evaluation.parallel import HEADLINES, PARALLEL

Direction = Literal["maximize", "minimize"]

BEST = {name: measure.best for name, measure in (METRICS | BIAS | PARALLEL).items()} | {
    EXCESS_SHARE: "nearest 0",
    CONTRASTIVE_ENTROPY: "lowest",
}
"""Which value of a metric is best."""

ANY_PAIR = LanguagePair("query", "passage")
"""Stands for all language pairs: which of them a run measures is not known yet."""


def check_objectives(objectives: Sequence[str], cells: Sequence[Config]) -> None:
    """Raise InputError for an objective that no run of such cells records."""
    sets = {(TEST, name) for values in cells for name in values["evaluation"]}
    if any(values.get("data", {}).get("development") for values in cells):
        sets.add((VAL, DEVELOPMENT))
    pair_metrics = cells[0]["tracking"]["pair_metrics"]
    known = sorted(
        str(MetricName(split, name, score)) for split, name in sets for score in _scores()
    )
    of_pairs = {
        MetricName(split, name, score)
        for split, name in sets
        for score in _pair_scores(pair_metrics[split])
    }
    for objective in objectives:
        name = parse(objective)
        if objective not in known and (name is None or _of_any_pair(name) not in of_pairs):
            near = ", ".join(get_close_matches(objective, known, n=3, cutoff=0.0))
            raise InputError(
                f"hydra.sweeper.objectives: no run has {objective!r}; the nearest scores are "
                f"{near}, and the metrics of tracking.pair_metrics for each language pair"
            )


def is_validation(objective: str) -> bool:
    name = parse(objective)
    return name is not None and name.split == VAL


def direction(objective: str) -> Direction:
    """Return what is best of a score: `minimize` is of its distance from 0 (see `goal`)."""
    return "maximize" if _best(objective) == "highest" else "minimize"


def goal(objective: str, score: float) -> float:
    """Return what a study maximises or minimises: a score that is best near 0 without its sign."""
    return abs(score) if _best(objective) == "nearest 0" else score


def _best(objective: str) -> str:
    name = parse(objective)  # check_objectives refuses what is none
    return BEST.get(name.score.of_each or name.score.metric, "highest") if name else "highest"


def _scores() -> Iterator[ScoreName]:
    for setting in SETTINGS:
        yield from (ScoreName(metric, setting) for metric in METRICS)
    yield from (ScoreName(figure, "multilingual") for figure in (*BIAS, *HEADLINES))


def _pair_scores(pair_metrics: Sequence[str] | str) -> Iterator[ScoreName]:
    metrics = (*METRICS, EXCESS_SHARE) if pair_metrics == "all" else pair_metrics
    return (ScoreName(metric, ANY_PAIR) for metric in metrics)


def _of_any_pair(name: MetricName) -> MetricName:
    if not isinstance(name.score.scope, LanguagePair):
        return name
    return name._replace(score=name.score._replace(scope=ANY_PAIR))


def objective_values(client: MlflowClient, run: Run, objectives: Sequence[str]) -> list[float]:
    """Return the `goal` of each objective, of the weights that the run saved.

    A score of the development set is that of the step which was best by `data.development_score`.
    Raises InputError where the run lacks an objective or has NaN for it.
    """
    for objective in objectives:
        _refuse_missing(run, objective)
    best_step = None
    if any(map(is_validation, objectives)):
        chosen_by = on_development_set(run.data.params["data.development_score"])
        scores = metric_history(client, run, chosen_by)
        best_step = max(scores, key=lambda step: scores[step])
    found = [
        metric_history(client, run, objective).get(best_step, math.nan)
        if best_step is not None and is_validation(objective)
        else run.data.metrics[objective]
        for objective in objectives
    ]
    for objective, score in zip(objectives, found, strict=True):
        if math.isnan(score):
            raise InputError(
                f"hydra.sweeper.objectives: {objective!r} of run {run.info.run_name!r} is NaN; "
                "choose another objective"
            )
    return list(map(goal, objectives, found))


def metric_history(client: MlflowClient, run: Run, metric: str) -> dict[int, float]:
    """Return the values of a metric by step, in order, without NaN."""
    points = client.get_metric_history(run.info.run_id, metric)
    points = sorted(points, key=lambda point: point.step)
    return {point.step: point.value for point in points if not math.isnan(point.value)}


def _refuse_missing(run: Run, objective: str) -> None:
    metrics = run.data.metrics
    if objective in metrics:
        return
    near = get_close_matches(objective, metrics, n=3, cutoff=0.0)
    raise InputError(
        f"hydra.sweeper.objectives: run {run.info.run_name!r} has no {objective!r}; it has "
        f"{', '.join(near)} ..."
    )
