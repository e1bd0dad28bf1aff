"""Calls to a store on a network end, whatever it does."""

from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from lingmix.deadline import within
from lingmix.errors import InputError
from lingmix.tracking.contention import CALLS
from lingmix.tracking.secrets import shown

ANSWER, CALL = 10.0, 60.0
"""Seconds in which a store must say that it is there, and do what a call asks of it."""

SLOWEST = 100_000
"""Bytes a second that an upload must come to beside."""


class AwayError(InputError):
    """The server of the store does not answer; it may yet."""


def bounded(client: MlflowClient) -> MlflowClient:
    """The client itself, whose calls now raise AwayError where the store does not do them in time,
    or fails at them itself (a status of 500 and above)."""
    for name in CALLS:
        setattr(client, name, _bounded(getattr(client, name), uri=client.tracking_uri))
    return client


def first_line(error: BaseException) -> str:
    return shown((str(error).strip() or type(error).__name__).splitlines()[0])


def _bounded(call: Callable[..., Any], *, uri: str) -> Callable[..., Any]:
    uploads = call.__name__ == "log_artifacts"

    @wraps(call)
    def ends(*arguments: Any, **options: Any) -> Any:
        seconds = CALL + (_size(arguments[1]) / SLOWEST if uploads else 0.0)
        try:
            return within(seconds, partial(call, *arguments, **options))
        except TimeoutError as error:
            reason: Exception = error
        except MlflowException as error:
            if error.get_http_status_code() < 500:
                raise
            reason = error
        raise AwayError(
            f"tracking.uri: the store {shown(uri)} does not do what it is asked "
            f"({first_line(reason)}); look at its own log, or leave tracking.uri at its default, a "
            "local file"
        ) from reason

    return ends


def _size(folder: str) -> int:
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
