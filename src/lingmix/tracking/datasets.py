"""The data of a run as MLflow's dataset inputs."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypedDict

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag

from lingmix.data.named_sources import named_sources
from lingmix.tracking.flat_config import leaves
from lingmix.tracking.identity import EMBEDDED, deciding_values
from lingmix.tracking.secrets import mask_all_secrets, mask_secrets
from lingmix.tracking.store.limits import cut

NAME_LENGTH, SOURCE_LENGTH = 500, 65_535
LIES_AT = ("path", "folder", "data_dir", "download_dir", "url", "checksum")
"""Options that locate a source and do not say what of it is read."""


class Input(TypedDict):
    """A dataset of a run; sources and their types as `mlflow.data` writes them."""

    name: str
    digest: str
    source_type: str
    source: str
    profile: str
    context: str


def dataset_inputs(config: Mapping[str, Any]) -> list[Input]:
    """Return the datasets of a run, identified by their contents and by what of them is read.

    Neither their location counts nor the languages or the share that a run uses, which are params.
    """
    output_dir = config.get("output_dir")
    return [_input(*source, output_dir=output_dir) for source in _sources(config)]


def log_inputs(client: MlflowClient, run_id: str, logged: list[Input]) -> None:
    """Log the datasets; idempotent, as MLflow ignores those that the run already has."""
    datasets = []
    for dataset in logged:
        fields: dict[str, Any] = {**dataset}
        tag = InputTag("mlflow.data.context", fields.pop("context"))
        datasets.append(DatasetInput(Dataset(**fields), tags=[tag]))
    if datasets:
        client.log_inputs(run_id, datasets=datasets)


def _sources(config: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    data = config.get("data", {})
    for node in named_sources(data).values():
        for source in _split_paths(node):
            yield _name(source), source, "training"
    if development := data.get("development"):
        yield "development", development, "development"
    for name, node in config.get("evaluation", {}).items():
        yield name, node, "test"


def _split_paths(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A source for each file of a node that reads several."""
    path = node.get("path")
    return [{**node, "path": file} for file in path] if isinstance(path, list) else [node]


def _input(name: str, node: Mapping[str, Any], context: str, *, output_dir: str | None) -> Input:
    values = deciding_values({"data": node, "output_dir": output_dir})
    identifying = json.dumps(values, sort_keys=True, default=str)
    kind, source = _source(node)
    options = {key: value for key, value in node.items() if not key.startswith((*LIES_AT, "_"))}
    return {
        "name": cut(name, NAME_LENGTH),
        "digest": hashlib.sha256(identifying.encode()).hexdigest()[:16],
        "source_type": kind,
        "source": cut(json.dumps(source), SOURCE_LENGTH),
        "profile": json.dumps({"reader": _reader(node), **mask_all_secrets(options)}, default=str),
        "context": context,
    }


def _source(node: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    values = leaves(node)
    for option in ("path", "folder"):
        if (place := Path(str(node.get(option) or "\0"))).is_absolute() or _is_there(place):
            return "local", {"uri": str(place.absolute())}
    if repo := node.get("repo"):
        return "hugging_face", {"path": repo, "revision": node.get("revision")}
    if url := next((values[key] for key in values if key.rpartition(".")[2] == "url"), None):
        return "http", {"url": mask_secrets(str(url))}
    package = EMBEDDED.get(str(node.get("_target_")).rpartition(".")[0])
    release = f"{package} {version(package)}" if package else None
    return "code", {"tags": {"reader": node.get("_target_"), "package": release}}


def _is_there(path: Path) -> bool:
    return "\0" not in str(path) and path.exists()


def _name(node: Mapping[str, Any]) -> str:
    """The name of a dataset; of a file with its folder's, as many are called `pairs.jsonl`."""
    place = node.get("path") or node.get("folder")
    if place:
        return "/".join(Path(str(place)).parts[-2:])
    return _reader(node).removeprefix("read_")


def _reader(node: Mapping[str, Any]) -> str:
    return str(node.get("_target_")).rpartition(".")[2]
