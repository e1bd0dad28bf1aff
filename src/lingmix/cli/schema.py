"""Checks of settings against types, and the one line of error for a setting that does not fit."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import BaseMetadata, GroupedMetadata
from pydantic import BaseModel, ConfigDict, Field, Tag, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from lingmix.errors import InputError
from lingmix.ranges import LARGEST
from lingmix.tracking.secrets import mask_secrets

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, arbitrary_types_allowed=True)

WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a finite number",
    str: "a text",
    Path: "a text",
    bool: "true or false",
    NoneType: "null",
}

ENDS = ("ge", "gt", "le", "lt")
"""Attributes of an interval in annotated_types."""


class Settings(BaseModel):
    """A mapping that forbids unknown keys."""

    model_config = STRICT


class Node(Settings):
    """A node with a `_target_`, whose signature says which other keys it may have."""

    model_config = ConfigDict(extra="allow")

    target: str = Field(alias="_target_")
    partial: bool = Field(alias="_partial_", default=False)


@dataclass(frozen=True)
class Rule:
    """Annotates a type with a shorter text for errors than its parts would make."""

    words: str


def check(value: Any, model: Any, *, at: str = "", known: str = "") -> None:
    """Raise InputError for the first part of `value` that does not fit `model`.

    `at` is the key of the value; `known` ends the error of an unknown key: how to list keys.
    """
    try:
        _adapter(model).validate_json(json.dumps(value, default=str), strict=True)
    except ValidationError as error:
        found = [detail for detail in error.errors() if detail["type"] != "needs_python_object"]
        unknown = [detail for detail in found if detail["type"] == "extra_forbidden"]
        if found:
            first = (unknown or found)[0]
            line = _line(first, value, model, at=at, known=known)
            raise InputError(mask_secrets(line)) from None


@cache
def _adapter(model: Any) -> TypeAdapter[Any]:
    return TypeAdapter(model, config=None if _is_model(model) else STRICT)


def _line(error: ErrorDetails, value: Any, model: Any, *, at: str, known: str) -> str:
    keys, rule, value = _found(error["loc"], value, model)
    key = ".".join(filter(None, [at, *keys]))
    if error["type"] == "extra_forbidden":
        return f"there is no key {key}{nearest(key, keys_of(model, at))}{known}"
    if error["type"] == "missing":
        return f"{key}: must be {words(rule)}, got nothing; leave the key in"
    if error["type"] == "less_than_equal" and error["ctx"]["le"] == LARGEST:
        return f"{key}: must be at most {LARGEST}, got {shortened(value)}"
    if error["type"] == "json_invalid":
        return f"{key or 'configuration'}: must be Unicode, got {error['msg']}"
    return f"{key}: must be {words(rule)}, got {shortened(value)}"


def shortened(value: object) -> str:
    """Return the value as text of at most 200 letters; booleans and null as YAML writes them."""
    text = json.dumps(value) if value is None or isinstance(value, bool) else repr(value)
    return text if len(text) <= 200 else f"{text[:200]} ..."


def nearest(key: str, known: Sequence[str]) -> str:
    """Return a note on a similar key, in the same place or elsewhere; empty for none."""
    place, _, name = key.rpartition(".")
    for below, cutoff in ((f"{place}." if place else "", 0.6), ("", 0.8)):
        names = {path.rpartition(".")[2]: path for path in known if path.startswith(below)}
        if near := get_close_matches(name, names, n=1, cutoff=cutoff):
            return f"; the nearest is {names[near[0]]}"
    return ""


def keys_of(model: Any, at: str = "") -> list[str]:
    """Return all dotted keys of a model."""
    return [f"{at}.{key}" if at else key for key in _keys(model)]


def _keys(model: Any) -> Iterator[str]:
    for choice in map(_bare, _choices(model)):
        if _is_model(choice):
            for key, field in _fields(choice).items():
                yield key
                yield from (f"{key}.{below}" for below in _keys(field.annotation))


def _found(location: Sequence[int | str], value: Any, model: Any) -> tuple[list[str], Any, Any]:
    """The keys of an error without names of types, the type expected there, and the value."""
    keys: list[str] = []
    for part in location:
        for choice in _choices(model):
            if get_origin(choice) is Annotated and Tag(str(part)) in choice.__metadata__:
                model = choice.__origin__
                break
        else:
            inner = _inner(model, part)
            if inner is None:
                break
            model = inner
            keys.append(str(part))
            value = _at(value, part)
    return keys, model, value


def _inner(model: Any, part: int | str) -> Any:
    """The type expected at `part`; None where `part` is the name of a type and not a key."""
    choices = [_bare(choice) for choice in _choices(model)]
    for choice in choices:
        if _is_model(choice):
            field = _fields(choice).get(str(part))
            return Any if field is None else _type_of(field)
        origin = get_origin(choice)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return get_args(choice)[1]
        if isinstance(part, int) and len(choices) == 1 and origin is not None:
            return get_args(choice)[0]
    return None


def _choices(model: Any) -> list[Any]:
    """The members of a union without null; the type itself where it is no union."""
    bare = _bare(model)
    if get_origin(bare) in (Union, UnionType):
        return [member for member in get_args(bare) if member is not NoneType]
    return [model]


def _bare(model: Any) -> Any:
    return _bare(model.__origin__) if get_origin(model) is Annotated else model


def _is_model(model: Any) -> bool:
    return isinstance(model, type) and issubclass(model, BaseModel)


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _type_of(field: FieldInfo) -> Any:
    marks = tuple(field.metadata)
    return Annotated[field.annotation, *marks] if marks else field.annotation


def _at(value: Any, part: int | str) -> Any:
    try:
        return value[part]
    except (LookupError, TypeError):
        return None


def words(model: Any) -> str:
    """Return the rule of a type as text for an error."""
    origin, inner = get_origin(model), get_args(model)
    if origin is Annotated:
        rules = [mark.words for mark in inner[1:] if isinstance(mark, Rule)]
        return rules[-1] if rules else _ranged(inner[0], inner[1:])
    if origin in (Union, UnionType):
        return ", or ".join(dict.fromkeys(words(member) for member in inner))
    if origin is Literal:
        texts = [json.dumps(value) if isinstance(value, bool) else str(value) for value in inner]
        return f"one of {', '.join(texts)}" if len(texts) > 1 else texts[0]
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return f"a list, each {words(inner[0])}"
    return WORDS.get(model, "keys with their values")


def _ranged(model: Any, marks: Sequence[Any]) -> str:
    """A text such as `above 0 and finite`, or an interval where there are two ends."""
    parts = [
        part
        for mark in marks
        if isinstance(mark, BaseMetadata | GroupedMetadata)
        for part in (mark if isinstance(mark, GroupedMetadata) else [mark])
    ]
    ends = {
        name: getattr(part, name)
        for part in parts
        for name in ("ge", "gt", "le", "lt")
        if hasattr(part, name)
    }
    low = f"at least {ends['ge']}" if "ge" in ends else f"above {ends.get('gt')}"
    if not ends:
        return words(model)
    if ends.get("le", ends.get("lt", LARGEST)) == LARGEST:
        return f"a whole number of {low}" if model is int else f"{low} and finite"
    opened = f"[{ends['ge']}" if "ge" in ends else f"({ends.get('gt')}"
    closed = f"{ends['le']}]" if "le" in ends else f"{ends['lt']})"
    return f"{'a whole number ' if model is int else ''}in {opened}, {closed}"
