"""Checks of the keys beside a `_target_` against the signature of what it names."""

import pydoc
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import cache
from inspect import Parameter, signature
from typing import Any, get_type_hints

from pydantic import PydanticSchemaGenerationError, PydanticUserError

from lingmix.cli.schema import check, nearest, words
from lingmix.errors import InputError

FREE = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


def check_arguments(node: Mapping[str, Any], *, at: str, given: Collection[str] = ()) -> None:
    """Raise InputError for a key that the target of `node` does not take, requires, or takes as
    another type, if plain values can be compared with it. `given` are arguments that the code adds;
    a partial node may leave out any."""
    target = locate(node["_target_"], at=at)
    try:
        parameters = _parameters(target)
    except (TypeError, ValueError):  # of a function in C
        return
    taken = {name: parameters[name] for name in parameters if name not in given}
    named = {key: value for key, value in node.items() if not key.startswith("_")}
    types = _types(target)
    _refuse_unknown(named, taken, at=at, target=node["_target_"])
    if not node.get("_partial_"):
        _require_all(named, taken, types, at=at)
    for key, value in named.items():
        if key in types and not _builds(value):
            with suppress(PydanticSchemaGenerationError, PydanticUserError, TypeError):
                check(value, types[key], at=f"{at}.{key}")


def _refuse_unknown(
    named: Collection[str], taken: Mapping[str, Parameter], *, at: str, target: str
) -> None:
    if any(option.kind is Parameter.VAR_KEYWORD for option in taken.values()):
        return
    names = [name for name, option in taken.items() if option.kind is not Parameter.VAR_POSITIONAL]
    if unknown := [key for key in named if key not in names]:
        near = nearest(f"{at}.{unknown[0]}", [f"{at}.{name}" for name in names])
        raise InputError(
            f"there is no key {at}.{unknown[0]}{near}; {target} takes {', '.join(names)}"
        )


def _require_all(
    named: Collection[str], taken: Mapping[str, Parameter], types: Mapping[str, Any], *, at: str
) -> None:
    for name, option in taken.items():
        if option.kind not in FREE and option.default is Parameter.empty and name not in named:
            rule = words(types[name]) if name in types else "given"
            raise InputError(f"{at}.{name}: must be {rule}, got nothing; leave the key in")


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


@cache
def _parameters(target: Callable[..., Any]) -> Mapping[str, Parameter]:
    return signature(target).parameters


@cache
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
