"""Time limits and retries for calls to a store on a network, which then end whatever it does."""

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
    sleep_using_event,
    stop_after_attempt,
    stop_any,
    stop_before_delay,
    wait_exponential,
)

from lingmix.deadline import within
from lingmix.errors import InputError
from lingmix.tracking.secrets import mask_secrets
from lingmix.tracking.store.closing import closed
from lingmix.tracking.store.contention import CALLS
from lingmix.tracking.store.retry_after import requested_pause

T = TypeVar("T")

ANSWER, TRY, CALL = 5.0, 20.0, 60.0
"""Seconds: until a store must answer a probe, for one attempt at a call, and for all attempts at a
call or for an upload."""

TRIES, FIRST_PAUSE = 5, 0.1
"""Attempts at a request, and seconds before the second one; the pause then doubles, or is what the
server asks for."""

STARTUP = 30.0
"""Seconds that all calls before a run has begun may take together."""

SLOWEST_UPLOAD = 100_000
"""Bytes a second that extend the time limit of an upload."""

TRANSIENT = (408, 429)
"""HTTP statuses below 500 of a request that the server may accept later."""

NOT_REPEATED = ("create_run", "delete_tag", "log_artifacts")
"""Calls that are not retried by themselves: the caller must look for what a first attempt did, or
they take long."""

_deadline: ContextVar[float] = ContextVar("deadline", default=inf)


class UnavailableError(InputError):
    """The store does not answer now but may later; `lasting` is set once retries failed too."""

    lasting = False


def is_transient(error: BaseException) -> bool:
    """Whether a call may succeed later: the store was not reached, its answer was late, cut short
    or garbled, or it has an internal error. What it refuses, it always refuses."""
    if isinstance(error, MlflowException):
        status = error.get_http_status_code()
    else:
        status = getattr(getattr(error, "response", None), "status_code", 0)
    if status:
        return status >= 500 or status in TRANSIENT
    return isinstance(error, OSError | HTTPException | JSONDecodeError | ParseError)


def with_retries(call: Callable[[], T], *, seconds: float = CALL) -> T:
    """Return the result of an idempotent call; raise the UnavailableError of its last attempt."""
    exhausted = stop_any(stop_after_attempt(TRIES), stop_before_delay(seconds))
    trying = Retrying(
        retry=retry_if_exception(
            lambda error: isinstance(error, UnavailableError) and not error.lasting
        ),
        wait=_pause,
        stop=lambda state: exhausted(state) or _deadline_passes(state) or closed().is_set(),
        sleep=sleep_using_event(closed()),
        reraise=True,
    )
    try:
        return trying(call)
    except UnavailableError as error:
        error.lasting = True
        raise


@contextmanager
def startup_deadline() -> Iterator[None]:
    """Limit all calls to the store in the block to `STARTUP` seconds together."""
    token = _deadline.set(min(_deadline.get(), time.monotonic() + STARTUP))
    try:
        yield
    finally:
        _deadline.reset(token)


def within_deadline(seconds: float, call: Callable[[], T]) -> T:
    """Return the result of the call; raise TimeoutError after `seconds`, the startup deadline, or
    at once where the record is closed."""
    if closed().is_set():
        raise TimeoutError("the record is closed")
    return within(max(0.0, min(seconds, _deadline.get() - time.monotonic())), call)


def with_time_limits(client: MlflowClient, *, seconds: float) -> MlflowClient:
    """Give the client's calls a time limit and retries, and return the client itself.

    A call raises UnavailableError where every attempt fails by an `is_transient` error, or where it
    takes longer than `seconds`.
    """
    for name in CALLS:
        call = getattr(client, name)
        setattr(client, name, _limited(name, call, uri=client.tracking_uri, limit=seconds))
    return client


def first_line(error: BaseException) -> str:
    return mask_secrets((str(error).strip() or type(error).__name__).splitlines()[0])


def _pause(state: RetryCallState) -> float:
    requested = requested_pause(state.outcome.exception()) if state.outcome else 0.0
    return max(requested, wait_exponential(multiplier=FIRST_PAUSE)(state))


def _deadline_passes(state: RetryCallState) -> bool:
    return time.monotonic() + state.upcoming_sleep >= _deadline.get()


def _limited(name: str, call: Callable[..., Any], *, uri: str, limit: float) -> Callable[..., Any]:
    @wraps(call)
    def limited(*arguments: Any, **options: Any) -> Any:
        seconds = limit
        if name == "log_artifacts":
            seconds = max(limit, CALL) + _size(arguments[1]) / SLOWEST_UPLOAD
        attempt = partial(_attempt, partial(call, *arguments, **options), uri=uri, seconds=seconds)
        return attempt() if name in NOT_REPEATED else with_retries(attempt)

    return limited


def _attempt(call: Callable[[], T], *, uri: str, seconds: float) -> T:
    try:
        return within_deadline(seconds, call)
    except Exception as error:
        if not is_transient(error):
            raise
        raise UnavailableError(
            f"tracking.uri: the store {mask_secrets(uri)} does not do what it is asked "
            f"({first_line(error)}); look at its own log, or at who else uses it and at the room "
            "on its disk where it is a local file"
        ) from error


def _size(folder: str) -> int:
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
