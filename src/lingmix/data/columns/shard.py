"""The columns of one source of training data, streamed to disk as it is read.

Three Arrow files: a row a text of an item, a row a pair, a row an item. Pairs name texts by their
row, and both name items by theirs. An item that stands in several places has a row for each; the
index joins them. No more than a batch of rows is in memory.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain, product
from pathlib import Path
from typing import Any, NamedTuple, Self

import pyarrow as pa

from lingmix.data.items import Item, LanguagePair, Pair
from lingmix.data.sources.pair_rows import item_of_pairs
from lingmix.data.text import folded, loosened

ROWS = 2**16
"""Of a batch; of a table's batches all but a shard's last have as many."""

ROLES = ("queries", "passages", "negatives")
QUERY, PASSAGE, _ = range(len(ROLES))

SCHEMAS = {
    "texts": pa.schema(
        {
            "text": pa.large_string(),
            "key": pa.uint64(),
            "form": pa.uint64(),
            "loose_form": pa.uint64(),
            "role": pa.uint8(),
            "language": pa.uint16(),
            "item": pa.int32(),
        }
    ),
    "pairs": pa.schema(
        {
            "query": pa.int32(),
            "passage": pa.int32(),
            "query_language": pa.uint16(),
            "passage_language": pa.uint16(),
            "item": pa.int32(),
            "negatives": pa.list_(pa.int32()),
        }
    ),
    "items": pa.schema(
        {"id": pa.large_string(), "key": pa.uint64(), "domain": pa.uint16(), "whole": pa.bool_()}
    ),
}
"""`key`, `form` and `loose_form` are hashes of the text, of it `folded` and `loosely_folded`."""

NAMES = "names.json"


class Names(NamedTuple):
    """What the codes of a shard stand for, its rows by table, and its pairs' given negatives."""

    languages: list[str]
    domains: list[str]
    rows: dict[str, int]
    negatives: int


@dataclass(frozen=True)
class Shard:
    """The columns in `folder`. Shards of one `group` are parts of one source, which share ids;
    `source` names this part for the user."""

    folder: Path
    source: str
    group: int
    names: Names

    @classmethod
    def read(cls, folder: Path, *, source: str, group: int) -> Self:
        """Raises OSError or ValueError where a file is missing or not whole."""
        names = Names(**json.loads((folder / NAMES).read_text("utf-8")))
        for table in SCHEMAS:
            with pa.OSFile(str(folder / f"{table}.arrow")) as file:
                pa.ipc.open_file(file)
        return cls(folder, source, group, names)

    def batches(
        self, table: str, *columns: str, part: slice = slice(None)
    ) -> Iterator[pa.RecordBatch]:
        """Read one after the other, not mapped: what was read takes no memory."""
        schema = SCHEMAS[table]
        wanted = pa.ipc.IpcReadOptions(included_fields=sorted(map(schema.get_field_index, columns)))
        with pa.OSFile(str(self.folder / f"{table}.arrow")) as file:
            reader = pa.ipc.open_file(file, options=wanted)
            for number in range(reader.num_record_batches)[part]:
                yield reader.get_batch(number).select(list(columns))

    def mapped(self, table: str) -> pa.Table:
        return pa.ipc.open_file(pa.memory_map(str(self.folder / f"{table}.arrow"))).read_all()


def hash_of(text: str) -> int:
    """The first 8 of 16 bytes. Of 100 million texts two that differ are taken for equal with a
    probability of 0.0003."""
    return int.from_bytes(blake2b(text.encode(), digest_size=16).digest()[:8])


def write_shard(items: Iterable[Item], folder: Path, *, expand_pairs: bool) -> None:
    """Writes the columns of `items`, with the pairs they list, or with `expand_pairs` every
    combination of their texts."""
    languages, domains, negatives = _Codes(), _Codes(), 0
    with ExitStack() as opened:
        texts, pairs, of_items = (
            opened.enter_context(_Table(folder / f"{name}.arrow", schema))
            for name, schema in SCHEMAS.items()
        )
        for number, item in enumerate(whole_items(items) if expand_pairs else items):
            of_items.add((item.id, hash_of(item.id), domains[item.domain], item.listed is None))
            rows = _Rows(texts, languages, number)
            rows.add_all(item)
            for pair in _pairs_of(item, expand=expand_pairs):
                asked, given = pair.languages
                wrong = [rows["negatives", given, text] for text in pair.negatives]
                pairs.add(
                    (
                        rows["queries", asked, pair.query],
                        rows["passages", given, pair.passage],
                        languages[asked],
                        languages[given],
                        number,
                        wrong,
                    )
                )
                negatives += len(wrong)
        counts = {"texts": texts.count, "pairs": pairs.count, "items": of_items.count}
    names = Names([*languages], [*domains], counts, negatives)
    (folder / NAMES).write_text(json.dumps(names._asdict()), "utf-8")


class _Codes(dict[str, int]):
    """Numbers names in the order they are first seen."""

    def __missing__(self, name: str) -> int:
        code = self[name] = len(self)
        return code


class _Table:
    """Rows on their way to an Arrow file, a batch at a time."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path, self._schema = path, schema
        self._rows: list[Sequence[Any]] = []
        self.count = 0

    def __enter__(self) -> Self:
        self._file = pa.OSFile(str(self._path), "wb")
        self._writer = pa.ipc.new_file(self._file, self._schema)
        return self

    def add(self, row: Sequence[Any]) -> None:
        self._rows.append(row)
        self.count += 1
        if len(self._rows) == ROWS:
            self._write()

    def _write(self) -> None:
        columns = [
            pa.array(column, kind)
            for column, kind in zip(zip(*self._rows, strict=True), self._schema.types, strict=True)
        ]
        self._writer.write_batch(pa.record_batch(columns, schema=self._schema))
        self._rows.clear()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._file:
            if kind is None:
                if self._rows:
                    self._write()
                self._writer.close()


class _Rows(dict[tuple[str, str, str], int]):
    """The rows of an item's texts, by role, language and text."""

    def __init__(self, texts: _Table, languages: _Codes, item: int) -> None:
        super().__init__()
        self._texts, self._languages, self._item = texts, languages, item

    def add_all(self, item: Item) -> None:
        for role in ROLES:
            for language, texts in getattr(item, role).items():
                for text in texts:
                    self[role, language, text]

    def __missing__(self, place: tuple[str, str, str]) -> int:
        role, language, text = place
        form = folded(text)
        row = self[place] = self._texts.count
        self._texts.add(
            (
                text,
                hash_of(text),
                hash_of(form or text),
                hash_of(loosened(form)),
                ROLES.index(role),
                self._languages[language],
                self._item,
            )
        )
        return row


def whole_items(items: Iterable[Item]) -> Iterator[Item]:
    """Items with all of their listed pairs, wherever these stand: to be combined, they are held in
    memory."""
    listed: dict[tuple[str, str], list[Item]] = {}
    for item in items:
        if item.listed is None:
            yield item
        else:
            listed.setdefault((item.id, item.domain), []).append(item)
    for (id, domain), parts in listed.items():
        yield (
            parts[0]
            if len(parts) == 1
            else item_of_pairs(
                id=id,
                domain=domain,
                listed=[*chain.from_iterable(part.listed or () for part in parts)],
            )
        )


def _pairs_of(item: Item, *, expand: bool) -> Iterator[Pair]:
    if item.listed is not None and not expand:
        yield from item.listed
        return
    for (query_language, queries), (passage_language, passages) in product(
        item.queries.items(), item.passages.items()
    ):
        languages = LanguagePair(query_language, passage_language)
        negatives = item.negatives.get(passage_language, ())
        for query, passage in product(queries, passages):
            if item.listed is None or query not in passage:
                yield Pair(query, passage, languages, tuple(negatives))
