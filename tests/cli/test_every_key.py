"""Every key of every command, given what it cannot be: accepted as valid, or refused in one line.

The inputs are made from `conf/`: a key or a choice that is added is tried by itself.
"""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from math import inf, nan
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from lingmix.cli.checks import check_settings
from lingmix.cli.config import CONF, resolved
from lingmix.cli.failures import input_errors
from lingmix.cli.reading import arguments
from lingmix.errors import InputError
from tests.test_conf import CHOICES, FILLED

REMOVED = object()
WRONG: tuple[Any, ...] = (
    *(REMOVED, None, True, "abc", "", "a\0b", -1, 0, 2.5, 10**30, 10**400, -(10**400)),
    *(nan, inf, -inf, [], [1, 2], [None], {}, {"a": 1}, [{"a": [1]}], "${", "é" * 5000),
)

COMMANDS = ("train", "evaluate", "mine", "augment", "analyze", "export", "sync", "sweeps")
FORMS = ("~{}", "{}=null", "{}=[1,2]", "{}={{a: 1}}", "{}=abc", "{}=nan", "{}=-1", "{}.0=1")
FORMS += (
    "{}x=1",
    "+{}.foo=1",
    "{}@x=1",
    "{}=${{nope}}",
    "{}=???",
    "{}=",
    "{}={{}}",
    "{}=[",
    "~{}=7",
)
FORMS += (f"{{}}={'9' * 5000}", "{}.foo=1", "{}.1=[", "++{}.9.a=1")


def needed(command: str, choice: str = "") -> list[str]:
    """What a user must say beside a choice."""
    unnamed = command in ("evaluate", "mine") and "encoder" not in choice
    filled = [] if command == "mine" and choice.startswith("search=") else FILLED.get(choice, [])
    named = "passages=" in choice or command != "augment"
    return [
        *filled,
        *(FILLED["encoder=pretrained"] if unnamed else []),
        *([] if named else FILLED["passages=rows"]),
    ]


@cache
def composed(command: str, *overrides: str) -> dict[str, Any]:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return resolved(compose(command, list(overrides)))


def paths(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    lists = list(enumerate(value)) if isinstance(value, list) else []
    for key, one in value.items() if isinstance(value, dict) else lists:
        yield (*at, key)
        yield from paths(one, (*at, key))


def changed(values: dict[str, Any], path: tuple[str | int, ...], value: object) -> dict[str, Any]:
    """A copy as deep as the path goes."""
    values = values.copy()
    node: Any = values
    for part in path[:-1]:
        node[part] = node[part].copy()
        node = node[part]
    if value is REMOVED:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return values


def misspelt(values: dict[str, Any], path: tuple[str | int, ...]) -> dict[str, Any]:
    key = str(path[-1])
    other = (*path[:-1], f"{key[:-1]}{key[-1]}x")
    return changed(values, other, 1)


def ended(values: dict[str, Any], command: str) -> str:
    """Anything but these two is a fault, and fails the test with its trace."""
    try:
        check_settings(values, command)
    except InputError as error:
        line = str(error)
        assert line.strip()
        assert "\n" not in line
        return "refused"
    return "accepted"


@pytest.mark.parametrize(
    ("command", "choice"),
    [*((command, "") for command in COMMANDS), *CHOICES],
)
def test_a_key_of_a_choice_is_valid_or_refused_in_one_line(command, choice):
    """Where the default of a command has the same keys, only those of the choice are tried."""
    count: Counter[str] = Counter()
    values = composed(command, *filter(None, [choice]), *needed(command, choice))
    usual = composed(command, *needed(command)) if choice else {}
    group = choice.partition("=")[0]
    tried = [
        path
        for path in paths(values)
        if not choice or (path[0] == group and values[group] != usual.get(group))
    ]
    for path in tried:
        for value in WRONG:
            count[ended(changed(values, path, value), command)] += 1
        if not isinstance(path[-1], int):
            count[ended(misspelt(values, path), command)] += 1
    if tried:
        assert count["refused"] > count["accepted"]


KEYS = {
    "train": ["seed", "languages", "data.train", "data.sets.cldr", "data.sets.cldr.languages.1"],
    "evaluate": ["evaluation", "encoder.name", "output_dir"],
    "mine": ["mining.count", "path"],
    "augment": ["steps", "steps.titles", "passages.path", "languages"],
    "analyze": ["analysis.folder"],
    "export": ["run", "forms", "limit"],
    "sync": ["tracking.uri"],
    "sweeps": ["name"],
}
"""Hydra's own ways to fail differ with what a key is: a value, a list, a group, a part of one."""


@pytest.mark.parametrize("command", COMMANDS)
def test_an_override_is_valid_or_refused_in_one_line(command):
    for key in KEYS[command]:
        for form in FORMS:
            given = [form.format(key), *needed(command)]
            try:
                with input_errors(command):
                    check_settings(composed(command, *arguments(given)), command)
            except InputError as error:
                assert str(error).strip()
                assert "\n" not in str(error)
