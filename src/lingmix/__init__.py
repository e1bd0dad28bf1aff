"""Multilingual dense retrieval trained on hybrid batches.

In a notebook, beside the commands:

    import lingmix

    runs = lingmix.runs("demo")                     # a row a recorded training
    encoder = lingmix.load(runs["run_id"][0])       # its model
    encoder.queries(["..."]) @ encoder.passages(["..."]).T
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from lingmix.publishing.text_encoder import TextEncoder

try:
    Path.home()
except RuntimeError:  # a number without an account: what MLflow and others ask as they are imported
    os.environ["HOME"] = os.sep  # as Docker has it for such a user


def load(run: str, *, uri: str | None = None) -> "TextEncoder":
    """Returns the encoder of a recorded run, by its id.

    `uri` is the MLflow store; None is the one that `LINGMIX_TRACKING_URI` names, else that of
    `multirun/` in the current folder. Raises InputError where the run has no model there.
    """
    from lingmix.publishing.records import load as loaded  # noqa: PLC0415 - seconds of imports

    return loaded(run, uri=uri)


def runs(name: str, *, uri: str | None = None) -> "pl.DataFrame":
    """Returns a row for each complete training of an experiment: its id, settings and test metrics.

    `uri` is that of `load`. Raises InputError where no such experiment is recorded.
    """
    from lingmix.publishing.records import runs as recorded  # noqa: PLC0415 - seconds of imports

    return recorded(name, uri=uri)
