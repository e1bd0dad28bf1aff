"""Checks of the keys beside a `_target_` against the signature of what it names."""

import pydoc
from collections.abc import Callable, Collection, Mapping
from inspect import Parameter, signature
from typing import Any, get_type_hints

from pydantic import PydanticSchemaGenerationError, PydanticUserError

from lingmix.cli.schema import check, nearest, words
from lingmix.errors import InputError

FREE = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


def check_arguments(node: Mapping[str, Any], *, at: str, given: Collection[str] = ()) -> None:
    """Raise InputError for a key that the target of `node` does not take, requires, or takes as
    another type. `given` are arguments that the code adds; a partial node may leave out any."""
    target = locate(node["_target_"], at=at)
    try:
        taken = signature(target).parameters
    except (TypeError, ValueError):  # of a function in C
        return
    named = {key: value for key, value in node.items() if not key.startswith("_")}
    open_to_all = any(option.kind is Parameter.VAR_KEYWORD for option in taken.values())
    names = [
        name for name, option in taken.items() if option.kind not in FREE and name not in given
    ]
    for key in named:
        if key not in names and not open_to_all:
            near = nearest(f"{at}.{key}", [f"{at}.{name}" for name in names])
            raise InputError(
                f"there is no key {at}.{key}{near}; {node['_target_']} takes {', '.join(names)}"
            )
    types = _types(target)
    if not node.get("_partial_"):
        for name in names:
            if name not in named and taken[name].default is Parameter.empty:
                rule = words(types[name]) if name in types else "given"
                raise InputError(f"{at}.{name}: must be {rule}, got nothing; leave the key in")
    for key, value in named.items():
        if key in types and not _builds(value):
            try:
                check(value, types[key], at=f"{at}.{key}")
            except (PydanticSchemaGenerationError, PydanticUserError, TypeError):
                continue  # a type that plain values cannot be compared with


def locate(path: str, *, at: str) -> Callable[..., Any]:
    """Return the class or function of a dotted name; raise InputError where there is none."""
    try:
        target: Any = pydoc.locate(path)
    except pydoc.ErrorDuringImport as error:
        cause = error.value
        if isinstance(cause, KeyboardInterrupt | SystemExit):  # Ctrl-C, or SIGTERM
            raise cause from None
        reason = " ".join(str(error).split())
        raise InputError(f"{at}._target_: cannot be imported ({reason:.300})") from error
    if not callable(target):
        raise InputError(f"{at}._target_: must be a class or a function, got {path}")
    return target


def _types(target: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(
            target.__init__ if isinstance(target, type) else target,  # type: ignore[misc]
            include_extras=True,
        )
    except (NameError, TypeError, AttributeError):  # names that only a type checker imports
        return {}


def _builds(value: Any) -> bool:
    """Whether the value contains a node with a `_target_`."""
    if isinstance(value, Mapping):
        return "_target_" in value or any(map(_builds, value.values()))
    return isinstance(value, list) and any(map(_builds, value))
