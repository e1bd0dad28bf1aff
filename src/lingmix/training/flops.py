"""FLOPs and tokens that training on a batch takes, and the peak of the device."""

from collections.abc import Iterable, Iterator, Sequence

import torch
from lightning_fabric.utilities.throughput import get_available_flops
from torch import nn

from lingmix.model.folder import Embedder
from lingmix.model.micro_batches import micro_batch_sizes
from lingmix.model.packed import rounded_up
from lingmix.model.transformer import Transformer, padded_sizes

DTYPES = {
    "32-true": torch.float32,
    "bf16-mixed": torch.bfloat16,
    "bf16-true": torch.bfloat16,
    "16-mixed": torch.float16,
    "16-true": torch.float16,
}
"""The type that matrices are multiplied in, by Lightning's name of the precision."""

HALF_PEAKS = {"H100 NVL": 835.5e12, "H200 NVL": 835.5e12, "H200": 989.5e12}
"""FLOPs a second of dense products in 16 bits, where Lightning 2.6 has the peak of sparse products
or none (Lightning's issue 21677)."""


def computed_tokens(
    embedder: Embedder,
    lengths: Sequence[int],
    *,
    device: torch.device,
    micro_batch_tokens: int | None,
) -> int:
    """Counts the tokens of a batch, each once, including padding that the linear layers of a
    transformer compute; padding within attention does not count."""
    if not isinstance(embedder, Transformer):
        return sum(lengths)
    descending = sorted(lengths, reverse=True)
    whole = micro_batch_tokens is None or sum(lengths) <= micro_batch_tokens
    parts = (
        [len(lengths)] if whole else micro_batch_sizes(descending, budget=micro_batch_tokens or 0)
    )
    if embedder.packs:
        return sum(rounded_up(sum(part), device=device) for part in _cut(descending, parts))
    return sum(
        len(chunk) * chunk[0]
        for part in _cut(descending, parts)
        for chunk in _cut(part, padded_sizes(part, device=device))
    )


def training_flops(embedder: Embedder, lengths: Sequence[int]) -> float:
    """Counts a transformer's forward and backward, without padding and recomputation: 6 FLOPs a
    token and weight (4 where it is frozen), and in attention 12 a layer, dimension and pair of
    tokens. 0 for other embedders.
    """
    if not isinstance(embedder, Transformer):
        return 0.0
    weights = [
        weight
        for module in embedder.modules()
        if not isinstance(module, nn.Embedding)
        for weight in module.parameters(recurse=False)
    ]
    per_token = sum(weight.numel() * (6 if weight.requires_grad else 4) for weight in weights)
    config = embedder.model.config
    per_token_pair = 12 * config.num_hidden_layers * config.hidden_size
    return per_token * sum(lengths) + per_token_pair * sum(length**2 for length in lengths)


def peak_flops(device: torch.device, precision: str) -> float | None:
    """FLOPs a second in dense matrix products; None on a CPU and on an unknown device."""
    dtype = DTYPES.get(precision)
    if device.type != "cuda" or dtype is None:
        return None
    name = torch.cuda.get_device_name(device)
    for part, peak in HALF_PEAKS.items():
        if part in name:
            return None if dtype == torch.float32 else peak
    return get_available_flops(device, dtype)


def _cut(descending: Sequence[int], sizes: Iterable[int]) -> Iterator[Sequence[int]]:
    start = 0
    for size in sizes:
        yield descending[start : start + size]
        start += size
