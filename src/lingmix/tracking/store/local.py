"""Stores that are SQLite files on this machine."""

import os
from pathlib import Path

from lingmix.errors import InputError

LOCAL = "sqlite:///"


def local_path(uri: str) -> Path | None:
    """Return the file of the store; None for a server or a database."""
    return Path(uri.removeprefix(LOCAL)) if uri.startswith(LOCAL) else None


def is_missing(uri: str) -> bool:
    """Whether the store is a file that does not exist, so that nothing is recorded yet."""
    path = local_path(uri)
    return path is not None and not path.exists()


def require_store(uri: str, name: str) -> None:
    """Raise InputError where the store is a missing file; `name` is the experiment to be read."""
    if is_missing(uri):
        raise InputError(
            f"name: no experiment {name!r} is recorded, there is no store {local_path(uri)} yet; "
            "train first, or name the store (tracking.uri)"
        )


def require_writable(path: Path) -> None:
    """Raise InputError where the file or its folder is not writable."""
    if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        raise InputError(
            f"tracking.uri: the store {LOCAL}{path} cannot be written to; have its file and folder "
            "made writable, or choose another store"
        )
