"""What a study reads of a complete run."""

import math
from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from mlflow import MlflowClient
from mlflow.entities import Run

from lingmix.cli.config import Config
from lingmix.data.items import LanguagePair
from lingmix.errors import InputError
from lingmix.evaluation.bias import BIAS
from lingmix.evaluation.metric_names import (
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

ANY_PAIR = LanguagePair("query", "passage")
"""Stands for all language pairs: which of them a run measures is not known yet."""


def refuse_unknown(objectives: Sequence[str], cells: Sequence[Config]) -> None:
    """What no run of such cells can have, and what of a language pair it does not record."""
    sets = {(TEST, name) for values in cells for name in values["evaluation"]}
    if any(values.get("data", {}).get("development") for values in cells):
        sets.add((VAL, DEVELOPMENT))
    pair_metrics = cells[0]["tracking"]["pair_metrics"]
    known = sorted(str(MetricName(*one, score)) for one in sets for score in _scores())
    of_pairs = {MetricName(*one, score) for one in sets for score in _pair_scores(pair_metrics)}
    for objective in objectives:
        name = parse(objective)
        if objective not in known and (name is None or _of_any_pair(name) not in of_pairs):
            near = ", ".join(get_close_matches(objective, known, n=3, cutoff=0.0))
            raise InputError(
                f"hydra.sweeper.objectives: no run has {objective!r}; the nearest scores are "
                f"{near}, and of language pairs there is what tracking.pair_metrics says"
            )


def is_validation(objective: str) -> bool:
    name = parse(objective)
    return name is not None and name.split == VAL


def _scores() -> Iterator[ScoreName]:
    for setting in SETTINGS:
        yield from (ScoreName(metric, setting) for metric in METRICS)
    yield from (ScoreName(figure, "multilingual") for figure in BIAS)


def _pair_scores(pair_metrics: Sequence[str] | str) -> Iterator[ScoreName]:
    metrics = (*METRICS, EXCESS_SHARE) if pair_metrics == "all" else pair_metrics
    return (ScoreName(metric, ANY_PAIR) for metric in metrics)


def _of_any_pair(name: MetricName) -> MetricName:
    if not isinstance(name.score.scope, LanguagePair):
        return name
    return name._replace(score=name.score._replace(scope=ANY_PAIR))


def measured(client: MlflowClient, run: Run, objectives: Sequence[str]) -> list[float]:
    """Scores of the weights that the run has kept: of the development set, those of the step that
    scored best by `data.development_score`."""
    for objective in objectives:
        _refuse_missing(run, objective)
    kept = None
    if any(map(is_validation, objectives)):
        chosen_by = on_development_set(run.data.params["data.development_score"])
        scores = history(client, run, chosen_by)
        kept = max(scores, key=lambda step: scores[step])
    found = [
        history(client, run, objective).get(kept, math.nan)
        if kept is not None and is_validation(objective)
        else run.data.metrics[objective]
        for objective in objectives
    ]
    for objective, score in zip(objectives, found, strict=True):
        if math.isnan(score):
            raise InputError(
                f"hydra.sweeper.objectives: of run {run.info.run_name!r} {objective!r} is no "
                "number, got nan; choose another objective"
            )
    return found


def history(client: MlflowClient, run: Run, metric: str) -> dict[int, float]:
    """By step, where it is a number."""
    found = client.get_metric_history(run.info.run_id, metric)
    ordered = sorted(found, key=lambda one: one.step)
    return {one.step: one.value for one in ordered if not math.isnan(one.value)}


def _refuse_missing(run: Run, objective: str) -> None:
    metrics = run.data.metrics
    if objective in metrics:
        return
    near = get_close_matches(objective, metrics, n=3, cutoff=0.0)
    raise InputError(
        f"hydra.sweeper.objectives: run {run.info.run_name!r} has no {objective!r}; it has "
        f"{', '.join(near)} ..."
    )
