"""The error that a user can correct, and common checks that raise it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import Any, cast


class InputError(ValueError):
    """Bad input, described in one line: the key, the rule, the value, what to do.

    A command prints only the message and exits with status 1; any other exception is a fault of
    the package and keeps its traceback.
    """


def require_int(key: str, value: object, *, at_least: int, or_null: bool = False) -> None:
    """Raise InputError unless the value is an int, and not a bool, of at least `at_least`."""
    if or_null and value is None:
        return
    if type(value) is not int or value < at_least:
        rule = f"a whole number of at least {at_least}{', or null' if or_null else ''}"
        raise InputError(f"{key}: must be {rule}, got {value!r}")


def require_number(key: str, value: object, rule: str, lies: Callable[[float], bool]) -> None:
    """Raise InputError unless the value is a finite number that `lies` in range, see `rule`."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    if not number or not lies(cast("float", value)):
        raise InputError(f"{key}: must be {rule}, got {value!r}")


def require_choice(key: str, value: object, choices: Sequence[str]) -> None:
    """Raise InputError where the value is none of the choices."""
    if value not in choices:
        raise InputError(f"{key}: must be one of {', '.join(choices)}, got {value!r}")


@contextmanager
def library_failure(what: str) -> Iterator[None]:
    """Raise an InputError, `what` and the reason, for whatever a library raises in the block."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{what} ({type(error).__name__}: {reason[:300]})") from error


def require_same_configuration(
    found: Mapping[str, Any], wanted: Mapping[str, Any], *, where: Path
) -> None:
    """Raise InputError where the file `where` is of another configuration."""
    keys = sorted(key for key in {*found, *wanted} if found.get(key) != wanted.get(key))
    if keys:
        differences = ", ".join(
            f"{key} ({found.get(key)} there, {wanted.get(key)} here)" for key in keys
        )
        raise InputError(
            f"{where}: is of another configuration, which differs in {differences}; remove "
            f"{where.parent} to train anew"
        )
