"""Finds the fastest device and number format of this machine."""

import torch


def fastest_precision() -> str:
    """Returns Lightning's name: bf16 autocast where the hardware multiplies in bf16, else float32
    (float16 autocast on older GPUs)."""
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"
    in_hardware = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return "bf16-mixed" if in_hardware else "32-true"


def precision_of(named: str) -> str:
    """Resolves `auto`, which a configuration keeps: it may run on another machine."""
    return fastest_precision() if named == "auto" else named


def fastest_device(accelerator: str) -> torch.device:
    """Returns a GPU where there is one, unless Lightning's accelerator is `cpu`."""
    return torch.device("cuda" if torch.cuda.is_available() and accelerator != "cpu" else "cpu")
