"""Calls to a store on a network end, whatever it does."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial, wraps
from http.client import HTTPException
from json import JSONDecodeError
from math import inf
from pathlib import Path
from typing import Any, TypeVar

from google.protobuf.json_format import ParseError
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_any,
    stop_before_delay,
    wait_exponential,
)

from lingmix.deadline import within
from lingmix.errors import InputError
from lingmix.tracking.secrets import shown
from lingmix.tracking.store.contention import CALLS
from lingmix.tracking.store.retry_after import asked_pause

T = TypeVar("T")

ANSWER, TRY, CALL = 5.0, 20.0, 60.0
"""Seconds in which a store must say that it is there, and which one try of a call may take, or all
of its tries and an upload."""

TRIES, FIRST_PAUSE = 5, 0.1
"""A request that a store has missed is asked again: after this many seconds, then twice as many, or
after as many as it asks for."""

OPENING = 30.0
"""Seconds that what is asked before anything has begun may take together."""

SLOWEST = 100_000
"""Bytes a second that an upload must come to beside."""

NOT_NOW = (408, 429)
"""Statuses of a request that a server may well take later, as those of 500 and above are."""

ONCE = ("create_run", "delete_tag", "log_artifacts")
"""Calls that are not repeated by themselves, since what their first try did must be looked for, or
since they are long; who calls them begins again from there."""

_opened_by: ContextVar[float] = ContextVar("opened_by", default=inf)


class AwayError(InputError):
    """The server of the store does not answer; it may yet. `lasting` once it was asked again."""

    lasting = False


def is_away(error: BaseException) -> bool:
    """Whether a store may do later what it has not done now: it was not reached, its answer came
    too late, not whole or garbled, or it has trouble of its own. What it refuses it always will."""
    if isinstance(error, MlflowException):
        status = error.get_http_status_code()
    else:
        status = getattr(getattr(error, "response", None), "status_code", 0)
    if status:
        return status >= 500 or status in NOT_NOW
    return isinstance(error, OSError | HTTPException | JSONDecodeError | ParseError)


def again(call: Callable[[], T], *, seconds: float = CALL) -> T:
    """What the call gives, which may be repeated; the AwayError of its last try."""
    over = stop_any(stop_after_attempt(TRIES), stop_before_delay(seconds))
    trying = Retrying(
        retry=retry_if_exception(lambda error: isinstance(error, AwayError) and not error.lasting),
        wait=_pause,
        stop=lambda state: over(state) or _opening_ends(state),
        reraise=True,
    )
    try:
        return trying(call)
    except AwayError as error:
        error.lasting = True
        raise


@contextmanager
def opening() -> Iterator[None]:
    """Whatever its store does, the block asks it for no longer than `OPENING` seconds."""
    token = _opened_by.set(min(_opened_by.get(), time.monotonic() + OPENING))
    try:
        yield
    finally:
        _opened_by.reset(token)


def in_time(seconds: float, call: Callable[[], T]) -> T:
    """What the call gives; TimeoutError after the seconds, or where an `opening` is over."""
    return within(max(0.0, min(seconds, _opened_by.get() - time.monotonic())), call)


def bounded(client: MlflowClient, *, seconds: float) -> MlflowClient:
    """The client itself, whose calls are now repeated where the store `is_away` for a moment, and
    raise AwayError where it stays so, or does not do them in these seconds."""
    for name in CALLS:
        call = getattr(client, name)
        setattr(client, name, _bounded(name, call, uri=client.tracking_uri, limit=seconds))
    return client


def first_line(error: BaseException) -> str:
    return shown((str(error).strip() or type(error).__name__).splitlines()[0])


def _pause(state: RetryCallState) -> float:
    asked = asked_pause(state.outcome.exception()) if state.outcome else 0.0
    return max(asked, wait_exponential(multiplier=FIRST_PAUSE)(state))


def _opening_ends(state: RetryCallState) -> bool:
    """Before the next try."""
    return time.monotonic() + state.upcoming_sleep >= _opened_by.get()


def _bounded(name: str, call: Callable[..., Any], *, uri: str, limit: float) -> Callable[..., Any]:
    @wraps(call)
    def ends(*arguments: Any, **options: Any) -> Any:
        seconds = limit
        if name == "log_artifacts":
            seconds = max(limit, CALL) + _size(arguments[1]) / SLOWEST
        tried = partial(_tried, partial(call, *arguments, **options), uri=uri, seconds=seconds)
        return tried() if name in ONCE else again(tried)

    return ends


def _tried(call: Callable[[], T], *, uri: str, seconds: float) -> T:
    try:
        return in_time(seconds, call)
    except Exception as error:
        if not is_away(error):
            raise
        raise AwayError(
            f"tracking.uri: the store {shown(uri)} does not do what it is asked "
            f"({first_line(error)}); look at its own log, or at who else uses it and at the room "
            "on its disk where it is a local file"
        ) from error


def _size(folder: str) -> int:
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
