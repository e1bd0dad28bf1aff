"""Atomic writes of files, and opening without following symbolic links."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from lingmix.errors import InputError

UNFINISHED = ".unfinished"


@contextmanager
def atomic_file(path: Path, *, durable: bool = False) -> Iterator[BinaryIO]:
    """Open a temporary file for writing, which is renamed to `path` when the block succeeds.

    Its temporary name cannot be guessed, so that another user of the folder cannot put a link
    there. A `durable` file is synced to disk first and survives a power loss.
    """
    unfinished = path.with_name(f"{path.name}.{token_hex(8)}{UNFINISHED}")
    try:
        with unfinished.open("xb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def open_no_symlink(path: Path, mode: str) -> BinaryIO:
    """Open a file in a binary mode; raise InputError where it is a symbolic link."""
    return open(path, mode, opener=no_follow)  # type: ignore[return-value]


def no_follow(path: str | Path, flags: int) -> int:
    """Return the descriptor of a file as `os.open` does; raise InputError for a symbolic link."""
    try:
        return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise InputError(
            f"{path}: must be a file, got a symbolic link, which is not followed; remove it"
        ) from error
