"""Registers an exported folder in MLflow, as a model that knows queries from passages."""

from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from mlflow import MlflowClient, pyfunc
from mlflow.entities import LoggedModelStatus
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema, TensorSpec

from lingmix.publishing.records import load_folder
from lingmix.tracking.recorded_run import RecordedRun
from lingmix.tracking.store.client import store_errors

TEXT, INPUT_TYPE, FOLDER = "text", "input_type", "model"
CODE = Path(__file__).with_name("served_model.py")
VERSION_OF = "lingmix.run"
"""Tag of a model's version: the run that trained it."""

EXAMPLE = {
    TEXT: ["Which currency is used in Japan?", "The yen is the currency of Japan."],
    INPUT_TYPE: ["query", "passage"],
}


def save_served(folder: Path, path: Path) -> None:
    """Writes MLflow's form of an exported folder, which is copied into it."""
    dimension = load_folder(folder).dimension
    signature = ModelSignature(
        inputs=Schema([ColSpec("string", TEXT), ColSpec("string", INPUT_TYPE)]),
        outputs=Schema([TensorSpec(np.dtype("float32"), (-1, dimension))]),
    )
    pyfunc.save_model(
        path,
        python_model=str(CODE),
        artifacts={FOLDER: str(folder)},
        signature=signature,
        input_example=pd.DataFrame(EXAMPLE),
        pip_requirements=[f"lingmix=={version('lingmix')}"],
    )


def register(client: MlflowClient, recorded: RecordedRun, folder: Path, name: str) -> str:
    """Adds a version of the model `name`, which is made where it is missing, and returns its
    address. A run's record gets a model and is not changed otherwise."""
    info = recorded.run.info
    with store_errors(client), TemporaryDirectory() as scratch:
        path = Path(scratch, "served")
        save_served(folder, path)
        logged = client.create_logged_model(
            experiment_id=info.experiment_id, name=name, source_run_id=info.run_id
        )
        client.log_model_artifacts(logged.model_id, str(path))
        client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
        try:
            client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        made = client.create_model_version(
            name,
            source=logged.artifact_location,
            run_id=info.run_id,
            model_id=logged.model_id,
            tags={VERSION_OF: info.run_id},
            description=(folder / "README.md").read_text("utf-8").partition("---\n\n")[2],
        )
    return f"models:/{name}/{made.version}"
