"""What a study reads of a complete run."""

import math
import re
from collections.abc import Sequence
from difflib import get_close_matches

from mlflow import MlflowClient
from mlflow.entities import Run

from lingmix.cli.config import Config
from lingmix.errors import InputError
from lingmix.tracking.results import BIAS, METRICS, SETTINGS

FORMS = [f"{setting}/{name}" for setting in SETTINGS for name in (*METRICS, *BIAS)]


def refuse_unknown(objectives: Sequence[str], cells: Sequence[Config]) -> None:
    """What no run of such cells can have; which language pairs they measure is not known yet."""
    sets = {f"test/{name}" for values in cells for name in values["evaluation"]}
    if any(values.get("data", {}).get("development") for values in cells):
        sets.add("val/development")
    known = sorted(f"{of}/{form}" for of in sets for form in FORMS)
    for objective in objectives:
        if re.sub("/pair/[^/]+-[^/]+/", "/multilingual/", objective) not in known:
            near = ", ".join(get_close_matches(objective, known, n=3, cutoff=0.0))
            raise InputError(
                f"hydra.sweeper.objectives: no run has {objective!r}; the nearest scores are {near}"
            )


def measured(client: MlflowClient, run: Run, objectives: Sequence[str]) -> list[float]:
    """Scores of the weights that the run has kept: of the development set, those of the step that
    scored best by `data.development_score`."""
    for objective in objectives:
        _refuse_missing(run, objective)
    kept = None
    if any(objective.startswith("val/") for objective in objectives):
        chosen_by = f"val/development/{run.data.params['data.development_score']}"
        scores = history(client, run, chosen_by)
        kept = max(scores, key=lambda step: scores[step])
    found = [
        history(client, run, objective).get(kept, math.nan)
        if kept is not None and objective.startswith("val/")
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
