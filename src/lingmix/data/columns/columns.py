"""Training data as columns on disk, made once and mapped by every run, rank and sweep."""

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from hashlib import blake2b
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lingmix.data.columns.grouping import groups_of
from lingmix.data.columns.index import read_column, write_index
from lingmix.data.columns.joined import Joined
from lingmix.data.columns.numbering import Rows
from lingmix.data.columns.shard import Shard, write_shard
from lingmix.data.content_groups import ContentGroups
from lingmix.data.file_cache import keep_folder, require_space
from lingmix.data.items import Item, LanguagePair
from lingmix.data.text_column import TextColumn

log = logging.getLogger(__name__)


class Source(NamedTuple):
    """Training data that are read into a shard of their own.

    `digest` is of all that decides what `read` gives; `name` is what the user calls it, a file or a
    function. Sources of one `group` are read as one: they share ids. `size` is that of the files in
    bytes, unpacked, as far as it is known.
    """

    name: str
    group: int
    digest: str
    read: Callable[[], Iterable[Item]]
    size: int


class Columns:
    """T texts of items, the items, and N pairs in order of their language pair.

    All of it is mapped. Texts are known by their row; `first_T` is the first row of an equal text
    of the same role and language, by which pairs name theirs. `item_I` is the first row of the same
    item.
    """

    def __init__(self, joined: Joined, folder: Path, *, digests: Sequence[str]) -> None:
        read = partial(read_column, folder)
        self.joined, self.digests, self.folder = joined, digests, folder
        self.texts: TextColumn = joined.texts
        self.item_ids: TextColumn = joined.item_ids
        self.item_I: Rows = read("item")
        self.first_T: Rows = read("first")
        self.query_N: Rows = read("pair_query")
        self.passage_N: Rows = read("pair_passage")
        self.pair_item_N: Rows = read("pair_item")
        self.groups = ContentGroups(
            read("group"), form_T=read("form"), answers_A=read("answers"), groups=groups_of(joined)
        )
        self.negative_texts: Rows = np.empty(0, np.int32)
        self.negative_start_N: NDArray[np.int64] = np.broadcast_to(
            np.int64(0), len(self.query_N) + 1
        )
        if joined.negatives:
            self.negative_texts = read("negative_text")
            self.negative_start_N = read("negative_start")
        size_Y = read("language_pair_size")
        ends_Y = np.cumsum(size_Y)
        pairs = map(LanguagePair._make, product(joined.languages, repeat=2))
        self.rows_of: dict[LanguagePair, range] = {
            pair: range(int(end - size), int(end))
            for pair, size, end in zip(pairs, size_Y, ends_Y, strict=True)
            if size
        }


def keep_columns(sources: Sequence[Source], folder: Path, *, expand_pairs: bool) -> Columns:
    """The columns of all sources, each source read once and never again while it stays the same.

    Raises InputError for bad data, and where the disk has no room for them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / _digest(one.digest, expand_pairs) for one in sources]
    missing = [one for one, path in zip(sources, paths, strict=True) if not path.exists()]
    require_space(folder, 2 * sum(one.size for one in missing), _named(missing))
    shards = [
        keep_folder(
            path,
            read=partial(Shard.read, source=one.name, group=one.group),
            write=partial(_write, one, expand_pairs=expand_pairs),
        )
        for one, path in zip(sources, paths, strict=True)
    ]
    joined = Joined(shards)
    digests = [path.name for path in paths]
    groups = [one.group for one in sources]
    return keep_folder(
        folder / _digest("index", *digests, *groups),
        read=partial(Columns, joined, digests=digests),
        write=partial(write_index, joined),
    )


def _write(source: Source, folder: Path, *, expand_pairs: bool) -> None:
    log.info("reading %s into columns", source.name)
    write_shard(source.read(), folder, expand_pairs=expand_pairs)


def _named(sources: Sequence[Source]) -> str:
    names = ", ".join(one.name for one in sources[:3])
    more = f" and {len(sources) - 3} more" if len(sources) > 3 else ""
    size = sum(one.size for one in sources)
    return f"the columns of {names}{more} ({size / 2**30:,.1f} GiB of text, twice over)"


def _digest(*parts: object) -> str:
    return blake2b(repr(parts).encode(), digest_size=16).hexdigest()
