"""Models of recorded runs."""

from functools import partial

from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException

from lingmix.deadline import within
from lingmix.errors import InputError
from lingmix.model.hub import RUNS
from lingmix.tracking.store.client import open_store

LONGEST = 3600.0
"""Seconds that the download of a model may take."""


def model_folder(uri: str, name: str) -> str:
    """Return the folder of the model `runs:/<run id>`, downloaded if needed; any other name as is.

    Raises InputError where the run has no model or it cannot be fetched.
    """
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
