"""A cache of embeddings, in memory or on disk, looked up by a hash of prompt and text."""

import json
import os
from collections.abc import Iterable
from contextlib import nullcontext
from hashlib import blake2b
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from lingmix.atomic import atomic_file
from lingmix.errors import InputError
from lingmix.search.vectors import Vectors

Keys = NDArray[np.uint64]
"""Hashes of 128 bits, two numbers a text: keys_N2."""

KEY_BYTES = 16


def keys_of(texts: Iterable[str]) -> Keys:
    """Hashes what `Encoder.cache_keys` returns."""
    digests = bytearray()
    for text in texts:
        digests += blake2b(text.encode(), digest_size=KEY_BYTES).digest()
    return np.frombuffer(digests, dtype=np.uint64).reshape(-1, 2)


def first_of_each(keys_N2: Keys) -> NDArray[np.int64]:
    """Returns the position at which each distinct key occurs first, ascending."""
    order_N = np.lexsort((keys_N2[:, 1], keys_N2[:, 0]))
    sorted_N2 = keys_N2[order_N]
    new_N = np.ones(len(order_N), dtype=np.bool_)
    new_N[1:] = (sorted_N2[1:] != sorted_N2[:-1]).any(1)
    return np.sort(order_N[new_N])


class EmbeddingStore:
    """The vectors of one model. Without a folder they live in memory, as long as the store.

    A folder holds `model.json`, `keys` (16 bytes a row) and `vectors` (float32), both without a
    header; a row counts once its key is written. Several processes may read and add: a file lock
    orders them.
    """

    def __init__(self, folder: Path | None, *, name: str, fingerprint: str, dimension: int) -> None:
        """Raises InputError for a folder that another model wrote (`name` is only shown), and for
        one that was cut short."""
        self._folder = folder
        self._dimension = dimension
        self._keys_N2: Keys = np.zeros((0, 2), dtype=np.uint64)
        self._vectors_ND = np.zeros((0, dimension), dtype=np.float32)
        if folder is not None:
            with self._lock():
                self._open(folder, name=name, fingerprint=fingerprint)
        self._index()

    def vectors(self, keys_N2: Keys) -> Vectors:
        """Looks up keys that are all stored."""
        return Vectors(self._vectors_ND, self.rows(keys_N2))

    def rows(self, keys_N2: Keys) -> NDArray[np.int64]:
        """Returns the row of each key's vector, -1 where none is stored."""
        if not len(self._sorted_N2):
            return np.full(len(keys_N2), -1, dtype=np.int64)
        slot_N = np.searchsorted(self._sorted_N2[:, 0], keys_N2[:, 0])
        slot_N = np.minimum(slot_N, len(self._sorted_N2) - 1)
        found_N = (self._sorted_N2[slot_N] == keys_N2).all(1)
        return np.where(found_N, self._order_N[slot_N], -1)

    def add(self, keys_N2: Keys, vectors_ND: NDArray[np.float32]) -> None:
        """Stores vectors; keys that another process has stored meanwhile are skipped."""
        with self._lock():
            if self._folder is None:
                self._keys_N2 = np.concatenate([self._keys_N2, keys_N2])
                self._vectors_ND = np.concatenate([self._vectors_ND, vectors_ND])
            else:
                self._append(self._folder, keys_N2, vectors_ND)
        self._index()

    def _lock(self) -> "FileLock | nullcontext[None]":
        if self._folder is None:
            return nullcontext()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"embeddings: {self._folder} cannot be made ({error})") from error
        return FileLock(self._folder / "lock")

    def _open(self, folder: Path, *, name: str, fingerprint: str) -> None:
        path = folder / "model.json"
        if not path.exists() and (folder / "keys").exists():
            raise InputError(f"{folder}: its model.json is missing; delete the folder")
        if not path.exists():
            model = {"fingerprint": fingerprint, "name": name, "dimension": self._dimension}
            with atomic_file(path) as file:
                file.write(json.dumps(model, indent=1).encode())
        saved = _read(path)
        if (saved.get("fingerprint"), saved.get("dimension")) != (fingerprint, self._dimension):
            raise InputError(
                f"{folder}: these embeddings were made by another model, {saved.get('name')} "
                f"({saved.get('fingerprint')}), not by {name} ({fingerprint}); delete the folder, "
                "or name another as embeddings"
            )
        self._load(folder)

    def _load(self, folder: Path) -> None:
        keys, vectors = folder / "keys", folder / "vectors"
        if not keys.exists() or not keys.stat().st_size:
            return
        N = keys.stat().st_size // KEY_BYTES
        row_bytes = 4 * self._dimension
        stored = vectors.stat().st_size // row_bytes if vectors.exists() else 0
        if stored < N:
            raise InputError(
                f"{vectors}: holds {stored} of {N} vectors, the file was cut; delete {folder}"
            )
        self._keys_N2 = np.fromfile(keys, dtype=np.uint64, count=2 * N).reshape(N, 2)
        self._vectors_ND = np.memmap(vectors, np.float32, mode="r", shape=(N, self._dimension))

    def _append(self, folder: Path, keys_N2: Keys, vectors_ND: NDArray[np.float32]) -> None:
        """Writes vectors before keys: a vector that a crash left without its key is overwritten."""
        self._load(folder)
        self._index()
        new_N = self.rows(keys_N2) < 0
        keys_N2, vectors_ND = keys_N2[new_N], vectors_ND[new_N]
        for name, rows, row_bytes in (
            ("vectors", np.ascontiguousarray(vectors_ND, dtype=np.float32), 4 * self._dimension),
            ("keys", keys_N2, KEY_BYTES),
        ):
            path = folder / name
            path.touch()
            with path.open("r+b") as file:
                file.truncate(len(self._keys_N2) * row_bytes)
                file.seek(0, 2)
                file.write(rows.tobytes())
                file.flush()
                os.fsync(file.fileno())
        self._load(folder)

    def _index(self) -> None:
        self._order_N = np.argsort(self._keys_N2[:, 0], kind="stable")
        self._sorted_N2 = self._keys_N2[self._order_N]


def _read(path: Path) -> dict[str, object]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error}); delete the folder") from error
