"""What makes two runs the same run."""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from lingmix.tracking.store import leaves

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

READ = ("data.", "evaluation.", "encoder.name")
"""Keys whose values may be files and folders."""


def decides(key: str) -> bool:
    """Whether the value of a dotted key can change a run's result."""
    free = any(key == one or key.startswith(f"{one}.") for one in DECIDES_NOTHING)
    return not free and not key.endswith(".download_dir")  # revisions and checksums decide


def config_hash(config: Mapping[str, Any]) -> str:
    """Of everything that decides the result and nothing that does not."""
    return hashlib.sha256(_text(config).encode()).hexdigest()[:16]


def deciding(config: Mapping[str, Any]) -> dict[str, Any]:
    """What the hash is of, as plain values by dotted key.

    A file or folder that is read counts by what it holds, not by where it lies, and a number by
    its value: 1 is 1.0.
    """
    return json.loads(_text(config))


def _text(config: Mapping[str, Any]) -> str:
    values = {key: _value(key, value) for key, value in leaves(config).items() if decides(key)}
    return json.dumps(values, sort_keys=True, default=str)


def _value(key: str, value: object) -> object:
    if isinstance(value, list):
        return [_value(key, one) for one in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and key.startswith(READ) and Path(value).exists():
        return _content(Path(value).resolve())
    return value


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
