"""Which device and number format are fastest here."""

import torch


def fastest_precision() -> str:
    """Lightning's name for it: bf16 autocast where the hardware multiplies in bf16."""
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"
    in_hardware = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return "bf16-mixed" if in_hardware else "32-true"


def precision_of(named: str) -> str:
    """`auto` stays so in a configuration, which may be planned here and run elsewhere."""
    return fastest_precision() if named == "auto" else named


def fastest_device(accelerator: str) -> torch.device:
    """A GPU where there is one, unless Lightning is told to use the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() and accelerator != "cpu" else "cpu")
