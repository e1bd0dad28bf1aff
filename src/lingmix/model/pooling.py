"""Pools token states to one vector a text; the Dense layers of sentence-transformers folders."""

import json
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lingmix.errors import InputError, require_int
from lingmix.model.layout import Pooling, read_object

PoolingChoice = Literal[Pooling, "pooler"]
"""`pooler` is the first token's state through BERT's pooler layer, as in the first LaBSE."""

ACTIVATIONS: tuple[type[nn.Module], ...] = (nn.Tanh, nn.Identity, nn.GELU, nn.ReLU, nn.SiLU)


def pool(hidden_TD: Tensor, lengths_B: Tensor, pooling: Pooling) -> Tensor:
    """Returns one vector a text, `pooled_BD`, from the states of packed texts. In float32, but for
    `cls` and `lasttoken`, which copy a state."""
    starts_B = lengths_B.cumsum(0) - lengths_B
    if pooling == "cls":
        return hidden_TD[starts_B]
    if pooling == "lasttoken":
        return hidden_TD[starts_B + lengths_B - 1]
    hidden_TD = hidden_TD.float()
    if pooling == "max":
        return torch.segment_reduce(hidden_TD, "max", lengths=lengths_B, unsafe=True)
    if pooling == "weightedmean":  # the n-th token counts n times
        weight_T = torch.arange(1, len(hidden_TD) + 1, device=hidden_TD.device)
        weight_T = weight_T - starts_B.repeat_interleave(lengths_B)
        mean_weight_B = (lengths_B + 1) / 2
        hidden_TD = hidden_TD * (weight_T / mean_weight_B.repeat_interleave(lengths_B))[:, None]
    mean_BD = torch.segment_reduce(hidden_TD, "mean", lengths=lengths_B, unsafe=True)
    return mean_BD * lengths_B.sqrt()[:, None] if pooling == "mean_sqrt_len_tokens" else mean_BD


class Dense(nn.Module):
    """A linear layer and its activation, as in LaBSE."""

    def __init__(self, linear: nn.Linear, activation: nn.Module) -> None:
        super().__init__()
        self.linear = linear
        self.activation = activation

    def forward(self, pooled_BD: Tensor) -> Tensor:
        return self.activation(self.linear(pooled_BD))

    @classmethod
    def load(cls, folder: Path) -> "Dense":
        """Raises InputError where the folder describes a layer that `forward` does not compute."""
        path = folder / "config.json"
        config = read_object(path)
        by_name = {activation.__name__: activation for activation in ACTIVATIONS}
        module, _, name = str(config.get("activation_function", "torch.Tanh")).rpartition(".")
        if not module.startswith("torch") or name not in by_name:
            raise InputError(
                f"{path}: activation_function must be one of torch's {', '.join(by_name)}, got "
                f"{config['activation_function']!r}"
            )
        for key, plain in (
            ("use_residual", False),
            ("module_input_name", "sentence_embedding"),
            ("module_output_name", "sentence_embedding"),
        ):
            if config.get(key) not in (None, plain):
                raise InputError(f"{path}: {key} must be {plain}, got {config[key]!r}")
        sizes = (config.get("in_features"), config.get("out_features"))
        for key, size in zip(("in_features", "out_features"), sizes, strict=True):
            require_int(f"{path}: {key}", size, at_least=1)
        linear = nn.utils.skip_init(nn.Linear, *sizes, bias=config.get("bias", True))
        dense = cls(linear, by_name[name]())
        try:
            dense.load_state_dict(load_file(folder / "model.safetensors"))
        except (OSError, RuntimeError, SafetensorError) as error:
            reason = " ".join(str(error).split())
            raise InputError(
                f"{folder}: its model.safetensors must hold the weights that its config.json "
                f"describes ({reason[:160]}); save the model as safetensors"
            ) from error
        return dense.float()

    def save(self, folder: Path) -> None:
        folder.mkdir()
        activation = type(self.activation)
        config = {
            "in_features": self.linear.in_features,
            "out_features": self.linear.out_features,
            "bias": self.linear.bias is not None,
            "activation_function": f"{activation.__module__}.{activation.__qualname__}",
        }
        (folder / "config.json").write_text(json.dumps(config, indent=2))
        save_file(self.state_dict(), folder / "model.safetensors", metadata={"format": "pt"})
