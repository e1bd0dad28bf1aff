"""What a study reads of a complete run."""

from collections.abc import Sequence
from difflib import get_close_matches

from mlflow import MlflowClient
from mlflow.entities import Run

from lingmix.errors import InputError


def measured(client: MlflowClient, run: Run, objectives: Sequence[str]) -> list[float]:
    """Scores of the weights that the run has kept: of the development set, those of the step that
    scored best by `data.development_score`."""
    for objective in objectives:
        _refuse_unknown(run, objective)
    kept = None
    if any(objective.startswith("val/") for objective in objectives):
        chosen_by = f"val/development/{run.data.params['data.development_score']}"
        scores = history(client, run, chosen_by)
        kept = max(scores, key=lambda step: scores[step])
    return [
        history(client, run, objective)[kept]
        if kept is not None and objective.startswith("val/")
        else run.data.metrics[objective]
        for objective in objectives
    ]


def history(client: MlflowClient, run: Run, metric: str) -> dict[int, float]:
    """By step."""
    found = client.get_metric_history(run.info.run_id, metric)
    return {one.step: one.value for one in sorted(found, key=lambda one: one.step)}


def _refuse_unknown(run: Run, objective: str) -> None:
    metrics = run.data.metrics
    if objective in metrics:
        return
    near = get_close_matches(objective, metrics, n=3, cutoff=0.0)
    raise InputError(
        f"hydra.sweeper.objectives: run {run.info.run_name!r} has no {objective!r}; it has "
        f"{', '.join(near)} ..."
    )
