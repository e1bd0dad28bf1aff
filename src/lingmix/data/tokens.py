"""Token ids: of one batch, and of all texts, made once, kept on disk and mapped."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from lingmix.data.columns.columns import Columns
from lingmix.data.columns.shard import QUERY, ROWS
from lingmix.data.file_cache import keep, require_space

Role = Literal["query", "passage"]
Tokenize = Callable[[Sequence[str], Role], list[list[int]]]

AT_ONCE = 4096
"""Texts tokenised in one call: enough for the tokenizer's own threads, and what it returns are
Python objects of a hundred times the size of the ids."""

ROLE_MASKS: tuple[tuple[Role, bool], ...] = (("query", True), ("passage", False))

PART_BATCHES = 8
"""Batches of a shard's texts whose tokens are a file, that a stopped run need not make again."""


class Tokens(NamedTuple):
    """Token ids of B texts, one after the other without padding."""

    ids_T: torch.Tensor
    lengths_B: torch.Tensor


class Texts(NamedTuple):
    """B texts; `tokens` has those that are the same once, `place_B` says where each is."""

    tokens: Tokens
    place_B: torch.Tensor


class Part(NamedTuple):
    """Token ids of some texts, one after the other, and where each text begins, and the end."""

    ids: NDArray[np.uint16] | NDArray[np.uint32]
    starts: NDArray[np.int64]


class TokenStore:
    """Token ids of many texts, memory-mapped: runs of a sweep share one copy."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._begins = np.cumsum([0, *(len(part.starts) - 1 for part in parts)])

    def __len__(self) -> int:
        return int(self._begins[-1])

    def take(self, texts_B: NDArray[np.integer]) -> Tokens:
        part_B = np.searchsorted(self._begins, texts_B, side="right") - 1
        place_B = texts_B - self._begins[part_B]
        taken = []
        for part, place in zip(part_B.tolist(), place_B.tolist(), strict=True):
            ids, starts = self._parts[part]
            # plain numbers: slicing with NumPy's takes twice as long
            taken.append(ids[starts.item(place) : starts.item(place + 1)])
        ids_T = np.concatenate(taken, dtype=np.int64) if taken else np.zeros(0, np.int64)
        lengths_B = np.fromiter(map(len, taken), np.int64, len(taken))
        return Tokens(torch.from_numpy(ids_T), torch.from_numpy(lengths_B))

    def take_distinct(self, texts_B: NDArray[np.integer]) -> Texts:
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
        blocks = (tokenize(texts[n : n + AT_ONCE], role) for n in range(0, len(texts), AT_ONCE))
        _write_part(file, blocks=map(_block, blocks))

    return TokenStore([keep(folder / f"{digest.hexdigest()}.arrow", read=read_part, write=write)])


def keep_tokens_of_rows(
    columns: Columns,
    *,
    languages: Sequence[str],
    tokenize: Tokenize,
    tokenizer: str,
    folder: Path,
) -> TokenStore:
    """The token ids of the texts of the columns, each in its role; of those that are of other
    languages, or equal an earlier text, none. Made once for a tokenizer (its fingerprint), a shard
    and languages. Raises InputError where the disk has no room for them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths: dict[Path, tuple[int, int]] = {}
    for number, shard in enumerate(columns.joined.shards):
        decides = repr((columns.digests[number], tokenizer, sorted(languages)))
        digest = blake2b(decides.encode(), digest_size=20).hexdigest()
        for batch in range(0, -(-shard.names.rows["texts"] // ROWS), PART_BATCHES):
            paths[folder / f"{digest}-{batch // PART_BATCHES:05}.arrow"] = number, batch
    parts: list[Part] = []
    for done, (path, (number, batch)) in enumerate(paths.items(), start=1):
        blocks = _row_blocks(columns, number, batch, languages=languages, tokenize=tokenize)
        parts.append(keep(path, read=read_part, write=partial(_write_part, blocks=blocks)))
        if done == 1:
            ahead = sum(not one.exists() for one in paths)
            size = path.stat().st_size
            each = f"{ahead} parts like the first, of {size / 2**20:,.1f} MiB,"
            require_space(folder, ahead * size, f"the tokens of the training data, {each}")
    return TokenStore(parts)


def _row_blocks(
    columns: Columns, number: int, batch: int, *, languages: Sequence[str], tokenize: Tokenize
) -> Iterator["Block"]:
    """Of a part of a shard. A text that equals an earlier one of the shard has no ids; whether an
    earlier shard has it too makes no difference to what the part holds of use."""
    shard = columns.joined.shards[number]
    codes = [shard.names.languages.index(one) for one in languages if one in shard.names.languages]
    begin_of_shard = columns.joined.begin("texts", number)
    begin = begin_of_shard + batch * ROWS
    of_part = slice(batch, batch + PART_BATCHES)
    for read in shard.batches("texts", "text", "role", "language", part=of_part):
        first_R = columns.first_T[begin : begin + len(read)]
        new_R = (first_R == np.arange(begin, begin + len(read))) | (first_R < begin_of_shard)
        new_R &= np.isin(read.column("language").to_numpy(), codes)
        query_R = read.column("role").to_numpy() == QUERY
        for part in np.array_split(np.arange(len(read)), 1 + len(read) // AT_ONCE):
            tokens: list[Sequence[int]] = [()] * len(part)
            for role, of_role_R in ROLE_MASKS:
                chosen = part[new_R[part] & (query_R[part] == of_role_R)]
                texts = read.column("text").take(pa.array(chosen)).to_pylist()
                for row, ids in zip(chosen.tolist(), tokenize(texts, role), strict=True):
                    tokens[row - part[0]] = ids
            yield _block(tokens)
        begin += len(read)


class Block(NamedTuple):
    """Token ids of texts that follow each other, and how many each has."""

    ids: NDArray[np.uint32]
    lengths: NDArray[np.int64]


def _block(tokens: Sequence[Sequence[int]]) -> Block:
    lengths = np.fromiter(map(len, tokens), np.int64, len(tokens))
    return Block(np.fromiter(chain.from_iterable(tokens), np.uint32, lengths.sum()), lengths)


def _write_part(file: BinaryIO, *, blocks: Iterator[Block]) -> None:
    """In 2 bytes an id where all are small enough."""
    made = [Block(np.empty(0, np.uint32), np.empty(0, np.int64)), *blocks]
    ids = np.concatenate([block.ids for block in made])
    if ids.max(initial=0) < 2**16:
        ids = ids.astype(np.uint16)
    starts = np.cumsum(np.concatenate([[0], *(block.lengths for block in made)]))
    column = pa.LargeListArray.from_arrays(pa.array(starts), pa.array(ids))
    schema = pa.schema({"ids": column.type})
    with pa.ipc.new_file(file, schema) as writer:
        writer.write_batch(pa.record_batch([column], schema=schema))


def read_part(path: Path) -> Part:
    with pa.memory_map(str(path)) as source:
        column = pa.ipc.open_file(source).get_batch(0).column(0)
    return Part(column.values.to_numpy(), column.offsets.to_numpy())
