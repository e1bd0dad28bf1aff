"""Recorded runs in Python: their frame, and the encoder of one."""

import os
from pathlib import Path

import polars as pl
from mlflow import MlflowClient

from lingmix.model.encoder import Encoder, load_encoder
from lingmix.publishing.text_encoder import TextEncoder
from lingmix.tracking.history import experiment_named
from lingmix.tracking.recorded_run import RecordedRun, recorded_run
from lingmix.tracking.run_table import cell_table
from lingmix.tracking.store.client import open_store
from lingmix.tracking.store.local import LOCAL, require_store

STORE = "LINGMIX_TRACKING_URI"


def load_encoder_of(recorded: RecordedRun) -> Encoder:
    """Loads the model of a run: its folder says all but what it was trained from."""
    return load_folder(recorded.path("model"))


def load_folder(folder: Path) -> Encoder:
    """Loads the folder that a run has recorded, or that was exported of it."""
    return load_encoder(
        name=str(folder),
        revision=None,
        prompts=None,
        pooling=None,
        max_length=None,
        scratch=None,
        texts=(),
        cache=Path(),
        seed=0,
        attention=None,
        compile=False,
        lora=None,
        trust_remote_code=False,
    ).eval()


def load(run: str, *, uri: str | None = None) -> TextEncoder:
    """See `lingmix.load`."""
    return TextEncoder(load_encoder_of(recorded_run(_store(uri, run), run)))


def runs(name: str, *, uri: str | None = None) -> pl.DataFrame:
    """See `lingmix.runs`."""
    client = _store(uri, name)
    return cell_table(client, experiment_named(client, name).experiment_id)


def _store(uri: str | None, name: str) -> MlflowClient:
    """The store that is named, or that the commands write to in this folder."""
    there = uri or os.environ.get(STORE) or f"{LOCAL}{Path('multirun/mlflow.db').absolute()}"
    require_store(there, name)
    return open_store(there)
