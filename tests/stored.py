"""All that a store has of an experiment, but for what tells one run from its like."""

import json
import re
from hashlib import sha256
from pathlib import Path

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import Run

from lingmix.tracking.identity import HASH
from lingmix.tracking.lifecycle import JOURNAL_ID

APART = ("tracking.uri", "tracking.wait")
"""Params that say how a run reaches its store."""


def stored(uri: str, name: str) -> str:
    """As text: runs with their status, params, tags, metrics, inputs and artifacts byte for byte.

    Names, identifiers and times are left out; so two of the same work are equal.
    """
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(name)
    runs = sorted(client.search_runs([experiment.experiment_id]), key=_place)
    text = json.dumps([_content(client, uri, run) for run in runs], indent=1, sort_keys=True)
    for number, run in enumerate(runs):
        text = text.replace(run.info.run_id, f"run {number}")
        text = text.replace(run.info.run_id[:12], f"run {number}")
    return re.sub(r"experiments/\d+", "experiment", text.replace(name, "name"))


def _place(run: Run) -> tuple[str, str]:
    return run.data.tags.get(HASH, ""), run.info.run_name


def _content(client: MlflowClient, uri: str, run: Run) -> dict[str, object]:
    run_id, data = run.info.run_id, run.data
    there = client.list_artifacts(run_id)
    folder = Path(download_artifacts(run.info.artifact_uri, tracking_uri=uri)) if there else None
    return {
        "name": run.info.run_name,
        "status": run.info.status,
        "params": {key: value for key, value in data.params.items() if key not in APART},
        "tags": {key: value for key, value in data.tags.items() if key != JOURNAL_ID},
        "metrics": {
            key: [[one.step, one.value] for one in client.get_metric_history(run_id, key)]
            for key in data.metrics
        },
        "inputs": sorted(one.dataset.digest for one in run.inputs.dataset_inputs),
        "artifacts": {
            str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest()
            for path in (folder.rglob("*") if folder else ())
            if path.is_file()
        },
    }
