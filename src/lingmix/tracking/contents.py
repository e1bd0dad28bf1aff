"""Digests of the files and folders that a configuration names, and which values are paths."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_type_hints

DOCUMENTATION = ("readme", "licence", "license")
"""Beginnings of the names of files that document data and are not part of it."""


def content_digest(path: Path) -> str:
    """Return the SHA-256 digest of a file, or of all files below a folder and their names in it.

    Links are followed. Documentation and hidden files are left out. A process reads a path once.
    """
    return _content(path.expanduser().resolve())


def is_path(key: str, value: object, settings: Mapping[str, Any]) -> bool:
    """Whether the value of a dotted key is read as a file or folder: it is an absolute path, or an
    option of a reader that names a file, or that the reader's signature types as a Path."""
    if not isinstance(value, str) or "\0" in value:
        return False
    path = Path(value).expanduser()
    if path.is_absolute() or not key.startswith(("data.", "evaluation.")):
        return path.is_absolute()
    node = _node(key, settings)
    option = key.removeprefix(f"{node}.").partition(".")[0]
    return path.is_file() or option in _paths_of(str(settings.get(f"{node}._target_")))


@cache
def _content(path: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(_files(path)) if path.is_dir() else [path]:
        digest.update(f"{file.relative_to(path)}:{file.stat().st_size}:".encode())
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    """All files below a folder; each folder is walked once, so that a cycle of links ends."""
    walked = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        here = os.path.realpath(place)
        if here in walked:
            folders.clear()
            continue
        walked.add(here)
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            described = name.lower().startswith((".", *DOCUMENTATION)) or name.endswith(".md")
            if not described and (file := Path(place, name)).is_file():
                yield file


def _node(key: str, settings: Mapping[str, Any]) -> str:
    """The innermost node above a key that has a `_target_`."""
    while key := key.rpartition(".")[0]:
        if f"{key}._target_" in settings:
            break
    return key


@cache
def _paths_of(target: str) -> frozenset[str]:
    """Parameters of a function that its signature types as paths; empty for one that cannot be
    imported, which `build` reports."""
    module, _, name = target.rpartition(".")
    try:
        hints = get_type_hints(getattr(import_module(module), name))
    except (ImportError, AttributeError, NameError, TypeError, ValueError):
        return frozenset()
    return frozenset(option for option, hint in hints.items() if _mentions_path(hint))


def _mentions_path(hint: object) -> bool:
    return hint is Path or any(map(_mentions_path, get_args(hint)))
