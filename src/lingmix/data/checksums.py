"""Verifies files by their checksums."""

import hashlib
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from lingmix.atomic import atomic_file
from lingmix.errors import InputError

LENGTHS = {"sha256": 64, "md5": 32}


def require_form(checksum: str) -> None:
    """Raises InputError unless the checksum is `sha256:<hex>` or `md5:<hex>`."""
    kind, _, digest = checksum.partition(":")
    if not re.fullmatch(f"[0-9a-f]{{{LENGTHS.get(kind, 0)}}}", digest) or kind not in LENGTHS:
        raise InputError(f"checksum must be sha256:<64 hex> or md5:<32 hex>, got {checksum!r}")


def checksum_of(path: Path, kind: str) -> str:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, partial(hashlib.new, kind, usedforsecurity=False))
    return f"{kind}:{digest.hexdigest()}"


def check_fetched(path: Path, checksum: str | None) -> None:
    """Raises InputError unless the file has this checksum, or for None the one that it had when it
    was first checked. A file that has not changed since is not read again.
    """
    note = _note(path)
    noted = note.read_text("ascii", "ignore") if note.is_file() else ""
    expected = checksum or noted.partition(" ")[0]
    if expected and noted == _state(path, expected):
        return
    got = checksum_of(path, expected.partition(":")[0] if expected else "sha256")
    if expected and got != expected:
        raise InputError(
            f"{path}: the file has {got}, expected {expected}: it is not whole, or another; "
            "remove it and run again"
        )
    note_checked(path, got)


def note_checked(path: Path, checksum: str) -> None:
    with atomic_file(_note(path)) as file:
        file.write(_state(path, checksum).encode())


def check_blob(path: Path, place: str) -> None:
    """Verifies a file in the Hub's cache by its blob's name: the SHA-256 of a large file, git's
    SHA-1 of a small one. Removes a file with another content and raises InputError.
    """
    if not path.is_symlink():
        return
    blob = path.parent / path.readlink()
    digest: Callable[[], Any]
    if re.fullmatch("[0-9a-f]{64}", blob.name):
        digest = hashlib.sha256
    elif re.fullmatch("[0-9a-f]{40}", blob.name):
        digest = partial(hashlib.sha1, b"blob %d\0" % blob.stat().st_size, usedforsecurity=False)
    else:
        return
    with blob.open("rb") as file:
        got = hashlib.file_digest(file, digest).hexdigest()
    if got != blob.name:
        for one in (blob.resolve(), blob, path):
            one.unlink(missing_ok=True)
        raise InputError(
            f"{place}: the content has digest {got}, the Hub names it {blob.name}; it was removed "
            "from the cache, run again"
        )


def _note(path: Path) -> Path:
    return path.with_name(f"{path.name}.checked")


def _state(path: Path, checksum: str) -> str:
    return f"{checksum} {path.stat().st_size} {path.stat().st_mtime_ns}"
