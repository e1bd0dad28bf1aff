"""Gradient caching: a large batch in the memory of a micro-batch, with the same gradient."""

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from lingmix.data.tokens import Tokens
from lingmix.model.encoder import Encoder
from lingmix.model.micro_batches import longest_first, micro_batches


def embed(encoder: Encoder, tokens: Tokens, *, micro_batch_tokens: int | None) -> Tensor:
    """All texts at once where they hold no more than `micro_batch_tokens`, or that is None.

    Else in micro-batches, all but one without a graph: once the loss has given the gradient of the
    embeddings, they are embedded again, one at a time, each adding to the weights' gradients;
    dropout draws the same numbers again. Works with `backward`, not with `torch.autograd.grad`.
    Source: arXiv 2101.06983.
    """
    if micro_batch_tokens is None or len(tokens.ids_T) <= micro_batch_tokens:
        return encoder(tokens)
    ordered, place_B = longest_first(tokens)
    kept, *dropped = micro_batches(ordered, budget=micro_batch_tokens)
    anchor = torch.zeros((), device=tokens.ids_T.device, requires_grad=True)
    embedded = [
        checkpoint(_embedded, encoder, part, anchor, use_reentrant=True) for part in dropped
    ]
    embedded.insert(0, encoder(kept))  # last, so that the backward frees it first
    return torch.cat(embedded)[place_B]


def _embedded(encoder: Encoder, part: Tokens, anchor: Tensor) -> Tensor:
    """`anchor` has a gradient, by which autograd comes back here."""
    return encoder(part)
