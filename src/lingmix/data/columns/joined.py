"""The shards of all sources as one table: their rows one shard after the other."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lingmix.data.columns.numbering import mixed
from lingmix.data.columns.shard import SCHEMAS, Shard
from lingmix.data.text_column import TextColumn
from lingmix.errors import InputError

NAMES_ROW_OF = {"item": "items", "query": "texts", "passage": "texts", "negatives": "texts"}
"""The table whose rows a column names."""

MOST = 2**31
"""Rows are numbered in 32 bits."""


class Joined:
    """Columns are read a chunk at a time: names of rows and codes are those of the whole."""

    def __init__(self, shards: Sequence[Shard]) -> None:
        self.shards = shards
        self.languages = sorted({name for one in shards for name in one.names.languages})
        self.domains = sorted({name for one in shards for name in one.names.domains})
        self._begin_S = {
            table: np.cumsum([0, *(one.names.rows[table] for one in shards)]).tolist()
            for table in SCHEMAS
        }
        if self.count("pairs") >= MOST:
            raise InputError(
                f"data.sets: have {self.count('pairs'):,} pairs, and they must be fewer than "
                f"{MOST:,}; leave sources out"
            )
        if self.count("texts") + 2 * self.count("items") >= MOST:
            raise InputError(
                f"data.sets: have {self.count('texts'):,} texts of {self.count('items'):,} items, "
                f"and texts and twice the items must be fewer than {MOST:,}; leave sources out"
            )

    def count(self, table: str) -> int:
        return int(self._begin_S[table][-1])

    @property
    def negatives(self) -> int:
        """Given negatives of all pairs."""
        return sum(one.names.negatives for one in self.shards)

    def begin(self, table: str, shard: int) -> int:
        """The row at which a shard's own rows begin."""
        return int(self._begin_S[table][shard])

    def column(self, table: str, name: str) -> Iterator[NDArray[Any]]:
        for number, shard in enumerate(self.shards):
            codes = self._codes(shard, name)
            for batch in shard.batches(table, name):
                values = batch.column(0).to_numpy(zero_copy_only=False)
                if name in NAMES_ROW_OF:
                    values = values + self.begin(NAMES_ROW_OF[name], number)
                elif codes is not None:
                    values = codes[values]
                elif (table, name) == ("items", "key"):
                    values = mixed(values, shard.group)
                yield values

    def columns(self, table: str, *names: str) -> Iterator[tuple[Any, ...]]:
        """The row that a chunk begins at, and the chunks of several columns side by side."""
        begin = 0
        for chunks in zip(*(self.column(table, name) for name in names), strict=True):
            yield begin, *chunks
            begin += len(chunks[0])

    def given_negatives(self) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int32]]]:
        """The pair that a chunk begins at, how many each pair has, and their texts' rows."""
        begin = 0
        for number, shard in enumerate(self.shards):
            for batch in shard.batches("pairs", "negatives"):
                lists = batch.column(0)
                values = lists.flatten().to_numpy(zero_copy_only=False)
                counts = np.diff(lists.offsets.to_numpy()).astype(np.int64)
                yield begin, counts, values + self.begin("texts", number)
                begin += len(counts)

    def keyed_texts(self) -> Iterator[tuple[NDArray[np.uint64], pa.Array]]:
        """The hash of each text, and the texts."""
        for shard in self.shards:
            for batch in shard.batches("texts", "key", "text"):
                yield batch.column(0).to_numpy(), batch.column(1)

    @cached_property
    def texts(self) -> TextColumn:
        """Mapped, as are the ids of items: only what is asked for is read."""
        return self._mapped("texts", "text")

    @cached_property
    def item_ids(self) -> TextColumn:
        return self._mapped("items", "id")

    def groups(self) -> NDArray[np.int32]:
        """The number of the sources that each row of an item shares ids with: its set."""
        counts = [one.names.rows["items"] for one in self.shards]
        return np.repeat(np.array([one.group for one in self.shards], np.int32), counts)

    def source_of(self, item: int) -> str:
        """What the row of an item was read from."""
        return self._shard_of(item).source

    def group_of(self, item: int) -> int:
        """The number of the sources that the row of an item shares ids with."""
        return self._shard_of(item).group

    def _shard_of(self, item: int) -> Shard:
        ends = self._begin_S["items"][1:]
        return self.shards[int(np.searchsorted(ends, item, side="right"))]

    def _mapped(self, table: str, name: str) -> TextColumn:
        columns: Iterable[pa.ChunkedArray] = (one.mapped(table)[name] for one in self.shards)
        chunks = [chunk for column in columns for chunk in column.chunks]
        return TextColumn(pa.chunked_array(chunks, pa.large_string()))

    def _codes(self, shard: Shard, name: str) -> NDArray[np.uint16] | None:
        """This table's codes by those of a shard."""
        if name.endswith("language"):
            own, every = shard.names.languages, self.languages
        elif name == "domain":
            own, every = shard.names.domains, self.domains
        else:
            return None
        return np.array([every.index(one) for one in own], dtype=np.uint16)
