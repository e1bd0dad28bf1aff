"""How long a server asks to be left alone: `Retry-After`, with 429 and 503 above all."""

from contextlib import suppress
from typing import Any, Self

from mlflow.utils import request_utils
from urllib3.exceptions import InvalidHeader, MaxRetryError
from urllib3.util import Retry

HEADER = "Retry-After"
LONGEST = 60.0
"""Seconds; a server that asks for more is asked again after these."""


class _Headed(Retry):
    """Leaves an answer's headers on the error, which is all that MLflow lets through of it."""

    def increment(self, *arguments: Any, **options: Any) -> Self:
        try:
            return super().increment(*arguments, **options)
        except MaxRetryError as error:
            vars(error)["headers"] = getattr(options.get("response"), "headers", {})
            raise


def keep_headers() -> None:
    """MLflow's clients of this process from now on raise errors that `asked_pause` can read."""
    vars(request_utils)["Retry"] = _Headed


def asked_pause(error: BaseException | None) -> float:
    """Seconds for which the server behind an error asks to be left alone, `LONGEST` at most."""
    while error is not None:
        if asked := (getattr(error, "headers", None) or {}).get(HEADER):
            with suppress(InvalidHeader):
                return min(Retry().parse_retry_after(asked), LONGEST)
        error = error.__cause__ or error.__context__
    return 0.0
