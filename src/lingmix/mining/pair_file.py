"""Writes training pairs to a file that `read_pairs` reads."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lingmix.data.items import Item
from lingmix.data.training_pairs import TrainingPairs
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


def rows_with_negatives(
    items: Sequence[Item], pairs: TrainingPairs, negative_NC: NDArray[np.int64]
) -> Iterator[dict[str, Any]]:
    """Yields the pairs made of `items` as rows; `negative_NC` are passage numbers, -1 for none."""
    sources = list(_source_ids(items))
    for row, negative_C in enumerate(negative_NC):
        languages, item = pairs.language_pairs[pairs.language_pair_N[row]], pairs.item_N[row]
        yield {
            "query": pairs.queries[pairs.query_N[row]],
            "passage": pairs.passages[pairs.passage_N[row]],
            "query_lang": languages.query,
            "passage_lang": languages.passage,
            "source_id": sources[item],
            "domain": items[item].domain,
            "negatives": [pairs.passages[number] for number in negative_C if number >= 0],
        }


def _source_ids(items: Sequence[Item]) -> Iterator[str]:
    """Yields each item's id, numbered where another source has used it: `a`, `a#2` ...; rows of one
    id would be read as one item."""
    ids, taken = {item.id for item in items}, set[str]()
    for item in items:
        source = item.id
        if source in taken:
            numbered = (f"{item.id}#{n}" for n in count(2))
            source = next(name for name in numbered if name not in ids and name not in taken)
        taken.add(source)
        yield source
