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
"""Its presence in an encoder's folder says that the checkpoints beside it hold adapters."""


def with_lora(model: nn.Module, lora: Mapping[str, Any]) -> Any:
    """Adds adapters and freezes all other weights; the output is the same until they are trained.

    `targets` are suffixes of the names of linear layers, or `all-linear`. Draws from torch's global
    random state. Raises InputError for keys or values that peft does not take.
    """
    from peft import LoraConfig, get_peft_model  # noqa: PLC0415 - only where LoRA is used

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


def merge_lora(model: nn.Module) -> Any:
    """Returns a copy without adapters, their updates added to its weights."""
    return deepcopy(model).merge_and_unload()  # type: ignore[operator]


def saved_lora(folder: Path) -> dict[str, Any] | None:
    """Returns the LoRA settings of the encoder saved in `folder`, None if it has no adapters."""
    path = folder / FILE
    return read_object(path) if path.is_file() else None
