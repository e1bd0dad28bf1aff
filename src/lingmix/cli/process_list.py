"""Keeping secrets out of process lists, which show every user the arguments of a command."""

import os
import re
import sys
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from lingmix.tracking.secrets import URI_VARIABLE, mask_secrets

_URI = re.compile(r"(\+{0,2}tracking\.uri=).+", re.DOTALL)


def hide_secret(arguments: Sequence[str]) -> list[str]:
    """Return the arguments; a store's URI with a secret moves to an environment variable.

    A process that was started with the secret replaces itself by one without it.
    """
    hidden = [_hidden(argument) for argument in arguments]
    command = [_hidden(argument) for argument in sys.orig_argv]
    if command != sys.orig_argv:
        os.execv(sys.executable, command)  # noqa: S606 - the command itself
    return hidden


def _hidden(argument: str) -> str:
    """The argument, with a reference to the environment in place of a URI with a secret."""
    found = _URI.fullmatch(argument)
    if found is None or mask_secrets(argument) == argument:
        return argument
    try:
        override = OverridesParser.create().parse_override(argument)
    except HydraException:
        return argument
    uri = override.value()
    if override.is_sweep_override() or not isinstance(uri, str):
        return argument
    os.environ[URI_VARIABLE] = uri
    return f"{found[1]}${{oc.env:{URI_VARIABLE}}}"
