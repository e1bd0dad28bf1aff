"""Gradient caching: a large batch in the memory of a micro-batch, with the same gradient."""

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from lingmix.data.tokens import Tokens
from lingmix.model.encoder import Encoder
from lingmix.model.micro_batches import longest_first, micro_batches


def embed(encoder: Encoder, tokens: Tokens, *, micro_batch_tokens: int | None) -> Tensor:
    """Embeds all texts at once where `micro_batch_tokens` is None or no fewer than their tokens.

    Else in micro-batches, all but one without a graph: when the loss has given the gradient of the
    embeddings, each is embedded again and adds to the weights' gradients; dropout draws the same
    numbers again. Works with `backward`, not with `torch.autograd.grad`. Source: arXiv 2101.06983.
    """
    if micro_batch_tokens is None or len(tokens.ids_T) <= micro_batch_tokens:
        return encoder(tokens)
    ordered, position_B = longest_first(tokens)
    with_graph, *without_graph = micro_batches(ordered, budget=micro_batch_tokens)
    anchor = torch.zeros((), device=tokens.ids_T.device, requires_grad=True)
    embedded = [
        checkpoint(_embedded, encoder, part, anchor, use_reentrant=True) for part in without_graph
    ]
    embedded.insert(0, encoder(with_graph))  # computed last, so that the backward frees it first
    return torch.cat(embedded)[position_B]


def _embedded(encoder: Encoder, part: Tokens, anchor: Tensor) -> Tensor:
    """`anchor` requires a gradient, without which autograd would not call the checkpoint again."""
    return encoder(part)
