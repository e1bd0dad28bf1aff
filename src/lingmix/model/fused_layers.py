"""Layers of BERT's form whose queries, keys and values come of one matrix product."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from lingmix.model.eager_attention import attend_eagerly


def fuse_layers(model: nn.Module) -> None:
    """Of packed texts only, and where attention is eager; the layers keep their weights' names and
    all else that they do. Models of another form are left as they are."""
    for layer in getattr(getattr(model, "encoder", None), "layer", ()):
        if hasattr(getattr(layer, "attention", None), "self"):
            layer.forward = partial(_forward, layer)  # a method would be pickled by its name


def _forward(layer: Any, hidden_1TD: Tensor, *rest: Any, **options: Any) -> Any:
    packing = options.get("packing")
    attention = layer.attention.self
    projections = [getattr(attention, name, None) for name in ("query", "key", "value")]
    if packing is None or packing.slots is None or {*map(type, projections)} != {nn.Linear}:
        return type(layer).forward(layer, hidden_1TD, *rest, **options)  # adapters, other kernels
    weight = torch.cat([one.weight for one in projections])  # type: ignore[union-attr]
    bias = torch.cat([one.bias for one in projections])  # type: ignore[union-attr]
    states = functional.linear(hidden_1TD[0], weight, bias)
    mixed_THF = attend_eagerly(
        states.view(len(states), 3, attention.num_attention_heads, -1),
        packing.slots,
        scaling=attention.scaling,
        dropout=attention.dropout.p if layer.training else 0.0,
    )
    attended_1TD = layer.attention.output(mixed_THF.flatten(1)[None], hidden_1TD)
    return layer.feed_forward_chunk(attended_1TD)
