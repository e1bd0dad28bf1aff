"""Sequences of texts that take no memory: columns of memory-mapped Arrow files, and repeated
values."""

from collections.abc import Collection, Iterator, Sequence
from itertools import accumulate, chain, repeat
from pathlib import Path
from typing import Any, Self, overload

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import DTypeLike, NDArray

from lingmix.errors import InputError

BATCH = 8192
"""Texts that are converted to Python strings at a time."""


class TextColumn(Sequence[str]):
    """The strings of an Arrow array, which stay on disk if it is memory-mapped."""

    def __init__(self, array: pa.ChunkedArray) -> None:
        self.array = array
        self._ends = np.cumsum([len(chunk) for chunk in array.chunks], dtype=np.int64)

    def __len__(self) -> int:
        return len(self.array)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        if not isinstance(index, slice):
            return self.array[int(index)].as_py()
        start, stop, step = index.indices(len(self))
        if step == 1:
            return tuple(self.array.slice(start, max(stop - start, 0)).to_pylist())
        return tuple(self.take(np.arange(start, stop, step)))

    def __iter__(self) -> Iterator[str]:
        for chunk in self.array.chunks:
            for start in range(0, len(chunk), BATCH):
                yield from chunk.slice(start, BATCH).to_pylist()

    def take(self, positions: NDArray[np.integer]) -> list[str]:
        """Those at the positions, in their order; only the chunks that hold them are read."""
        if not len(positions):
            return []
        order = np.argsort(positions, kind="stable")
        ascending = positions[order]
        if ascending[0] < 0 or ascending[-1] >= len(self):
            raise IndexError(f"positions {ascending[0]} to {ascending[-1]} of {len(self)} texts")
        bounds = np.searchsorted(ascending, [0, *self._ends])
        texts: list[str] = [""] * len(positions)
        for number in np.flatnonzero(np.diff(bounds)):
            chunk = self.array.chunk(number)
            part = slice(bounds[number], bounds[number + 1])
            local = ascending[part] - (self._ends[number] - len(chunk))
            for place, text in zip(
                order[part], chunk.take(pa.array(local)).to_pylist(), strict=True
            ):
                texts[place] = text
        return texts

    def where(self, mask: NDArray[np.bool_]) -> Self:
        """Selects texts by a mask without copying them; fast where the mask has few, long runs."""
        edges = np.flatnonzero(np.diff(np.pad(mask.astype(np.int8), 1)))
        runs = [self.array.slice(a, b - a).chunks for a, b in edges.reshape(-1, 2)]
        return type(self)(pa.chunked_array(chain.from_iterable(runs), self.array.type))

    def positions(self, texts: Collection[str]) -> dict[str, int]:
        """Returns the position of each text that occurs, the last of several."""
        wanted = list(texts)
        values = pa.array(wanted, self.array.type)
        found: dict[str, int] = {}
        for end, chunk in zip(self._ends, self.array.chunks, strict=True):
            which = pc.index_in(chunk, value_set=values)
            places = np.flatnonzero(which.is_valid().to_numpy(zero_copy_only=False))
            first = int(end) - len(chunk)
            for place, number in zip(places, which.drop_null().to_pylist(), strict=True):
                found[wanted[number]] = first + int(place)
        return found

    def repeated(self) -> str | None:
        """Returns a text that occurs twice, None if there is none; takes 8 bytes of memory a
        text."""
        hashes = [pl.Series(chunk).hash().to_numpy() for chunk in self.array.chunks]
        hash_N = np.concatenate([np.empty(0, np.uint64), *hashes])
        ascending = np.sort(hash_N)
        twice = ascending[1:][ascending[1:] == ascending[:-1]]
        seen: set[str] = set()
        for text in self.take(np.flatnonzero(np.isin(hash_N, twice))) if len(twice) else ():
            if text in seen:
                return text
            seen.add(text)
        return None


class Repeated(Sequence[str]):
    """Values, each repeated as often as its count says: the languages of consecutive corpora."""

    def __init__(self, values: Sequence[str], counts: Sequence[int]) -> None:
        self._values, self._counts = tuple(values), tuple(counts)
        self._ends = list(accumulate(self._counts))

    def distinct(self) -> set[str]:
        return {value for value, count in zip(self._values, self._counts, strict=True) if count}

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        places = range(len(self))[index]
        if isinstance(places, range):
            which = np.searchsorted(self._ends, np.asarray(places), side="right")
            return tuple(self._values[number] for number in which)
        return self._values[int(np.searchsorted(self._ends, places, side="right"))]

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(map(repeat, self._values, self._counts))

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """Makes `np.asarray` fast, which would otherwise ask for one string after another."""
        if copy is False:
            raise ValueError("the strings lie nowhere that an array could share")
        return np.repeat(np.asarray(self._values, dtype), self._counts)

    def where(self, mask: NDArray[np.bool_]) -> Self:
        starts = [0, *self._ends[:-1]]
        spans = map(slice, starts, self._ends)
        return type(self)(self._values, [int(np.count_nonzero(mask[span])) for span in spans])


def mapped(path: Path) -> pa.Table:
    """Maps an Arrow file; raises InputError where it is not whole."""
    try:
        return pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: not a whole Arrow file; remove it and run again") from error
