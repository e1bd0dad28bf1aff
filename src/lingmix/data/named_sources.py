"""Sources of training data as a configuration names them."""

from collections.abc import Mapping
from typing import Any


def named_sources(data: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the sources by dotted key: those of the list `train` if there is one, else `sets`."""
    if data.get("train") is not None:
        return {f"data.train.{number}": node for number, node in enumerate(data["train"])}
    return {f"data.sets.{name}": node for name, node in data.get("sets", {}).items()}
