"""Keys at the top of a choice that the sources below it read by interpolation.

`data.path` and `evaluation.folder` hide how sources are nested. They are dropped once they are
resolved, so that each run is described, compared and recorded in one way.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from lingmix.errors import InputError

SHORTHAND = {
    "data": ("path", "folder", "split", "language", "domain"),
    "evaluation": ("folder", "split", "language", "other_languages_only"),
}


def without_shorthand(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings without shorthand; raise InputError for one that no source reads."""
    return {key: _read(key, value) for key, value in values.items()}


def _read(group: str, value: Any) -> Any:
    if group not in SHORTHAND or not isinstance(value, dict):
        return value
    short = {key: value[key] for key in SHORTHAND[group] if _is_plain(value.get(key, {}))}
    for key in short:
        if not any(key in source for source in _sources(value)):
            raise InputError(f"{group}.{key}: no source of `{group}` reads it; leave it out")
    return {key: part for key, part in value.items() if key not in short}


def _sources(value: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    train = value.get("train")
    for source in (*value.values(), *(train if isinstance(train, list) else ())):
        if isinstance(source, dict):
            yield source


def _is_plain(value: Any) -> bool:
    """Whether the value is a setting and not a source of the same name."""
    return not isinstance(value, dict)
