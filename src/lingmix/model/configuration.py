"""Whether what lies on disk was made under the configuration that is to go on with it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lingmix.errors import InputError


def refuse_other(found: Mapping[str, Any], wanted: Mapping[str, Any], *, where: Path) -> None:
    """A checkpoint goes on under the configuration it was made under alone."""
    keys = sorted(key for key in {*found, *wanted} if found.get(key) != wanted.get(key))
    if keys:
        told = ", ".join(f"{key} ({found.get(key)} there, {wanted.get(key)} here)" for key in keys)
        raise InputError(
            f"{where}: is of another configuration, which differs in {told}; remove "
            f"{where.parent} to train anew"
        )
