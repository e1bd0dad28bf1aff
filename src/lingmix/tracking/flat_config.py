"""Configurations flattened for MLflow: one value for each dotted key."""

from collections.abc import Mapping
from typing import Any


def leaves(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the values of a nested configuration by dotted key; a list of plain values is one."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            flat |= leaves(value, f"{prefix}{key}.")
        elif isinstance(value, list) and any(isinstance(part, dict | list) for part in value):
            flat |= leaves({str(n): part for n, part in enumerate(value)}, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
