"""The data of a run as MLflow's dataset inputs."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypedDict

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag

from lingmix.tracking.flat_config import leaves
from lingmix.tracking.identity import EMBEDDED, deciding
from lingmix.tracking.secrets import mask_all_secrets, mask_secrets
from lingmix.tracking.store.limits import cut

NAME_LENGTH, SOURCE_LENGTH = 500, 65_535
LIES_AT = ("path", "folder", "data_dir", "download_dir", "url", "checksum")
"""Options that say where a source lies, and not what of it is read."""


class Input(TypedDict):
    """What a run reads; sources and their types as `mlflow.data` writes them."""

    name: str
    digest: str
    source_type: str
    source: str
    profile: str
    context: str


def inputs(config: Mapping[str, Any]) -> list[Input]:
    """Each source, known by what it holds and by what of it is read: not by where it lies, and not
    by which languages or how much of it a run takes, which params say."""
    return [_input(*one) for one in _sources(config)]


def log_inputs(client: MlflowClient, run_id: str, logged: list[Input]) -> None:
    """Once, however often it is called: MLflow knows those that the run has."""
    datasets = []
    for one in logged:
        fields: dict[str, Any] = {**one}
        tag = InputTag("mlflow.data.context", fields.pop("context"))
        datasets.append(DatasetInput(Dataset(**fields), tags=[tag]))
    if datasets:
        client.log_inputs(run_id, datasets=datasets)


def _sources(config: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    data = config.get("data", {})
    for node in data.get("train", ()):
        for one in _one_by_one(node):
            yield _name(one), one, "training"
    if development := data.get("development"):
        yield "development", development, "development"
    for name, node in config.get("evaluation", {}).items():
        yield name, node, "test"


def _one_by_one(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A source for each of the files that one reads."""
    path = node.get("path")
    return [{**node, "path": one} for one in path] if isinstance(path, list) else [node]


def _input(name: str, node: Mapping[str, Any], context: str) -> Input:
    counted = json.dumps(deciding({"data": node}), sort_keys=True, default=str)
    kind, source = _source(node)
    options = {key: value for key, value in node.items() if not key.startswith((*LIES_AT, "_"))}
    return {
        "name": cut(name, NAME_LENGTH),
        "digest": hashlib.sha256(counted.encode()).hexdigest()[:16],
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
    held = f"{package} {version(package)}" if package else None
    return "code", {"tags": {"reader": node.get("_target_"), "package": held}}


def _is_there(path: Path) -> bool:
    return "\0" not in str(path) and path.exists()


def _name(node: Mapping[str, Any]) -> str:
    """Of a file its folder's name, too: `pairs.jsonl` is what many are called."""
    place = node.get("path") or node.get("folder")
    if place:
        return "/".join(Path(str(place)).parts[-2:])
    return _reader(node).removeprefix("read_")


def _reader(node: Mapping[str, Any]) -> str:
    return str(node.get("_target_")).rpartition(".")[2]
