"""Where the scores of a run's queries are on this machine, and what it knows of languages."""

import logging
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit
from urllib.request import url2pathname

import polars as pl
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from lingmix.tracking.languages import LANGUAGES

log = logging.getLogger(__name__)

PER_QUERY = "per_query.parquet"
"""The artifact with the scores of every ranking."""


def per_query_files(client: MlflowClient, cells: pl.DataFrame, downloads: Path) -> dict[str, Path]:
    """Return the files by run id, those of runs without one left out.

    A file in a store on this machine is read where it is, another is fetched into `downloads`
    once, as is `LANGUAGES` beside it: the artifacts of a complete run do not change.
    """
    files = {}
    for run_id, uri in cells.select("run_id", "artifact_uri").iter_rows():
        folder = _local_folder(uri)
        file = (folder or downloads / run_id) / PER_QUERY
        if folder is None and not file.exists():
            _fetch(client, run_id, file.with_name(LANGUAGES), log.debug)  # older runs have none
            _fetch(client, run_id, file, log.warning)
        if file.exists():
            files[run_id] = file
    if missing := cells.height - len(files):
        log.warning("%d runs have no readable %s and are left out", missing, PER_QUERY)
    return files


def _fetch(client: MlflowClient, run_id: str, file: Path, tell: Callable[..., None]) -> None:
    """Fetches all of the file or none of it; a run deleted meanwhile has none."""
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with TemporaryDirectory(dir=file.parent) as folder:
            Path(client.download_artifacts(run_id, file.name, folder)).replace(file)
    except (MlflowException, OSError) as error:
        tell("run %s: its %s cannot be read (%s)", run_id, file.name, error)


def _local_folder(uri: str) -> Path | None:
    parts = urlsplit(uri)
    return Path(url2pathname(parts.path)) if parts.scheme in ("", "file") else None
