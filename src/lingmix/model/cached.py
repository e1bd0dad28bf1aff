"""Gradient caching: a large batch in the memory of a micro-batch, with the same gradient."""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from lingmix.data.tokens import Tokens
from lingmix.model.encoder import Encoder


def embed(encoder: Encoder, tokens: Tokens, *, micro_batch_tokens: int | None) -> Tensor:
    """All texts at once where they hold no more than `micro_batch_tokens`, or that is None.

    Else in micro-batches whose activations are dropped and, once the loss has given the gradient of
    the embeddings, made again one micro-batch at a time; dropout draws the same numbers again.
    Source: arXiv 2101.06983.
    """
    if micro_batch_tokens is None or len(tokens.ids_T) <= micro_batch_tokens:
        return encoder(tokens)
    order_B = tokens.lengths_B.argsort(descending=True, stable=True)
    parts = _micro_batches(_reordered(tokens, order_B), micro_batch_tokens)
    embedded = [checkpoint(encoder, part, use_reentrant=False) for part in parts]
    return torch.cat(embedded)[order_B.argsort()]


def _reordered(tokens: Tokens, order_B: Tensor) -> Tokens:
    ids_T, lengths_B = tokens
    starts_B = lengths_B.cumsum(0) - lengths_B
    sorted_B = lengths_B[order_B]
    shift_B = starts_B[order_B] - (sorted_B.cumsum(0) - sorted_B)
    where_T = torch.arange(len(ids_T), device=ids_T.device) + shift_B.repeat_interleave(sorted_B)
    return Tokens(ids_T[where_T], sorted_B)


def _micro_batches(tokens: Tokens, budget: int) -> Iterator[Tokens]:
    lengths = tokens.lengths_B.tolist()
    sizes = list(micro_batch_sizes(lengths, budget=budget))
    texts = tokens.lengths_B.split(sizes)
    ids = tokens.ids_T.split([int(lengths_C.sum()) for lengths_C in texts])
    return map(Tokens, ids, texts)


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
