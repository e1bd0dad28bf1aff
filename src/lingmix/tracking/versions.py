"""Versions of the libraries that decide the result of a run."""

from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from lingmix.errors import InputError

NETWORKS = ("tokenizers", "torch", "transformers")
TRAINING = ("numpy", "pytorch-lightning")
LEXICAL = {"bm25": ("bm25s", "tokenizers"), "tfidf": ("scikit-learn",)}
LIBRARIES = {*NETWORKS, *TRAINING, *(name for names in LEXICAL.values() for name in names)} | {
    "faiss",
    "peft",
}
BUILDS = {"faiss": ("faiss-cpu", "faiss-gpu")}
"""Libraries that are installed under another name."""


def identity_versions(flat: Mapping[str, Any]) -> dict[str, str]:
    """The libraries that a run uses, each with the version that it counts as: the one installed, or
    the one that `tracking.versions` names.

    `flat` is the configuration by dotted key. A build for certain hardware, such as the `+cpu` of
    torch, is no other version. Raises InputError for a library that decides nothing.
    """
    pinned = _pinned(flat)
    return {name: pinned.get(name, installed(name)) for name in sorted(_used(flat))}


@cache
def installed(library: str) -> str:
    """Return the version of a library, or `missing`, which the code that needs it reports."""
    for name in BUILDS.get(library, (library,)):
        with suppress(PackageNotFoundError):
            return version(name).partition("+")[0]
    return "missing"


def format_versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {versions[name]}" for name in sorted(versions))


def parse_versions(text: str) -> dict[str, str]:
    """Return the versions that `format_versions` has written."""
    return dict(part.split(" ", 1) for part in text.split(", ") if part)


def as_setting(text: str) -> str:
    """Return the text of `format_versions` as entries of `tracking.versions`."""
    return ", ".join(f"{name}: {version}" for name, version in parse_versions(text).items())


def _used(flat: Mapping[str, Any]) -> set[str]:
    if "encoder.lexical" in flat:
        return {*LEXICAL.get(flat["encoder.lexical"], ())}
    if "encoder.name" not in flat:
        return set()
    used = {*NETWORKS}
    for key, libraries in (
        ("trainer.max_steps", TRAINING),
        ("encoder.lora.rank", ("peft",)),
        ("search._target_", ("faiss",)),
    ):
        if key in flat:
            used.update(libraries)
    return used


def _pinned(flat: Mapping[str, Any]) -> dict[str, str]:
    key = "tracking.versions"
    if flat.get(key) is not None:
        raise InputError(
            f"{key}: must be a version for a library, such as {{torch: 2.8.0}}, or null, got "
            f"{flat[key]!r}"
        )
    pinned = {
        name.removeprefix(f"{key}."): str(value)
        for name, value in flat.items()
        if name.startswith(f"{key}.")
    }
    if unknown := sorted(pinned.keys() - LIBRARIES):
        raise InputError(
            f"{key}: must name libraries that decide a result ({', '.join(sorted(LIBRARIES))}), "
            f"got {', '.join(unknown)}"
        )
    return pinned
