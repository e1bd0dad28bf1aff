"""Requests to a model, and its answers, whichever back end gives them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Request:
    """One request; its `payload`, plain values with all that decides the answer, is what its key
    is the digest of."""

    payload: Mapping[str, Any]

    @property
    def key(self) -> str:
        return digest(self.payload)


@dataclass(frozen=True, slots=True)
class Answer:
    """A model's text; where there is none, `failure` says why."""

    text: str
    failure: str = ""


class Answers(Protocol):
    """A back end: answers requests in their order, those that its journal holds from there.

    `name` is the model's, for the provenance of items; `structured` says whether it is asked for
    JSON.
    """

    name: str
    structured: bool

    def request(
        self, prompt: Sequence[Mapping[str, str]], schema: Mapping[str, Any] | None
    ) -> Request:
        """Return the request for a conversation, answered in JSON where there is a schema."""
        ...

    def __call__(self, requests: Sequence[Request]) -> list[Answer]: ...


def digest(value: object) -> str:
    """Return the SHA-256 of plain values, whatever the order of their keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()
