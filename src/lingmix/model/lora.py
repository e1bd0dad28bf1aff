"""Training a few small matrices beside frozen weights (LoRA, arXiv 2106.09685), through peft."""

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from torch import nn

from lingmix.errors import InputError
from lingmix.model.layout import read_object

LORA_KEYS = {"rank", "alpha", "dropout", "targets"}
"""What `encoder.lora` must say."""

FILE = "lora.json"
"""Kept in the folder of an encoder whose checkpoints hold adapters."""


def with_lora(model: nn.Module, lora: Mapping[str, Any]) -> Any:
    """Computes what `model` does until its adapters are trained; all else of it is frozen.

    `targets` are the ends of the names of linear layers, or `all-linear`. Draws from torch's global
    state.
    """
    from peft import LoraConfig, get_peft_model  # noqa: PLC0415 - for those alone who use it

    if set(lora) != LORA_KEYS:
        raise InputError(
            f"encoder.lora: must say {', '.join(sorted(LORA_KEYS))}, got "
            f"{', '.join(sorted(lora)) or 'nothing'}"
        )
    try:
        config = LoraConfig(
            r=lora["rank"],
            lora_alpha=lora["alpha"],
            lora_dropout=lora["dropout"],
            target_modules=lora["targets"],
        )
        return get_peft_model(model, config)
    except (ValueError, TypeError) as error:
        raise InputError(f"encoder.lora: {' '.join(str(error).split())[:300]}") from error


def merged(model: nn.Module) -> Any:
    """A copy without adapters, its weights moved by what they learned."""
    return deepcopy(model).merge_and_unload()  # type: ignore[operator]


def kept_lora(folder: Path) -> dict[str, Any] | None:
    """How the encoder was trained of which `folder` is the form."""
    path = folder / FILE
    return read_object(path) if path.is_file() else None
