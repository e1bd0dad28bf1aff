"""What is worked out once of all sources together, and kept beside their columns.

Which rows are of one item, which texts are equal, which say the same, and the pairs in order of
their language pair. Arrays of the rows of texts, of pairs or of items take 4 bytes a row, and few
of them are in memory at once; what is larger is read a chunk at a time.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lingmix.data.columns.grouping import write_groups
from lingmix.data.columns.joined import Joined
from lingmix.data.columns.numbering import Rows, first_of_equal, mixed
from lingmix.data.columns.shard import QUERY
from lingmix.errors import InputError


def write_index(joined: Joined, folder: Path) -> None:
    """Raises InputError where rows of one item contradict each other."""
    item_I = item_numbers(joined)
    write_column(folder, "item", item_I)
    first_T = first_of_equal(
        lambda: (
            mixed(mixed(key, language), role == QUERY)
            for _, key, language, role in joined.columns("texts", "key", "language", "role")
        ),
        joined.count("texts"),
    )
    write_column(folder, "first", first_T)
    _write_pairs(joined, folder, item_I=item_I, first_T=first_T)
    for name, values in write_groups(joined, item_I=item_I, first_T=first_T):
        write_column(folder, name, values)


def write_column(folder: Path, name: str, values: NDArray[Any]) -> None:
    column = pa.array(values)
    schema = pa.schema({name: column.type})
    with (
        pa.OSFile(str(folder / f"{name}.arrow"), "wb") as file,
        pa.ipc.new_file(file, schema) as writer,
    ):
        writer.write_batch(pa.record_batch([column], schema=schema))


def read_column(folder: Path, name: str) -> NDArray[Any]:
    """Mapped. Raises OSError or ValueError where the file is missing or not whole."""
    with pa.memory_map(str(folder / f"{name}.arrow")) as file:
        return pa.ipc.open_file(file).get_batch(0).column(0).to_numpy()


def item_numbers(joined: Joined) -> Rows:
    """For each row of an item the first of the same item: of the same id and source."""
    item_I = first_of_equal(lambda: joined.column("items", "key"), joined.count("items"))
    domain_I = np.concatenate([np.empty(0, np.uint16), *joined.column("items", "domain")])
    whole_I = np.concatenate([np.empty(0, np.bool_), *joined.column("items", "whole")])
    repeats_I = item_I != np.arange(len(item_I), dtype=np.int32)
    for row in np.flatnonzero(repeats_I & (whole_I | whole_I[item_I]))[:1]:
        raise InputError(
            f"{joined.source_of(row)}: id {joined.item_ids[int(row)]!r} is that of two items; ids "
            "are unique"
        )
    for row in np.flatnonzero(domain_I != domain_I[item_I])[:1]:
        domains = (joined.domains[domain_I[place]] for place in (item_I[row], row))
        raise InputError(
            f"{joined.source_of(row)}: source_id {joined.item_ids[int(row)]!r} is of domain "
            f"{' and of domain '.join(map(repr, domains))}; an item has one domain"
        )
    return item_I


def _write_pairs(joined: Joined, folder: Path, *, item_I: Rows, first_T: Rows) -> None:
    """In order of their language pairs, which are numbered query language first."""
    languages = len(joined.languages)

    def language_pairs() -> Iterator[tuple[int, NDArray[np.int64]]]:
        for begin, asked, given in joined.columns("pairs", "query_language", "passage_language"):
            yield begin, asked.astype(np.int64) * languages + given

    size_Y = sum(
        (np.bincount(chunk, minlength=languages**2) for _, chunk in language_pairs()),
        start=np.zeros(languages**2, dtype=np.int64),
    )
    write_column(folder, "language_pair_size", size_Y)
    place_N = np.empty(joined.count("pairs"), np.int32)
    next_Y = np.cumsum(size_Y) - size_Y
    for begin, chunk in language_pairs():
        order = np.argsort(chunk, kind="stable")
        counts_Y = np.bincount(chunk, minlength=languages**2)
        ahead = np.arange(len(chunk)) - np.repeat(np.cumsum(counts_Y) - counts_Y, counts_Y)
        place_N[begin + order] = next_Y[chunk[order]] + ahead
        next_Y += counts_Y
    for name, number_of in (("query", first_T), ("passage", first_T), ("item", item_I)):
        values_N = np.empty(len(place_N), np.int32)
        for begin, chunk in joined.columns("pairs", name):
            values_N[place_N[begin : begin + len(chunk)]] = number_of[chunk]
        write_column(folder, f"pair_{name}", values_N)
    if joined.negatives:
        _write_negatives(joined, folder, place_N=place_N, first_T=first_T)


def _write_negatives(joined: Joined, folder: Path, *, place_N: Rows, first_T: Rows) -> None:
    count_N = np.empty(len(place_N), np.int64)
    for begin, counts, _ in joined.given_negatives():
        count_N[place_N[begin : begin + len(counts)]] = counts
    start_N = np.cumsum(np.append(0, count_N))
    texts = np.empty(joined.negatives, np.int32)
    for begin, counts, rows in joined.given_negatives():
        starts = start_N[place_N[begin : begin + len(counts)]]
        within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        texts[np.repeat(starts, counts) + within] = first_T[rows]
    write_column(folder, "negative_start", start_N)
    write_column(folder, "negative_text", texts)
