"""The folder of a run that is under way."""

import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from lingmix.errors import InputError
from lingmix.model.checkpoints import refuse_other
from lingmix.tracking.journal import unsent

log = logging.getLogger(__name__)


@contextmanager
def work_folder(config: Mapping[str, Any], identity: str) -> Iterator[Path]:
    """One process' own until the block ends; gone when it ends well and all of it is recorded.

    A cell of a sweep waits for another process at work on the same, a run of its own does not.
    """
    folder = Path(config["output_dir"], "runs", config["name"], identity)
    with held(folder, wait=config["tracking"]["parent"] is not None):
        yield folder
        if not unsent(folder):
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def held(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """By one process at a time."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_suffix(".lock"))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        busy = f"{folder}: another process is at work on this configuration"
        if not wait:
            raise InputError(f"{busy}; wait for it, or stop it") from None
        log.warning("%s; this cell waits for it", busy)
        lock.acquire()
    try:
        yield
    finally:
        if not folder.exists():
            Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def claim(folder: Path, configuration: Mapping[str, Any]) -> None:
    """Says in `config.yaml` whose folder it is; what is there must be of the same configuration."""
    path = folder / "config.yaml"
    if path.exists():
        refuse_other(yaml.safe_load(path.read_text("utf-8")) or {}, configuration, where=path)
        return
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    with unfinished.open("w", encoding="utf-8") as file:
        yaml.safe_dump(dict(configuration), file, allow_unicode=True)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
