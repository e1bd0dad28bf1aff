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

from lingmix.publishing.card import CARD, evaluated_languages
from lingmix.publishing.records import load_folder
from lingmix.tracking.recorded_run import RecordedRun
from lingmix.tracking.store.client import store_errors

TEXT, INPUT_TYPE, FOLDER = "text", "input_type", "model"
CODE = Path(__file__).with_name("served_model.py")
RUN, LANGUAGES, DIMENSION = "lingmix.run", "lingmix.languages", "lingmix.dimension"
"""Tags of a version: the run that trained it, the languages it was measured in, and the numbers of
a vector."""

ABOUT = """A dense retriever. A row of its input is a text and its `input_type`, query or passage;
its output is a unit vector a row, compared by cosine.

```python
import mlflow
import pandas as pd

model = mlflow.pyfunc.load_model("models:/{name}/1")
queries = model.predict(pd.DataFrame({{"text": ["..."], "input_type": ["query"]}}))
passages = model.predict(pd.DataFrame({{"text": ["..."], "input_type": ["passage"]}}))
```
"""
"""What is said of a new model, whatever its version."""

DESCRIBED = ("Scores", "Not tested")
"""Sections of the card that describe a version: MLflow shows tags and signature below them."""

EXAMPLE = {
    TEXT: ["Which currency is used in Japan?", "The yen is the currency of Japan."],
    INPUT_TYPE: ["query", "passage"],
}


def save_served(folder: Path, path: Path) -> int:
    """Writes MLflow's form of an exported folder, which is copied into it; returns the numbers of a
    vector."""
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
    return dimension


def register(client: MlflowClient, recorded: RecordedRun, folder: Path, name: str) -> str:
    """Adds a version of the model `name`, which is made where it is missing, and returns its
    address. A run's record gets a model and is not changed otherwise; of a model that was there,
    description and aliases stay as they are."""
    info = recorded.run.info
    with store_errors(client), TemporaryDirectory() as scratch:
        path = Path(scratch, "served")
        dimension = save_served(folder, path)
        logged = client.create_logged_model(
            experiment_id=info.experiment_id, name=name, source_run_id=info.run_id
        )
        client.log_model_artifacts(logged.model_id, str(path))
        client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
        try:
            client.create_registered_model(name, description=ABOUT.format(name=name))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        made = client.create_model_version(
            name,
            source=logged.artifact_location,
            run_id=info.run_id,
            model_id=logged.model_id,
            tags={
                RUN: info.run_id,
                LANGUAGES: ", ".join(evaluated_languages(recorded.path("per_query.parquet"))),
                DIMENSION: str(dimension),
            },
            description=described((folder / CARD).read_text("utf-8")),
        )
    return f"models:/{name}/{made.version}"


def described(card: str) -> str:
    """Returns what a card says first and its sections `DESCRIBED`, without figures, which are in
    the folder."""
    first, *sections = card.partition("---\n\n")[2].split("\n## ")
    kept = [first.partition("\n")[2].strip()]
    kept += [f"## {text.strip()}" for text in sections if text.startswith(DESCRIBED)]
    lines = "\n\n".join(kept).splitlines()
    return "\n".join(line for line in lines if not line.startswith("!["))
