"""The folder of a run in progress: its lock, its configuration, its removal."""

import logging
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from lingmix.atomic import atomic_file, open_no_symlink
from lingmix.errors import InputError, require_same_configuration
from lingmix.locks import exclusive
from lingmix.tracking.outbox.journal import JOURNAL, count_unsent

log = logging.getLogger(__name__)


@contextmanager
def run_folder(
    config: Mapping[str, Any], identity: str, *, join: Callable[[], None] | None = None
) -> Iterator[Path]:
    """Lock the run's folder for the block; remove it where the block succeeds and all is sent.

    Where another process has the lock, a run that can `join` in its work does, and waits for its
    end; a cell of a sweep waits; any other run raises InputError.
    """
    folder = _folder(config, identity)
    if folder.is_symlink():
        raise InputError(f"{folder}: must be a folder, got a symbolic link; remove it")
    with lock_folder(folder, wait=config["tracking"]["parent"] is not None, join=join):
        yield folder
        if not count_unsent(folder):
            remove_folder(folder)


def remove_recorded(config: Mapping[str, Any], identity: str) -> None:
    """Remove what a kill has left of a recorded run's folder, unless it is locked or unsent."""
    if _folder(config, identity).exists():
        with suppress(InputError), run_folder(config, identity):
            pass


def _folder(config: Mapping[str, Any], identity: str) -> Path:
    return Path(config["output_dir"], "runs", config["name"], identity)


@contextmanager
def lock_folder(
    folder: Path, *, wait: bool = False, join: Callable[[], None] | None = None
) -> Iterator[None]:
    """Lock a run's folder for the block; raise InputError where it is locked, or `join`, or
    `wait`."""
    lock = folder.with_suffix(".lock")

    def busy() -> None:
        message = f"{folder}: another process is at work on this configuration"
        if join is not None:
            log.info("%s; this one joins it", message)
            join()
            return
        if not wait:
            raise InputError(f"{message}; wait for it, or stop it")
        log.warning("%s; this cell waits for it", message)

    with exclusive(lock, busy=busy):
        try:
            yield
        finally:
            if not folder.exists():
                lock.unlink(missing_ok=True)


def claim_folder(folder: Path, configuration: Mapping[str, Any]) -> None:
    """Write `config.yaml`; raise InputError where the folder is of another configuration."""
    path = folder / "config.yaml"
    if path.exists():
        with open_no_symlink(path, "rb") as file:
            require_same_configuration(yaml.safe_load(file) or {}, configuration, where=path)
        return
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_file(path, durable=True) as file:
        yaml.safe_dump(dict(configuration), file, allow_unicode=True, encoding="utf-8")


def remove_folder(folder: Path) -> None:
    """Remove a run's folder."""
    # the journal first: where a kill leaves half the folder, nothing of it is sent again
    (folder / JOURNAL).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def empty_folder(folder: Path) -> Path:
    """Return the folder, created anew; raise InputError where it is a symbolic link."""
    if folder.is_symlink():
        raise InputError(f"{folder}: must be a folder, got a symbolic link; remove it")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
