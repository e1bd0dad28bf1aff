"""A cache on disk: files and folders that are made once, by whichever process comes first, and are
there as a whole or not at all."""

import logging
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, TypeVar

from lingmix.atomic import UNFINISHED, atomic_file
from lingmix.errors import InputError
from lingmix.locks import exclusive

log = logging.getLogger(__name__)

T = TypeVar("T")


def keep(path: Path, *, read: Callable[[Path], T], write: Callable[[BinaryIO], None]) -> T:
    """What `read` gives of a file that `write` has filled; one it cannot read is made anew."""
    return _kept(path, read=read, make=partial(_make_file, write=write))


def keep_folder(path: Path, *, read: Callable[[Path], T], write: Callable[[Path], None]) -> T:
    """What `read` gives of a folder that `write` has filled; one it cannot read is made anew."""
    return _kept(path, read=read, make=partial(_make_folder, write=write))


def require_space(folder: Path, needed: int, what: str, *, key: str = "output_dir") -> None:
    """Raise InputError where the disk of a folder has fewer free bytes than `what` needs; `key` is
    the setting that names the folder."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise InputError(
            f"{key}: {folder} has {free / 2**30:,.1f} GiB free, and {what} need "
            f"{needed / 2**30:,.1f} GiB; free some, or set {key} to a larger disk"
        )


def _kept(path: Path, *, read: Callable[[Path], T], make: Callable[[Path], None]) -> T:
    with suppress(OSError, ValueError):
        return read(path)
    with exclusive(path.with_name(f"{path.name}.lock"), busy=partial(_say_busy, path)):
        try:
            return read(path)
        except (OSError, ValueError) as error:
            if path.exists():
                reason = " ".join(str(error).split())
                log.warning("%s cannot be read (%s): it is made anew", path, reason)
        try:
            make(path)
        except OSError as error:
            error.filename = error.filename or str(path)  # a full disk names none
            raise
        sync(path.parent)
    return read(path)


def _say_busy(path: Path) -> None:
    log.info("another process makes %s: waiting for it", path)


def _make_file(path: Path, write: Callable[[BinaryIO], None]) -> None:
    with atomic_file(path, durable=True) as file:
        write(file)


def _make_folder(path: Path, write: Callable[[Path], None]) -> None:
    """Under the lock of `path`, so what another process has left unfinished is nobody's."""
    for leftover in path.parent.glob(f"{path.name}.*{UNFINISHED}"):
        shutil.rmtree(leftover)
    with TemporaryDirectory(
        prefix=f"{path.name}.", suffix=UNFINISHED, dir=path.parent
    ) as unfinished:
        made = Path(unfinished, "made")
        made.mkdir()
        write(made)
        for file in made.iterdir():
            sync(file)
        sync(made)
        if path.exists():
            path.rename(Path(unfinished, "damaged"))
        made.rename(path)


def sync(path: Path) -> None:
    """A file, or what was renamed into a folder, outlives a power loss."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
