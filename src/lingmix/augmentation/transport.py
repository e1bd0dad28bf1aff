"""HTTP to an endpoint in OpenAI's form: one request, its answer, and what a failure means."""

import json
import os
import threading
import time
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import requests as http
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from lingmix.augmentation.requests import Request
from lingmix.errors import InputError

PASSING = (408, 409, 425, 429)
"""Statuses below 500 that may pass."""

HOPELESS = (401, 403, 404, 405)
"""Statuses of a server that will refuse every request."""


class PassingError(Exception):
    """A failure that may pass; `wait` is the server's word on when, `free` that it did no work, and
    `sent` is false where nothing has reached it."""

    def __init__(
        self, reason: str, *, wait: float | None = None, free: bool = False, sent: bool = True
    ) -> None:
        super().__init__(reason)
        self.wait = wait
        self.free = free
        self.sent = sent


class Reply(NamedTuple):
    """A text or why there is none, and the tokens that the server counted, None where it did
    not."""

    text: str
    failure: str = ""
    read: int | None = None
    written: int | None = None


class Transport:
    """Sends requests to `url`, a session a thread.

    The key is that of the environment variable `key_variable`; a server that says it is masked.
    """

    def __init__(self, *, url: str, key_variable: str | None, timeout: float) -> None:
        self._url = f"{url.rstrip('/')}/chat/completions"
        self._secret = _secret(key_variable)
        self._timeout = timeout
        self._local = threading.local()

    def post(self, key: str, request: Request) -> Reply:
        """Raise PassingError, or InputError where the server refuses every request."""
        session = getattr(self._local, "session", None) or http.Session()
        self._local.session = session
        headers = {"Idempotency-Key": key}
        if self._secret:
            headers["Authorization"] = f"Bearer {self._secret}"
        try:
            response = session.post(
                self._url, json=request.payload, headers=headers, timeout=self._timeout
            )
        except http.ConnectionError as error:
            unreached = _is_unreached(error)
            reason = f"the connection broke ({type(error).__name__})"
            raise PassingError(reason, free=unreached, sent=not unreached) from error
        except http.Timeout as error:
            raise PassingError(f"nothing came within {self._timeout:g} s") from error
        except http.RequestException as error:
            raise PassingError(f"the connection broke ({type(error).__name__})") from error
        if response.status_code == http.codes.ok:
            return self._reply(response.content)
        return self._refused(response)

    def _refused(self, response: http.Response) -> Reply:
        status = response.status_code
        said = self._masked(" ".join(response.text.split())[:200])
        if status in PASSING or status >= 500:
            raise PassingError(f"HTTP {status}", wait=_retry_after(response), free=True)
        if status in HOPELESS:
            raise InputError(f"backend.url: {self._url} answers HTTP {status} ({said})")
        return Reply("", f"refused: HTTP {status} ({said})", 0, 0)

    def _reply(self, body: bytes) -> Reply:
        try:
            found = json.loads(body)
            choice, usage = found["choices"][0], found.get("usage") or {}
            return Reply(
                self._masked(choice["message"]["content"] or ""),
                "cut off" if choice.get("finish_reason") == "length" else "",
                usage.get("prompt_tokens"),
                usage.get("completion_tokens"),
            )
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise PassingError("the answer is not in OpenAI's form") from error

    def _masked(self, text: str) -> str:
        return text.replace(self._secret, "***") if self._secret else text


def _secret(variable: str | None) -> str:
    if variable is None:
        return ""
    if not (secret := os.environ.get(variable, "")):
        raise InputError(
            f"backend.key_variable: the environment has no {variable}; export it, or set null for "
            "a server that asks for no key"
        )
    return secret


def _is_unreached(error: http.ConnectionError) -> bool:
    """Whether no connection was made, so that nothing was sent."""
    cause = error.args[0] if error.args else None
    return isinstance(getattr(cause, "reason", None), NewConnectionError | ConnectTimeoutError)


def _retry_after(response: http.Response) -> float | None:
    """Seconds, which the header gives as a number or as a date."""
    value = response.headers.get("Retry-After", "")
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
