"""How texts of many lengths are cut, longest first, into parts that a device takes at once."""

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from lingmix.data.tokens import Tokens

BUDGET = {"cpu": 4096, "cuda": 65536}
"""Tokens at once, by device: bounds the memory of one call."""


def of_device(by_device: dict[str, int], device: torch.device) -> int:
    return by_device.get(device.type, by_device["cuda"])


def longest_first(tokens: Tokens) -> tuple[Tokens, Tensor]:
    """And the place of each text among them."""
    ids_T, lengths_B = tokens
    order_B = lengths_B.argsort(descending=True, stable=True)
    starts_B = lengths_B.cumsum(0) - lengths_B
    sorted_B = lengths_B[order_B]
    shift_B = starts_B[order_B] - (sorted_B.cumsum(0) - sorted_B)
    where_T = torch.arange(len(ids_T), device=ids_T.device) + shift_B.repeat_interleave(sorted_B)
    return Tokens(ids_T[where_T], sorted_B), order_B.argsort()


def split(tokens: Tokens, sizes: list[int]) -> Iterator[Tokens]:
    """Into parts of so many texts."""
    texts = tokens.lengths_B.split(sizes)
    ids = tokens.ids_T.split([int(lengths_C.sum()) for lengths_C in texts])
    return map(Tokens, ids, texts)


def micro_batches(tokens: Tokens, *, budget: int) -> Iterator[Tokens]:
    """In their order, each of up to `budget` tokens."""
    return split(tokens, list(micro_batch_sizes(tokens.lengths_B.tolist(), budget=budget)))


def micro_batch_sizes(lengths: Iterable[int], *, budget: int) -> Iterator[int]:
    """Texts a micro-batch: as many as `budget` tokens hold, and one at least."""
    size = held = 0
    for length in lengths:
        if size and held + length > budget:
            yield size
            size = held = 0
        size += 1
        held += length
    yield size


def chunk_sizes(descending: Sequence[int], *, waste: int, budget: int) -> Iterator[int]:
    """Texts a chunk in which each is padded to the first, the longest.

    A chunk ends where its padding would exceed `waste`, or all of it `budget`.
    """
    size = padding = longest = 0
    for length in descending:
        padding += longest - length
        if size and (padding > waste or (size + 1) * longest > budget):
            yield size
            size = padding = 0
        if not size:
            longest, padding = length, 0
        size += 1
    yield size
