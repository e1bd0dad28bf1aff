"""Models and checkpoints of recorded runs."""

from functools import partial
from pathlib import Path

from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException

from lingmix.deadline import within
from lingmix.errors import InputError
from lingmix.model.hub import BRANCH, RUNS
from lingmix.tracking.store.client import open_store

LONGEST = 3600.0
"""Seconds that a download may take."""


def model_folder(uri: str, name: str) -> str:
    """Return the folder of the model `runs:/<run id>`, downloaded if needed; any other name as is.

    Raises InputError where the run has no model or it cannot be fetched.
    """
    if not name.startswith(RUNS):
        return name
    return _fetched(uri, name, "model", at="encoder.name")


def recorded_checkpoint(uri: str, name: str) -> Path:
    """Return the checkpoint of the run `runs:/<run id>`, downloaded if needed.

    Raises InputError where the run has recorded none or it cannot be fetched.
    """
    return Path(_fetched(uri, name, BRANCH, at="branch_from"))


def _fetched(uri: str, name: str, artifact: str, *, at: str) -> str:
    run_id = name.removeprefix(RUNS).strip("/")
    client = open_store(uri)
    try:
        place = f"{client.get_run(run_id).info.artifact_uri}/{artifact}"
        return within(LONGEST, partial(download_artifacts, artifact_uri=place, tracking_uri=uri))
    except (MlflowException, OSError) as error:
        kind = "one with checkpoint.record_step" if artifact == BRANCH else "a complete training"
        raise InputError(
            f"{at}: run {run_id!r} has no {artifact} that can be fetched "
            f"({str(error).splitlines()[0]:.200}); write runs:/<run id> of {kind}"
        ) from error
