"""Embeddings on disk, in shards that any number of processes write and read at once.

A folder holds `model.json` and `shards`. A shard is a file that is written once, as a whole: the
keys of its texts (16 bytes each), then their vectors (float32), both without a header. Its name is
the digest of its contents, so that one that was changed is noticed; its texts, like those of one
that was deleted, are encoded again.
"""

import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lingmix.atomic import UNFINISHED, atomic_file
from lingmix.data.file_cache import require_space
from lingmix.errors import InputError
from lingmix.locks import exclusive
from lingmix.model.embedding_store import KEY_BYTES, KeyIndex, Keys, Positions
from lingmix.search.vectors import Vectors

SHARD = 2048
"""Texts of a shard: few enough to share among processes and to lose to a kill, enough for batches
that fill a GPU."""

log = logging.getLogger(__name__)


class Shard(NamedTuple):
    """A file and the number of its texts."""

    path: Path
    size: int


class ShardedEmbeddings:
    """A `VectorStore` in a folder that processes of several machines may share.

    All cut the same texts into the same shards, and each encodes those that it is the first to
    lock. A lock ends with its process.
    """

    def __init__(self, folder: Path, *, name: str, fingerprint: str, dimension: int) -> None:
        """Raises InputError for a folder that another model wrote (`name` is only shown)."""
        self._folder, self._dimension = folder, dimension
        self._row_bytes = KEY_BYTES + 4 * dimension
        self._shards: list[Shard] = []
        self._seen: set[str] = set()
        self._unindexed: list[Keys] = []
        self._index = KeyIndex()
        try:
            for part in ("shards", "locks"):
                (folder / part).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"embeddings: {folder} cannot be made ({error})") from error
        with exclusive(folder / "lock", busy=lambda: None):
            _require_model(folder, name=name, fingerprint=fingerprint, dimension=dimension)
        self._index_new()

    def require_space(self, keys_U2: Keys) -> None:
        count = int(np.count_nonzero(self._index.rows(keys_U2) < 0))
        what = f"{count:,} vectors of 4 x {self._dimension:,} + {KEY_BYTES} bytes"
        require_space(self._folder, count * self._row_bytes, what, key="embeddings")

    def missing(self, keys_U2: Keys) -> Iterator[Positions]:
        """Yields positions of one shard at a time, which is locked until the next is asked for.
        Those that other processes have locked come last, and are waited for."""
        self._index_new()
        absent_U = self._index.rows(keys_U2) < 0
        position = KeyIndex(keys_U2)
        begins, wait = [*range(0, len(keys_U2), SHARD)], False
        while begins := [begin for begin in begins if absent_U[begin : begin + SHARD].any()]:
            for begin in begins:
                part = slice(begin, begin + SHARD)
                with self._locked(keys_U2[part], wait=wait) as locked:
                    absent_U[_found(position, self._read_new())] = False
                    missing = begin + np.flatnonzero(absent_U[part])
                    if locked and len(missing):
                        yield missing
                        absent_U[part] = False
            wait = True
        self._index_new()

    def add(self, keys_N2: Keys, vectors_ND: NDArray[np.float32]) -> None:
        contents = keys_N2.tobytes() + np.ascontiguousarray(vectors_ND, dtype=np.float32).tobytes()
        with atomic_file(self._folder / "shards" / _digest(contents), durable=True) as file:
            file.write(contents)

    def vectors(self, keys_N2: Keys) -> Vectors:
        return Vectors(
            StoredVectors(self._shards, self._dimension),
            self._index.rows(keys_N2),
        )

    @contextmanager
    def _locked(self, keys_S2: Keys, *, wait: bool) -> Iterator[bool]:
        """Locks a shard for the block, or, where another process has it, yields False unless it may
        `wait`."""
        path = self._folder / "locks" / _digest(keys_S2.tobytes())
        try:
            with exclusive(path, busy=(lambda: None) if wait else _refuse_taken):
                yield True
                # one that waits for this file makes it anew and finds nothing missing
                path.unlink(missing_ok=True)
        except _TakenError:
            yield False

    def _index_new(self) -> None:
        self._read_new()
        self._index.add(np.concatenate([np.empty((0, 2), np.uint64), *self._unindexed]))
        self._unindexed.clear()

    def _read_new(self) -> Keys:
        """Reads the keys of shards that were written since."""
        found = [np.empty((0, 2), np.uint64)]
        for name in sorted({*os.listdir(self._folder / "shards")} - self._seen):  # noqa: PTH208
            if name.endswith(UNFINISHED):
                continue
            path = self._folder / "shards" / name
            contents = path.read_bytes()
            if _digest(contents) != name or len(contents) % self._row_bytes:
                log.warning("%s was changed: its texts are encoded again", path)
                path.unlink(missing_ok=True)
                continue
            size = len(contents) // self._row_bytes
            self._seen.add(name)
            self._shards.append(Shard(path, size))
            found.append(np.frombuffer(contents, np.uint64, 2 * size).reshape(size, 2).copy())
        self._unindexed += found[1:]
        return np.concatenate(found)


class StoredVectors:
    """The vectors of shards as rows of one array; a file is open only while it is read."""

    def __init__(self, shards: Sequence[Shard], dimension: int) -> None:
        self._paths = [shard.path for shard in shards]
        self._ends = np.cumsum([shard.size for shard in shards], dtype=np.int64)
        self._dimension = dimension

    @property
    def shape(self) -> tuple[int, int]:
        return int(self._ends[-1]) if len(self._ends) else 0, self._dimension

    def __getitem__(self, rows: Any) -> NDArray[np.float32]:
        row_N = np.asarray(rows, dtype=np.int64)
        flat_N = row_N.ravel()
        vectors_ND = np.empty((len(flat_N), self._dimension), dtype=np.float32)
        shard_N = np.searchsorted(self._ends, flat_N, side="right")
        order_N = np.argsort(shard_N, kind="stable")
        cuts = np.flatnonzero(np.diff(shard_N[order_N])) + 1
        for of_shard in np.split(order_N, cuts) if len(order_N) else ():
            number = int(shard_N[of_shard[0]])
            end = int(self._ends[number])
            size = end - (int(self._ends[number - 1]) if number else 0)
            vectors_ND[of_shard] = self._mapped(number, size)[flat_N[of_shard] - (end - size)]
        return vectors_ND.reshape(*row_N.shape, self._dimension)

    def _mapped(self, number: int, size: int) -> NDArray[np.float32]:
        path = self._paths[number]
        try:
            return np.memmap(
                path, np.float32, "r", offset=KEY_BYTES * size, shape=(size, self._dimension)
            )
        except (OSError, ValueError) as error:
            raise InputError(
                f"{path}: was deleted or cut while it was in use ({error}); run the command again"
            ) from error


class _TakenError(Exception):
    """Another process has the lock of a shard."""


def _refuse_taken() -> None:
    raise _TakenError


def _digest(contents: bytes) -> str:
    return blake2b(contents, digest_size=16).hexdigest()


def _found(index: KeyIndex, keys_N2: Keys) -> Positions:
    row_N = index.rows(keys_N2)
    return row_N[row_N >= 0]


def _require_model(folder: Path, *, name: str, fingerprint: str, dimension: int) -> None:
    """Writes `model.json`, or raises InputError where it is another model's."""
    path = folder / "model.json"
    if not path.exists() and any((folder / "shards").iterdir()):
        raise InputError(f"{folder}: its model.json is missing; delete the folder")
    if not path.exists():
        model = {"fingerprint": fingerprint, "name": name, "dimension": dimension}
        with atomic_file(path) as file:
            file.write(json.dumps(model, indent=1).encode())
    try:
        saved = dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error}); delete the folder") from error
    if (saved.get("fingerprint"), saved.get("dimension")) != (fingerprint, dimension):
        raise InputError(
            f"{folder}: these embeddings were made by another model, {saved.get('name')} "
            f"({saved.get('fingerprint')}), not by {name} ({fingerprint}); delete the folder, or "
            "name another as embeddings"
        )
