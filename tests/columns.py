"""Training data in memory as columns, in a folder that goes with the process."""

from atexit import register
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from lingmix.data import training_pairs as pairs_of_columns
from lingmix.data.columns.columns import Columns, Source, keep_columns
from lingmix.data.items import Item
from lingmix.data.training_pairs import TrainingPairs

FOLDER = TemporaryDirectory(prefix="lingmix-columns-")
register(FOLDER.cleanup)


def columns_of(*sources: Iterable[Item], expand_pairs: bool = False) -> Columns:
    """Of items of one source or of several."""
    folder = Path(FOLDER.name, f"{len([*Path(FOLDER.name).iterdir()])}")
    named = [
        Source(f"source {group}", group, f"{group}", read=lambda items=items: items, size=0)
        for group, items in enumerate(sources)
    ]
    return keep_columns(named, folder, expand_pairs=expand_pairs)


def training_pairs(
    items: Iterable[Item],
    *,
    languages: Sequence[str] | None = None,
    pairs: Sequence[str] | str = "all",
    expand_pairs: bool = False,
) -> TrainingPairs:
    columns = columns_of(items, expand_pairs=expand_pairs)
    return pairs_of_columns.training_pairs(columns, items=None, languages=languages, pairs=pairs)


def row_of(columns: Columns, text: str) -> int:
    """The first row of a text."""
    return list(columns.texts).index(text)


def rows_of(columns: Columns, texts: Sequence[str]) -> np.ndarray:
    return np.array([row_of(columns, text) for text in texts], dtype=np.int64)
