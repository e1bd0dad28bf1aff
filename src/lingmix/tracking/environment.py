"""The machine and the installed packages of a run."""

import platform
from collections import Counter
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import psutil
import torch

GIB = 2**30


def environment() -> dict[str, Any]:
    """Return the machine and package versions; no environment variables, which may be secrets."""
    packages = {package.metadata["Name"]: package.version for package in distributions()}
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": _cores(),
        "memory_gib": round(psutil.virtual_memory().total / GIB, 1),
        "gpus": _gpus(),
        "cuda": torch.version.cuda,
        "packages": dict(sorted(packages.items(), key=lambda item: item[0].lower())),
    }


def hardware() -> str:
    """Return the GPUs, or the cores and processor, as one line."""
    gpus = Counter(_gpus())
    if gpus:
        return ", ".join(f"{count} x {name}" for name, count in gpus.items())
    return f"{_cores()} cores of {_processor()}"


def _gpus() -> list[str]:
    return [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]


def _cores() -> int:
    """The cores that this process may use."""
    process = psutil.Process()
    return len(process.cpu_affinity()) if hasattr(process, "cpu_affinity") else psutil.cpu_count()


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
