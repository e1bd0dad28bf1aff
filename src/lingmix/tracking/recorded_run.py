"""A complete training as the store has it: its settings, scores and model."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import DatasetInput, Run
from mlflow.exceptions import MlflowException

from lingmix.deadline import within
from lingmix.errors import InputError
from lingmix.model.hub import RUNS
from lingmix.tracking.history import complete_runs, experiment_named, runs
from lingmix.tracking.identity import HASH
from lingmix.tracking.lifecycle import COMPLETE, KIND, STATE
from lingmix.tracking.models import LONGEST
from lingmix.tracking.pages.sweep_run import cell_hashes
from lingmix.tracking.secrets import mask_secrets


class RecordedRun(NamedTuple):
    """A complete training; artifacts are fetched as they are asked for."""

    client: MlflowClient
    run: Run

    @property
    def id(self) -> str:
        return self.run.info.run_id

    @property
    def name(self) -> str:
        return self.run.info.run_name

    @property
    def inputs(self) -> list[DatasetInput]:
        """The data sets of the run."""
        return self.run.inputs.dataset_inputs if self.run.inputs else []

    @property
    def config(self) -> dict[str, Any]:
        """The resolved configuration, secrets masked."""
        return yaml.safe_load(self.path("config.yaml").read_text("utf-8"))

    @property
    def scores(self) -> dict[str, float]:
        """All scores by the names of metrics, also those that are none in the store."""
        return json.loads(self.path("scores.json").read_text("utf-8"))

    def path(self, artifact: str) -> Path:
        """Fetches an artifact, unless it is on this machine. Raises InputError where the run has
        none of the name or it cannot be fetched."""
        place = f"{self.run.info.artifact_uri}/{artifact}"
        uri = self.client.tracking_uri
        try:
            fetch = partial(download_artifacts, artifact_uri=place, tracking_uri=uri)
            return Path(within(LONGEST, fetch))
        except (MlflowException, OSError) as error:
            raise InputError(
                f"run: {self.id} has no {artifact} that can be fetched "
                f"({str(error).splitlines()[0]:.200}); name a complete training"
            ) from error


def recorded_run(client: MlflowClient, run_id: str) -> RecordedRun:
    """Finds a run by its id, also written `runs:/<id>`. Raises InputError where it is no complete
    training, or is deleted."""
    run_id = run_id.removeprefix(RUNS).strip("/")
    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        raise InputError(
            f"run: no run {run_id!r} is recorded in the store; its id stands on MLflow's page of "
            "it, or set run=best"
        ) from error
    if run.info.lifecycle_stage == "deleted":
        raise InputError(
            f"run: {run_id} is deleted; `MLFLOW_TRACKING_URI={mask_secrets(client.tracking_uri)} "
            f"mlflow runs restore --run-id {run_id}` brings it back"
        )
    if kind := run.data.tags.get(KIND):
        raise InputError(f"run: {run_id} is of kind {kind}, which has no model; name a training")
    if (state := run.data.tags.get(STATE)) != COMPLETE:
        raise InputError(f"run: {run_id} must be complete, it is {state}; run its command again")
    return RecordedRun(client, run)


class Best(NamedTuple):
    """The best of so many `trainings` by `metric`; one that was named is of itself alone."""

    recorded: RecordedRun
    metric: str = ""
    trainings: int = 1


def best_run(
    client: MlflowClient,
    experiment: str,
    *,
    sweep: str | None,
    metric_of: Callable[[Sequence[str]], str],
    worth: Callable[[float], float],
) -> Best:
    """Returns the complete training of the greatest worth, the newest of equal ones.

    `metric_of` chooses the metric from those that the runs have. Raises InputError where no
    training is complete.
    """
    experiment_id = experiment_named(client, experiment).experiment_id
    trainings = [run for run in complete_runs(client, experiment_id).values() if not _kind(run)]
    if sweep is not None:
        cells = _cells(client, experiment_id, sweep)
        trainings = [run for run in trainings if run.data.tags[HASH] in cells]
    if not trainings:
        raise InputError(f"name: no training of {experiment} is complete; train first")
    metric = metric_of(sorted({name for run in trainings for name in run.data.metrics}))
    scored = [run for run in trainings if metric in run.data.metrics]
    best = max(scored, key=lambda run: worth(run.data.metrics[metric]))
    return Best(RecordedRun(client, best), metric, len(scored))


def _kind(run: Run) -> str | None:
    return run.data.tags.get(KIND)


def _cells(client: MlflowClient, experiment_id: str, sweep: str) -> set[str]:
    """The hashes of the cells of a sweep, by its name or the id of its run."""
    parents = list(runs(client, experiment_id, f"tags.`{KIND}` = 'sweep'"))
    found = [run for run in parents if sweep in (run.info.run_name, run.info.run_id)]
    if not found:
        known = ", ".join(run.info.run_name for run in parents) or "none"
        raise InputError(f"of_sweep: no sweep {sweep!r} is recorded; there are: {known}")
    return {cell for run in found for cell in cell_hashes(run)}
