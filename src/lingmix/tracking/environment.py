"""What a run ran on, and with which packages."""

import platform
from collections import Counter
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import psutil
import torch

GIB = 2**30


def environment() -> dict[str, Any]:
    """Never an environment variable: they hold secrets."""
    packages = {one.metadata["Name"]: one.version for one in distributions()}
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": _cores(),
        "memory_gib": round(psutil.virtual_memory().total / GIB, 1),
        "gpus": _gpus(),
        "cuda": torch.version.cuda,
        "packages": dict(sorted(packages.items(), key=lambda one: one[0].lower())),
    }


def hardware() -> str:
    """What computes, in a line."""
    gpus = Counter(_gpus())
    if gpus:
        return ", ".join(f"{count} x {name}" for name, count in gpus.items())
    return f"{_cores()} cores of {_processor()}"


def _gpus() -> list[str]:
    return [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]


def _cores() -> int:
    """That this process may use."""
    process = psutil.Process()
    return len(process.cpu_affinity()) if hasattr(process, "cpu_affinity") else psutil.cpu_count()


def _processor() -> str:
    told = Path("/proc/cpuinfo")
    lines = told.read_text("utf-8").splitlines() if told.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
