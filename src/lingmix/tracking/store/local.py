"""A store that is a file on this machine."""

import os
from pathlib import Path

from lingmix.errors import InputError

LOCAL = "sqlite:///"


def local_path(uri: str) -> Path | None:
    """The file of the store; None where it is a server or a database."""
    return Path(uri.removeprefix(LOCAL)) if uri.startswith(LOCAL) else None


def is_missing(uri: str) -> bool:
    """Whether the store is a file that is not there, so that nothing is recorded in it."""
    path = local_path(uri)
    return path is not None and not path.exists()


def refuse_missing(uri: str, name: str) -> None:
    """For a command that reads an experiment of that name."""
    if is_missing(uri):
        raise InputError(
            f"name: no experiment {name!r} is recorded, there is no store {local_path(uri)} yet; "
            "train first, or name the store (tracking.uri)"
        )


def refuse_unwritable(path: Path) -> None:
    if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        raise InputError(
            f"tracking.uri: the store {LOCAL}{path} cannot be written to; have its file and folder "
            "made writable, or choose another store"
        )
