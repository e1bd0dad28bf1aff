"""Digests of the files and folders that a configuration names, and which values are paths."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_type_hints

from lingmix.atomic import atomic_file

DOCUMENTATION = ("readme", "licence", "license")
"""Beginnings of the names of files that document data and are not part of it."""

LARGE = 2**24
"""Bytes of a file whose digest is noted."""


def content_digest(path: Path, *, notes: Path | None) -> str:
    """Return the SHA-256 digest of a file, or of all files below a folder and their names in it.

    Links are followed. Documentation and hidden files are left out. A process reads a path once,
    and large files are read once at all while they stay as they are: the folder `notes` has their
    digests.
    """
    return _content(path.expanduser().resolve(), notes)


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
def _content(path: Path, notes: Path | None) -> str:
    digest = hashlib.sha256()
    for file in sorted(_files(path)) if path.is_dir() else [path]:
        digest.update(f"{file.relative_to(path)}:{file.stat().st_size}:".encode())
        digest.update(bytes.fromhex(_file_digest(file, notes)))
    return digest.hexdigest()


def _file_digest(file: Path, notes: Path | None) -> str:
    """The digest that was noted, if size, time of change and inode are those of then."""
    found = file.stat()
    if notes is None or found.st_size < LARGE:
        return _sha256(file)
    state = f"{found.st_size} {found.st_mtime_ns} {found.st_ino}"
    note = notes / hashlib.sha256(str(file).encode()).hexdigest()
    noted, _, state_then = (note.read_text("ascii") if note.is_file() else "").partition(" ")
    if state == state_then:
        return noted
    notes.mkdir(parents=True, exist_ok=True)
    digest = _sha256(file)
    with atomic_file(note) as opened:
        opened.write(f"{digest} {state}".encode())
    return digest


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


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
