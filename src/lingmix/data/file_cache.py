"""Files of a cache: made once, by whichever process comes first, whole or not there."""

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, TypeVar

from filelock import FileLock

from lingmix.atomic import atomic_file

log = logging.getLogger(__name__)

T = TypeVar("T")


def keep(path: Path, *, read: Callable[[Path], T], write: Callable[[BinaryIO], None]) -> T:
    """What `read` gives of a file that `write` has filled; one it cannot read is made anew."""
    with suppress(OSError, ValueError):
        return read(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        try:
            return read(path)
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())
            log.warning("%s cannot be read (%s): it is made anew", path, reason)
        _make(path, write)
    return read(path)


def _make(path: Path, write: Callable[[BinaryIO], None]) -> None:
    try:
        with atomic_file(path, durable=True) as file:
            write(file)
        sync_folder(path.parent)
    except OSError as error:
        error.filename = error.filename or str(path)  # a full disk names none
        raise


def sync_folder(folder: Path) -> None:
    """A file that was renamed there outlives a power loss."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
