"""The matrix products of a training's steps alone: what a step could not do without.

Those of every linear layer, forward, and backward for its input and its weight; and of attention,
for the groups that the packed texts of a batch make: scores and mixtures, forward and backward. In
bf16, on weights of their own for each layer; sums, norms, casts and all else are left out.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from benchmarks.harness.training import Steps, Work
from lingmix.data.datamodule import HybridDataModule
from lingmix.model.eager_attention import group_sizes, padded_length
from lingmix.model.encoder import Encoder
from lingmix.model.packed import rounded_up
from lingmix.model.transformer import Transformer

CPU = torch.device("cpu")


def steps_of_products(encoder: Encoder, work: Work) -> Steps:
    """When the products of each step ended, which follow each other without a break."""
    embedder = encoder.embedder
    assert isinstance(embedder, Transformer)
    weights = [
        layer.weight.detach().bfloat16()
        for layer in embedder.model.modules()
        if isinstance(layer, nn.Linear)
    ]
    config = embedder.model.config
    width = config.hidden_size // config.num_attention_heads
    steps = Steps()
    for lengths in [*_lengths(encoder, work)]:
        _linear(weights, rounded_up(sum(lengths), device=CPU))
        for size, longest in _groups(lengths):
            shape = (size, config.num_attention_heads, longest)
            _attention(shape, width, layers=config.num_hidden_layers)
        steps.end()
    return steps


def _lengths(encoder: Encoder, work: Work) -> Iterator[list[int]]:
    """Of the texts of each step, longest first."""
    datamodule = HybridDataModule(
        pairs=work.pairs,
        schedule=work.schedule,
        negatives=0,
        seed=work.config["seed"],
        tokenize=encoder.tokenize,
        tokenizer=encoder.tokenizer_fingerprint,
        cache=work.pairs.columns.folder / "tokens",
        max_steps=work.steps,
        development=None,
    )
    for step in range(work.steps):
        batch = datamodule.batches[step]
        both = [side.tokens.lengths_B for side in (batch.queries, batch.passages)]
        yield torch.cat(both).sort(descending=True).values.tolist()


def _groups(lengths: list[int]) -> Iterator[tuple[int, int]]:
    begin = 0
    for size in group_sizes(lengths, device=CPU):
        yield size, padded_length(lengths[begin])
        begin += size


def _linear(weights: list[Tensor], tokens: int) -> None:
    sizes = {size for weight in weights for size in weight.shape}
    states = {size: torch.full((tokens, size), 0.5, dtype=torch.bfloat16) for size in sizes}
    for weight_OI in weights:
        outputs, inputs = weight_OI.shape
        _ = states[inputs] @ weight_OI.T
        _ = states[outputs] @ weight_OI
        _ = states[outputs].T @ states[inputs]


def _attention(shape: tuple[int, int, int], width: int, *, layers: int) -> None:
    """Query, key and value are alike, and so are scores, weights and their gradients."""
    states_CHLF = torch.full((*shape, width), 0.5, dtype=torch.bfloat16)
    scores_CHLL = torch.full((*shape, shape[-1]), 0.5, dtype=torch.bfloat16)
    for _ in range(layers):
        for _ in range(2):  # scores; the gradient of the weights
            _ = states_CHLF @ states_CHLF.transpose(2, 3)
        for _ in range(2):  # mixtures; the gradient of the query
            _ = scores_CHLL @ states_CHLF
        for _ in range(2):  # the gradients of the key and of the value
            _ = scores_CHLL.transpose(2, 3) @ states_CHLF
