"""The Pareto front of a study as a text table."""

from collections.abc import Sequence

from mlflow.entities import Run
from optuna.trial import FrozenTrial

from lingmix.text_table import format_table


def front_table(
    front: Sequence[tuple[FrozenTrial, Run]], *, objectives: Sequence[str], keys: Sequence[str]
) -> str:
    """Return a row for each run of the front: its scores, the values of `keys`, its name."""
    if not front:
        return "the Pareto front is empty: no trial is complete"
    rows = [
        (
            *(f"{score:.4f}" for score in trial.values),
            *(_format(trial.params[key]) for key in keys),
            str(run.info.run_name),
        )
        for trial, run in front
    ]
    return format_table((*objectives, *keys, "run"), rows, figures=slice(len(objectives)))


def _format(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
