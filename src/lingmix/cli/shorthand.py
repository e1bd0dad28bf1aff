"""Keys at the top of a choice that the sources below it read by interpolation.

`data.path` and `evaluation.folder` hide how sources are nested. They are dropped once they are
resolved, so that each run is described, compared and recorded in one way.
"""

import re
from collections.abc import Mapping
from typing import Any

from lingmix.errors import InputError

SHORTHAND = {
    "data": (
        *("path", "folder", "split", "language", "domain"),
        *("repo", "revision", "files", "query", "passage", "title", "id", "most"),
    ),
    "evaluation": ("folder", "split", "language", "other_languages_only"),
}


def without_shorthand(values: Mapping[str, Any], written: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings without shorthand. `written` are the same with their interpolations.

    Raises InputError for a key that no source reads, though it may have one of that name itself.
    """
    return {key: _read(key, value, written[key]) for key, value in values.items()}


def _read(group: str, value: Any, written: Any) -> Any:
    if group not in SHORTHAND or not isinstance(value, dict):
        return value
    short = {key for key in SHORTHAND[group] if key in value and _is_plain(value[key])}
    for key in short:
        if not re.search(rf"\$\{{({group})?\.+{key}\}}", str(written)):
            raise InputError(f"{group}.{key}: no source of `{group}` reads it; leave it out")
    return {key: part for key, part in value.items() if key not in short}


def _is_plain(value: Any) -> bool:
    """Whether the value is a setting and not a source of the same name."""
    return not (isinstance(value, dict) and "_target_" in value)
