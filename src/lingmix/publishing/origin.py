"""Where a recorded model is from: data, command, code, hardware."""

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from lingmix.publishing.licences import licence_of_evaluation, licence_of_training
from lingmix.tracking.deciding import decides
from lingmix.tracking.generation import HARDWARE
from lingmix.tracking.identity import CODE, HASH, VERSIONS
from lingmix.tracking.recorded_run import RecordedRun
from lingmix.tracking.secrets import mask_secrets


def data_rows(recorded: RecordedRun, licences: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    """Yields a row a data set: name, use, licence, digest, and where it is from."""
    stated = recorded.config["data"].get("licences", {})
    for row in recorded.inputs:
        data = row.dataset
        reader = json.loads(data.profile or "{}").get("reader", "")
        use = next((tag.value for tag in row.tags if tag.key == "mlflow.data.context"), "")
        licence = (
            licence_of_training(data.name, stated, licences)
            if use == "training"
            else licence_of_evaluation(data.name, reader, licences)
        )
        yield data.name, use, licence, f"`{data.digest}`", _origin(data.source_type, data.source)


def _origin(kind: str, source: str) -> str:
    """Where data are from, without folders of the machine."""
    values = json.loads(source)
    if kind == "local":
        return f"a local file, {Path(values['uri']).name}"
    if kind == "hugging_face":
        return f"{values['path']} at {values['revision']}"
    return values.get("url") or values["tags"]["package"] or values["tags"]["reader"]


def command_of(recorded: RecordedRun) -> str:
    """Returns the command that makes the model again, without what only says where it runs."""
    given = yaml.safe_load(recorded.path("overrides.yaml").read_text("utf-8"))
    names = [word.lstrip("+~").partition("=")[0] for word in given]
    deciding = [
        word
        for word, name in zip(given, names, strict=True)
        if decides(name) and not name.endswith(("_dir", "tracking"))
    ]
    return shlex.join(["lingmix-train", *map(mask_secrets, deciding)])


def _in_words(key: str, value: str) -> str:
    return "all" if (key, value) == ("augmentation.scale", "None") else value


def training_rows(recorded: RecordedRun) -> dict[str, str]:
    """Returns settings, hardware, code and libraries of a training by their labels."""
    tags, params = recorded.run.data.tags, recorded.run.data.params
    info = recorded.run.info
    shown = (
        "sampler.alpha",
        "augmentation.scale",
        "sampler.batch_size",
        "trainer.max_steps",
        "languages",
        "pairs",
    )
    return {
        **{f"`{key}`": f"`{_in_words(key, params[key])}`" for key in shown if key in params},
        "hardware": tags.get(HARDWARE, "not recorded"),
        "time": f"{(info.end_time - info.start_time) / 60_000:.1f} minutes, evaluation included",
        "code": tags.get("mlflow.source.git.commit") or tags.get(CODE, "not recorded"),
        "libraries": tags.get(VERSIONS, "not recorded"),
        "identity": f"`{tags[HASH]}`",
    }
