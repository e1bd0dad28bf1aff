"""Token ids: of one batch, and of all training texts, read once and kept."""

from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from lingmix.data.file_cache import keep

Role = Literal["query", "passage"]
Tokenize = Callable[[Sequence[str], Role], list[list[int]]]


class Tokens(NamedTuple):
    """Token ids of B texts, one after the other without padding."""

    ids_T: torch.Tensor
    lengths_B: torch.Tensor


class Texts(NamedTuple):
    """B texts; `tokens` has those that are the same once, `place_B` says where each is."""

    tokens: Tokens
    place_B: torch.Tensor


class TokenStore:
    """Token ids of many texts, memory-mapped: runs of a sweep share one copy."""

    def __init__(self, path: Path) -> None:
        with pa.memory_map(str(path)) as source:
            column = pa.ipc.open_file(source).read_all().column(0).combine_chunks()
        self._ids: NDArray[np.int32] = column.values.to_numpy(zero_copy_only=True)
        self._starts: NDArray[np.int64] = column.offsets.to_numpy(zero_copy_only=True)

    def __len__(self) -> int:
        return len(self._starts) - 1

    def take(self, texts_B: NDArray[np.int64]) -> Tokens:
        starts_B, ends_B = self._starts[texts_B], self._starts[texts_B + 1]
        parts = [self._ids[a:b] for a, b in zip(starts_B, ends_B, strict=True)]
        ids_T = np.concatenate(parts, dtype=np.int64) if parts else np.zeros(0, np.int64)
        return Tokens(torch.from_numpy(ids_T), torch.from_numpy(ends_B - starts_B))

    def take_distinct(self, texts_B: NDArray[np.int64]) -> Texts:
        distinct, place_B = np.unique(texts_B, return_inverse=True)
        return Texts(self.take(distinct), torch.from_numpy(place_B))


def keep_tokens(
    texts: Sequence[str], role: Role, *, tokenize: Tokenize, tokenizer: str, folder: Path
) -> TokenStore:
    """The token ids of `texts`, made once for a tokenizer (its fingerprint), role and content."""
    digest = blake2b(f"{tokenizer}:{role}".encode(), digest_size=20)
    for text in texts:
        digest.update(f"{len(text)}:{text}".encode())

    def write(file: BinaryIO) -> None:
        column = pa.array(tokenize(texts, role), type=pa.large_list(pa.int32()))
        table = pa.table({"ids": column})
        with pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)

    return keep(folder / f"{digest.hexdigest()}.arrow", read=TokenStore, write=write)
