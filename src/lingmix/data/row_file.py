"""Writes rows to a file of JSON lines."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from lingmix.errors import InputError

ENDINGS = (".jsonl", ".jsonl.gz", ".jsonl.zst")


def refuse_unwritable(path: Path) -> None:
    """Raises InputError where a file cannot be written to `path`, before the work is done."""
    if not path.name.endswith(ENDINGS):
        raise InputError(f"path: must end in one of {' '.join(ENDINGS)}, got {path}")
    if path.is_dir():
        raise InputError(f"path: {path} is a folder; name a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        TemporaryDirectory(dir=path.parent).cleanup()
    except OSError as error:
        raise InputError(
            f"path: {path.parent} cannot be made or written to: {error.strerror}"
        ) from error


def write_rows(rows: Iterable[Mapping[str, Any]], *, path: Path) -> None:
    """Writes JSON lines, compressed as the file's ending says, atomically."""
    try:
        with TemporaryDirectory(dir=path.parent) as unfinished:
            part = Path(unfinished, path.name)
            with pa.output_stream(str(part), compression="detect") as stream:
                for row in rows:
                    stream.write(f"{json.dumps(row, ensure_ascii=False)}\n".encode())
            part.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error}") from error
