"""The folder of a run that is under way."""

import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from lingmix.atomic import atomic_file, opened
from lingmix.errors import InputError, require_same_configuration
from lingmix.locks import exclusive
from lingmix.tracking.outbox.journal import JOURNAL, count_unsent

log = logging.getLogger(__name__)


@contextmanager
def work_folder(config: Mapping[str, Any], identity: str) -> Iterator[Path]:
    """One process' own until the block ends; gone when it ends well and all of it is recorded.

    A cell of a sweep waits for another process at work on the same, a run of its own does not.
    """
    folder = _folder(config, identity)
    if folder.is_symlink():
        raise InputError(f"{folder}: must be a folder, got a symbolic link; remove it")
    with locked(folder, wait=config["tracking"]["parent"] is not None):
        yield folder
        if not count_unsent(folder):
            remove(folder)


def remove_recorded(config: Mapping[str, Any], identity: str) -> None:
    """What a kill has left of the folder of a run that is recorded, unless another process is at
    work there or something is still to be sent."""
    if _folder(config, identity).exists():
        with suppress(InputError), work_folder(config, identity):
            pass


def _folder(config: Mapping[str, Any], identity: str) -> Path:
    return Path(config["output_dir"], "runs", config["name"], identity)


@contextmanager
def locked(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Raises InputError where another process is at work there, unless this one is to `wait`."""
    lock = folder.with_suffix(".lock")

    def busy() -> None:
        found = f"{folder}: another process is at work on this configuration"
        if not wait:
            raise InputError(f"{found}; wait for it, or stop it")
        log.warning("%s; this cell waits for it", found)

    with exclusive(lock, busy=busy):
        try:
            yield
        finally:
            if not folder.exists():
                lock.unlink(missing_ok=True)


def claim(folder: Path, configuration: Mapping[str, Any]) -> None:
    """Says in `config.yaml` whose folder it is; what is there must be of the same configuration."""
    path = folder / "config.yaml"
    if path.exists():
        with opened(path, "rb") as file:
            require_same_configuration(yaml.safe_load(file) or {}, configuration, where=path)
        return
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_file(path, durable=True) as file:
        yaml.safe_dump(dict(configuration), file, allow_unicode=True, encoding="utf-8")


def remove(folder: Path) -> None:
    """The journal first: what is left of a folder without one is sent by nobody, so that a kill in
    between does not have half a run sent over the whole one."""
    (folder / JOURNAL).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def emptied(folder: Path) -> Path:
    """The folder, made anew; raises InputError where it is a symbolic link."""
    if folder.is_symlink():
        raise InputError(f"{folder}: must be a folder, got a symbolic link; remove it")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
