"""What makes two runs the same run."""

import hashlib
import json
import os
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lingmix.tracking.code import code_version, git_tags
from lingmix.tracking.lifecycle import HASH
from lingmix.tracking.store import leaves

ASKED, CODE, DATA, RAN = "lingmix.asked", "lingmix.code", "lingmix.data", "lingmix.ran"
"""Tags: the configuration as it was written, what it counts as, and the code that ran it."""

DECIDES_NOTHING = (
    "name",
    "output_dir",
    "data_dir",
    "download_dir",
    "embeddings",
    "tracking",
    "noise_scale_window",
    "checkpoint",
    "trainer.enable_progress_bar",
    "trainer.enable_model_summary",
    "trainer.log_every_n_steps",
)
"""Keys that change no result: where it is written and how it is shown."""

READ = ("data.", "evaluation.")
"""Keys below which values may be files and folders."""

PLACES = ("path", "folder", "queries", "corpora")
"""Options whose values are, whatever they look like; that of another has a / or a suffix."""

EMBEDDED = {"lingmix.data.sources.cldr": "babel"}
"""Sources whose data a package brings along."""


def decides(key: str) -> bool:
    """Whether the value of a dotted key can change a run's result."""
    free = any(key == one or key.startswith(f"{one}.") for one in DECIDES_NOTHING)
    return not free and not key.endswith(".download_dir")  # revisions and checksums decide


def config_hash(config: Mapping[str, Any]) -> str:
    """Of everything that decides the result, the code too, and nothing that does not."""
    return identity_tags(config)[HASH]


def counted_code(config: Mapping[str, Any]) -> str:
    """The code that a run counts as: `tracking.code`, or what is installed."""
    tracking = config.get("tracking", {"code": config.get("tracking.code")})
    return str(tracking.get("code") or code_version())


def deciding(config: Mapping[str, Any]) -> dict[str, Any]:
    """What the hash is of beside the code, as plain values by dotted key.

    A file or folder that is read counts by what it holds, not by where it lies, and a number by
    its value: 1 is 1.0.
    """
    return _counted_values(_asked(config))


def identity_tags(config: Mapping[str, Any]) -> dict[str, str]:
    """What tells a run apart, and from a run that was asked for in the same words, but is of other
    code or other data."""
    asked, code = _asked(config), counted_code(config)
    counted = _counted_values(asked)
    held = {key: value for key, value in counted.items() if value != asked.get(key)}
    return {
        HASH: _digest({"config": counted, "code": code}),
        ASKED: _digest(asked),
        CODE: code,
        DATA: _digest(held),
    }


def provenance(config: Mapping[str, Any]) -> dict[str, str]:
    """The tags of a new run: its identity, and the code that runs it."""
    return {**identity_tags(config), RAN: code_version(), **git_tags()}


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(_text(values).encode()).hexdigest()[:16]


def _text(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True, default=str)


def _asked(config: Mapping[str, Any]) -> dict[str, Any]:
    flat = leaves(config)
    return json.loads(_text({key: _plain(flat[key]) for key in flat if decides(key)}))


def _plain(value: object) -> object:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _counted_values(asked: Mapping[str, Any]) -> dict[str, Any]:
    values = {key: _counted(key, value) for key, value in asked.items()}
    name = asked.get("encoder.name")
    if "encoder.scratch" in asked and asked["encoder.scratch"] is None:
        values["encoder.name"] = _held(name)
    return values | _embedded(values)


def _counted(key: str, value: object) -> object:
    if not key.startswith(READ):
        return value
    if isinstance(value, list):
        return [_counted(key, one) for one in value]
    named = any(part in PLACES for part in key.split("."))
    lies = isinstance(value, str) and (named or os.sep in value or Path(value).suffix)
    return _held(value) if lies else value


def _held(place: object) -> object:
    """What the file or folder holds, where there is one."""
    found = isinstance(place, str) and Path(place).exists()
    return _content(Path(str(place)).resolve()) if found else place


def _embedded(values: Mapping[str, Any]) -> dict[str, str]:
    """Versions of the packages that bring the data along."""
    targets = [str(value) for key, value in values.items() if key.endswith("_target_")]
    return {
        package: version(package)
        for source, package in EMBEDDED.items()
        if any(target.startswith(source) for target in targets)
    }


@cache
def _content(path: Path) -> str:
    """Digest of a file, or of all files below a folder and their names in it."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            digest.update(f"{file.relative_to(path)}:{file.stat().st_size}:".encode())
            with file.open("rb") as opened:
                digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()
