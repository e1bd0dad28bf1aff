"""How much augmentation is added to the base data, in nested steps."""

from functools import partial
from hashlib import blake2b
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lingmix.data.columns.columns import Columns
from lingmix.data.columns.index import read_column, write_column
from lingmix.data.columns.numbering import Rows
from lingmix.data.file_cache import keep_folder
from lingmix.data.text_column import BATCH
from lingmix.errors import InputError


def scaled_items(
    columns: Columns, *, domain: str | None, scale: int | None, seed: int
) -> Rows | None:
    """The place of each row of an item among those that are trained on, -1 where it is not: the
    base items, then `scale` items of the augmentation `domain` (None: all of them). None where
    items are taken as they stand.

    Each seed puts the augmentation items in one order, by a digest of their ids, and a scale is
    a prefix of it: a larger scale holds every smaller one, whatever the order of the files.
    """
    if domain is None:
        if scale != 0:
            raise InputError(
                f"augmentation.scale: without an augmentation.domain it must be 0, got {scale}"
            )
        return None
    if domain not in columns.joined.domains:
        raise InputError(
            f"augmentation.domain: no training item is of domain {domain!r}; there are "
            f"{', '.join(columns.joined.domains)}"
        )
    code = columns.joined.domains.index(domain)
    domain_I = np.concatenate([*columns.joined.column("items", "domain")])
    first_I = columns.item_I == np.arange(len(domain_I), dtype=np.int32)
    augmentation = np.flatnonzero(first_I & (domain_I == code))
    if scale is not None and not 0 <= scale <= len(augmentation):
        raise InputError(
            f"augmentation.scale: must be in [0, {len(augmentation)}], the items of domain "
            f"{domain!r}, or null for all; got {scale}"
        )
    place_I = np.where(domain_I == code, -1, np.arange(len(domain_I), dtype=np.int32))
    if scale != 0:
        added = _ordered(columns, augmentation, code=code, seed=seed)[:scale]
        place_I[added] = len(place_I) + np.arange(len(added), dtype=np.int32)
    return place_I[columns.item_I]


def _ordered(columns: Columns, items: NDArray[np.int64], *, code: int, seed: int) -> Rows:
    """Worked out once for a seed; the first 8 bytes of a digest order as all of it."""

    def write(folder: Path) -> None:
        parts = np.array_split(items, 1 + len(items) // BATCH)
        ids = chain.from_iterable(map(columns.item_ids.take, parts))
        ranks = np.fromiter((_rank(id, seed) for id in ids), np.uint64, len(items))
        ordered = items[np.argsort(ranks, kind="stable")].astype(np.int32)
        write_column(folder, "order", ordered)

    folder = columns.folder / f"scales-{code}-{seed}"
    return keep_folder(folder, read=partial(read_column, name="order"), write=write)


def _rank(item_id: str, seed: int) -> int:
    return int.from_bytes(blake2b(f"{seed}:{item_id}".encode(), digest_size=16).digest()[:8])
