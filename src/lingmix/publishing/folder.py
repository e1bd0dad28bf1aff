"""The folder of an export: written whole or not at all, and not written twice."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lingmix.errors import InputError
from lingmix.model.layout import write_json
from lingmix.publishing.equality import Compared

RECORD = "export.json"
"""What an export was asked for, and every score of every form beside the run's own."""


@contextmanager
def unfinished_folder(folder: Path) -> Iterator[Path]:
    """Yields a folder that gets its name when the block succeeds, and is removed otherwise.

    Raises InputError where there is something of the name.
    """
    if folder.exists() or folder.is_symlink():
        raise InputError(f"folder: {folder} exists; name another one, or remove it")
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        yield unfinished
        unfinished.rename(folder)
    except OSError as error:
        raise InputError(f"folder: {folder} cannot be written ({error})") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def is_exported(folder: Path, asked: Mapping[str, Any]) -> bool:
    """Whether the folder holds an export of just this."""
    path = folder / RECORD
    return path.is_file() and json.loads(path.read_text("utf-8"))["asked"] == asked


def write_record(
    folder: Path,
    asked: Mapping[str, Any],
    compared: Sequence[Compared],
    recorded: Mapping[str, float],
) -> None:
    """Writes what was asked for, the run's scores and those of each form, by the names of
    metrics."""
    forms = {one.form: one.scores for one in compared}
    scores = {"recorded": dict(recorded), **forms}
    write_json({"asked": dict(asked), "scores": scores}, folder / RECORD)
