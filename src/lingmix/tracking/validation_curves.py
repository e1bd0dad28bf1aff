"""The validation curves of recorded runs."""

from collections.abc import Iterable
from typing import NamedTuple

from mlflow import MlflowClient
from mlflow.entities import Run

from lingmix.evaluation.metric_names import on_development_set


class Curve(NamedTuple):
    """The scores by which a run chose its weights, after each of these numbers of steps."""

    steps: tuple[int, ...]
    scores: tuple[float, ...]


def validation_curves(client: MlflowClient, runs: Iterable[Run]) -> dict[str, Curve]:
    """Return the curves of runs that have one, by run id; a request for each."""
    curves = {run.info.run_id: _curve(client, run) for run in runs}
    return {run_id: curve for run_id, curve in curves.items() if curve.steps}


def _curve(client: MlflowClient, run: Run) -> Curve:
    chosen_by = run.data.params.get("data.development_score", "")
    history = client.get_metric_history(run.info.run_id, on_development_set(chosen_by))
    points = {point.step + 1: point.value for point in history}  # recorded at the step that ended
    return Curve(tuple(sorted(points)), tuple(points[step] for step in sorted(points)))
