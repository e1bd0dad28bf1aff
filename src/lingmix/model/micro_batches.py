"""Cuts texts of many lengths, longest first, into parts that a device takes at once."""

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from lingmix.data.tokens import Tokens

BUDGET = {"cpu": 4096, "cuda": 65536}
"""Tokens at once, by device: bounds the memory of one call."""


def for_device(by_device: dict[str, int], device: torch.device) -> int:
    """Returns the value of the device's type; a type that is not listed counts as a GPU."""
    return by_device.get(device.type, by_device["cuda"])


def longest_first(tokens: Tokens) -> tuple[Tokens, Tensor]:
    """Sorts texts by length, longest first; also returns each text's new position.

    Three texts a, bbb, cc, whose tokens are numbered from 0:

        ids_T      a b b b c c      lengths_B   1 3 2    starts_B     0 1 4
        order_B    1 2 0            sorted_B    3 2 1    new starts   0 3 5
        shift_B    1 1 -5           old start less new start, of bbb, cc, a
        from_T     1 2 3 4 5 0      the old position of each token of b b b c c a
        returned   2 0 1            a is now third, bbb first, cc second
    """
    ids_T, lengths_B = tokens
    order_B = lengths_B.argsort(descending=True, stable=True)
    starts_B = lengths_B.cumsum(0) - lengths_B
    sorted_B = lengths_B[order_B]
    shift_B = starts_B[order_B] - (sorted_B.cumsum(0) - sorted_B)
    from_T = torch.arange(len(ids_T), device=ids_T.device) + shift_B.repeat_interleave(sorted_B)
    return Tokens(ids_T[from_T], sorted_B), order_B.argsort()


def split(tokens: Tokens, sizes: list[int]) -> Iterator[Tokens]:
    """Yields parts of consecutive texts; `sizes` are the number of texts of each."""
    texts = tokens.lengths_B.split(sizes)
    ids = tokens.ids_T.split([int(lengths_C.sum()) for lengths_C in texts])
    return map(Tokens, ids, texts)


def micro_batches(tokens: Tokens, *, budget: int) -> Iterator[Tokens]:
    """Yields parts of consecutive texts, each as long as `budget` tokens allow."""
    return split(tokens, list(micro_batch_sizes(tokens.lengths_B.tolist(), budget=budget)))


def micro_batch_sizes(lengths: Iterable[int], *, budget: int) -> Iterator[int]:
    """Yields the number of texts of each micro-batch, which exceeds `budget` tokens only where one
    text does: lengths 5 3 2 2 with a budget of 6 are 5 | 3 2 | 2, sizes 1 2 1."""
    size = count = 0
    for length in lengths:
        if size and count + length > budget:
            yield size
            size = count = 0
        size += 1
        count += length
    yield size


def chunk_sizes(descending: Sequence[int], *, waste: int, budget: int) -> Iterator[int]:
    """Yields the number of texts of each chunk, in which all are padded to the first, the longest.

    A chunk ends where its padding would exceed `waste` tokens, or its padded size `budget`: lengths
    5 4 2 1 with a waste of 3 are 5 4 | 2 1, with paddings 1 and 1; 2 beside 5 4 would make it 4.
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
