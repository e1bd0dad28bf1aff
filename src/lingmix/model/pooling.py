"""From token states to a text's vector, and what a sentence-transformers folder puts after it."""

import json
from pathlib import Path
from typing import Literal, get_args

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lingmix.errors import InputError

Pooling = Literal["mean", "cls"]
PoolingChoice = Literal["mean", "cls", "pooler"]
"""`pooler`: the first token's state through BERT's own pooler layer, as the first LaBSE did."""

POOLINGS: tuple[Pooling, ...] = get_args(Pooling)

ACTIVATIONS: tuple[type[nn.Module], ...] = (nn.Tanh, nn.Identity, nn.GELU, nn.ReLU, nn.SiLU)


def pool(hidden_BLD: Tensor, mask_BL: Tensor, pooling: Pooling) -> Tensor:
    """The first token's state, or the mean of all, summed in float32."""
    if pooling == "cls":
        return hidden_BLD[:, 0]
    mask_BL1 = mask_BL[..., None]
    sum_BD = (hidden_BLD * mask_BL1).sum(1, dtype=torch.float32)
    return sum_BD / mask_BL1.sum(1)


def pool_packed(hidden_TD: Tensor, lengths_B: Tensor, pooling: Pooling) -> Tensor:
    """The same of texts that lie end to end."""
    if pooling == "cls":
        return hidden_TD[lengths_B.cumsum(0) - lengths_B]
    return torch.segment_reduce(hidden_TD.float(), "mean", lengths=lengths_B, unsafe=True)


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
        config = json.loads((folder / "config.json").read_text())
        by_name = {activation.__name__: activation for activation in ACTIVATIONS}
        name = config.get("activation_function", "Tanh").rpartition(".")[2]
        if name not in by_name or config.get("use_residual"):
            raise InputError(
                f"{folder / 'config.json'}: a Dense layer must be without a residual and its "
                f"activation one of {', '.join(by_name)}, got {name}"
            )
        if not (folder / "model.safetensors").is_file():
            raise InputError(f"{folder}: has no model.safetensors; save the model as safetensors")
        state = load_file(folder / "model.safetensors")
        linear = nn.utils.skip_init(
            nn.Linear, config["in_features"], config["out_features"], bias=config.get("bias", True)
        )
        dense = cls(linear, by_name[name]())
        dense.load_state_dict(state)
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
