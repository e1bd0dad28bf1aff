"""The model that MLflow serves, made from this code: nothing is pickled.

A row of its input is a text and its `input_type`, `query` or `passage`, which decides the prompt.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc.model import PythonModel
from numpy.typing import NDArray

from lingmix.model.tokenizer import ROLES
from lingmix.publishing.records import load_folder
from lingmix.publishing.registry import FOLDER, INPUT_TYPE, TEXT
from lingmix.publishing.text_encoder import TextEncoder


class ServedModel(PythonModel):
    """Encodes rows of texts in either role, in the order given."""

    def load_context(self, context: Any) -> None:
        """Loads the folder, once."""
        self._encoder = TextEncoder(load_folder(Path(context.artifacts[FOLDER])))

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> NDArray[np.float32]:
        """Returns a row a text. Raises MlflowException, which a server answers with status 400,
        for an input type that is neither."""
        types, texts = (model_input[column].tolist() for column in (INPUT_TYPE, TEXT))
        for column, values, rule, fits in (
            (INPUT_TYPE, types, f"one of {', '.join(ROLES)}", ROLES.__contains__),
            (TEXT, texts, "a text", lambda value: isinstance(value, str)),
        ):
            if wrong := [value for value in values if not fits(value)]:
                raise MlflowException(
                    f"{column}: must be {rule}, got {wrong[0]!r}",
                    error_code=INVALID_PARAMETER_VALUE,
                )
        vectors_ND = np.empty((len(texts), self._encoder.dimension), np.float32)
        for role in ROLES:
            rows = [row for row, named in enumerate(types) if named == role]
            vectors_ND[rows] = self._encoder.encode([texts[row] for row in rows], role)
        return vectors_ND


set_model(ServedModel())
