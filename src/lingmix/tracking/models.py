"""Models that runs left behind."""

from functools import partial

from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException

from lingmix.deadline import within
from lingmix.errors import InputError
from lingmix.model.hub import RUNS
from lingmix.tracking.store.client import open_store

LONGEST = 3600.0
"""Seconds that a model may take to be fetched."""


def model_folder(uri: str, name: str) -> str:
    """`runs:/<run id>` is the model of that run, fetched where artifacts lie elsewhere; any other
    name stays what it is."""
    if not name.startswith(RUNS):
        return name
    run_id = name.removeprefix(RUNS).strip("/")
    client = open_store(uri)
    try:
        model = f"{client.get_run(run_id).info.artifact_uri}/model"
        fetch = partial(download_artifacts, artifact_uri=model, tracking_uri=uri)
        return within(LONGEST, fetch)
    except (MlflowException, OSError) as error:
        raise InputError(
            f"encoder.name: run {run_id!r} has no model that can be fetched "
            f"({str(error).splitlines()[0]:.200}); write runs:/<run id> of a complete training"
        ) from error
