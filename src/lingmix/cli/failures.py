"""Errors of the machine and of libraries as one line that a user can act on."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EACCES, EDQUOT, EFBIG, ENOSPC, EROFS
from traceback import walk_tb

from hydra.errors import HydraException, OverrideParseException
from omegaconf.errors import (
    InterpolationToMissingValueError,
    MissingMandatoryValue,
    OmegaConfBaseException,
    ValidationError,
)

from lingmix.cli.schema import keys_of, nearest
from lingmix.cli.settings import COMMANDS
from lingmix.errors import InputError
from lingmix.tracking.secrets import mask_secrets

UNWRITABLE = (EACCES, EDQUOT, EFBIG, ENOSPC, EROFS)

CONFIGURATION = {"hydra", "omegaconf", "antlr4"}
LIGHTNING = {"pytorch_lightning", "lightning_fabric"}
"""Packages whose own errors, raised in their code, count as refused settings."""


@contextmanager
def input_errors(command: str) -> Iterator[None]:
    """Raise InputError for errors of the machine, and of libraries that refuse their settings.

    Other exceptions, such as faults of Lingmix itself, pass unchanged.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        line = _refused(error, command)
        if line is None:
            raise
        raise InputError(mask_secrets(line)) from error


def _refused(error: Exception, command: str) -> str | None:
    """The line of the error; None where it is a fault of Lingmix."""
    if isinstance(error, BrokenPipeError):  # the reader of a pipe has closed it
        return None
    raised_by = _package(error)
    if isinstance(error, HydraException | OmegaConfBaseException) or raised_by in CONFIGURATION:
        return _not_composed(error, command)
    if raised_by in LIGHTNING:
        return f"trainer: Lightning cannot train so ({_reason(error)}); change these settings"
    if type(error).__name__ == "OutOfMemoryError":
        return (
            f"the memory of the GPU is too small ({_reason(error)}); lower sampler.batch_size, or "
            "set micro_batch_tokens"
        )
    if isinstance(error, OSError):
        return _of_the_machine(error)
    return None


def _package(error: BaseException) -> str:
    """The package of the function that raised it."""
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    return str(frames[-1].f_globals.get("__name__", "")).partition(".")[0]


def _reason(error: BaseException) -> str:
    """The library's message, without Hydra's search path."""
    text = " ".join(str(error).partition("Config search path")[0].split())
    return f"{text or type(error).__name__:.400}"


def _not_composed(error: Exception, command: str) -> str:
    if isinstance(error, OverrideParseException):
        return (
            f"{error.override}: must be KEY=VALUE as Hydra reads it ({_unread(error)}); a value "
            "with blanks, commas, ~ or letters beyond ASCII stands in quotes, as in \"name='é'\""
        )
    cause = error if isinstance(error, OmegaConfBaseException) else error.__cause__
    key = re.sub(r"\[(\d+)\]", r".\1", getattr(cause, "full_key", None) or "")
    if isinstance(cause, InterpolationToMissingValueError):
        key = str(cause).splitlines()[0].rpartition(" ")[2]
    if isinstance(cause, MissingMandatoryValue | InterpolationToMissingValueError):
        return f"{key}: must be given, got ???; write {key}=..."
    if refused := re.match(r"Could not override '(.+)'", str(error)):
        given = refused[1]
        wrong = key if key.startswith(f"{given}.") else given
        near = nearest(wrong, keys_of(COMMANDS[command]))
        return f"there is no key {wrong}{near}; `lingmix-{command} --cfg job` shows all there are"
    if isinstance(cause, OmegaConfBaseException) and key:
        reason = str(cause).splitlines()[0]
        return f"{key}: {reason if isinstance(cause, ValidationError) else _lowered(reason)}"
    return f"configuration: {_reason(error)}"


def _unread(error: OverrideParseException) -> str:
    """The message of Hydra's grammar, without its marker of the position and its link."""
    first, *more = error.message.splitlines()
    if first.startswith("LexerNoViableAlt"):
        return "it has a letter that Hydra does not know"
    return more[0] if first.startswith("Error parsing override") else first


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def _of_the_machine(error: OSError) -> str:
    reason = " ".join((error.strerror or str(error) or type(error).__name__).split())
    if error.errno in UNWRITABLE:
        return (
            f"{error.filename or 'output_dir'}: cannot be written ({reason}); make room, or have "
            "it made writable, or choose another output_dir"
        )
    if error.filename is None:
        return f"the machine does not do what it is asked ({type(error).__name__}: {reason})"
    return f"{error.filename}: cannot be used ({reason}); mend what is there, or name another path"
