"""The pause that a server requests by `Retry-After`, mostly with status 429 or 503."""

from contextlib import suppress
from typing import Any, Self

from mlflow.utils import request_utils
from urllib3.exceptions import InvalidHeader, MaxRetryError
from urllib3.util import Retry

HEADER = "Retry-After"
LONGEST = 60.0
"""Seconds: a longer pause is shortened to this."""


class _RetryWithHeaders(Retry):
    """Copies a response's headers to the error, as MLflow passes nothing else of it on."""

    def increment(self, *arguments: Any, **options: Any) -> Self:
        try:
            return super().increment(*arguments, **options)
        except MaxRetryError as error:
            vars(error)["headers"] = getattr(options.get("response"), "headers", {})
            raise


def expose_response_headers() -> None:
    """Make MLflow's clients of this process raise errors that `requested_pause` can read."""
    vars(request_utils)["Retry"] = _RetryWithHeaders


def requested_pause(error: BaseException | None) -> float:
    """Return the pause in seconds that the server behind an error requests, at most `LONGEST`."""
    while error is not None:
        if header := (getattr(error, "headers", None) or {}).get(HEADER):
            with suppress(InvalidHeader):
                return min(Retry().parse_retry_after(header), LONGEST)
        error = error.__cause__ or error.__context__
    return 0.0
