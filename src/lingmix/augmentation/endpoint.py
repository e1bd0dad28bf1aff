"""A model behind an HTTP endpoint in OpenAI's form: vLLM, llama.cpp or a hosted one."""

import json
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from lingmix.augmentation.budget import Budget, Cost, Prices
from lingmix.augmentation.journal import Journal
from lingmix.augmentation.requests import Answer, Request
from lingmix.augmentation.transport import PassingError, Transport
from lingmix.errors import InputError
from lingmix.progress import with_progress
from lingmix.ranges import Count, NotNegative, Positive

LONGEST_WAIT = 120.0
"""Seconds that a server's Retry-After is followed at most."""

TEMPLATE_TOKENS = 64
"""More than a chat template adds to a message."""


class Endpoint:
    """Answers requests with `concurrency` of them under way; each key is sent until it is answered,
    and never again.

    `key_variable` names the environment variable with the server's key; the key is neither logged
    nor recorded. 429, 5xx, time-outs and broken answers are tried `attempts` times, after the
    server's Retry-After or 1, 2, 4 ... times `wait` seconds. What stays without an answer is a
    failure with its reason, and is sent again by the next run.
    """

    def __init__(
        self,
        *,
        url: str,
        model: str,
        key_variable: str | None,
        temperature: NotNegative,
        max_tokens: Count,
        concurrency: Count,
        attempts: Count,
        wait: NotNegative,
        timeout: Positive,
        requests_per_minute: Positive | None,
        prices: dict[str, NotNegative] | None,
        budget: dict[str, Positive | None],
        structured: bool,
        seed: int,
        journal: Journal,
    ) -> None:
        self.name = model
        self._transport = Transport(url=url, key_variable=key_variable, timeout=timeout)
        self._settings = {"temperature": temperature, "max_tokens": max_tokens, "seed": seed}
        self._max_tokens = max_tokens
        self._concurrency, self._attempts, self._wait = concurrency, attempts, wait
        self.structured = structured
        self._pace = _Pace(requests_per_minute)
        self._prices = _prices(prices, budget)
        self._budget = Budget(budget, journal.spent)
        self._journal = journal
        self._stopped = threading.Event()

    def request(
        self, prompt: Sequence[Mapping[str, str]], schema: Mapping[str, Any] | None
    ) -> Request:
        """Return the body that is sent; its key is what it is known by in the journal."""
        form = {"name": "answer", "strict": True, "schema": schema}
        structured = {"response_format": {"type": "json_schema", "json_schema": form}}
        return Request(
            {"model": self.name, "messages": [*prompt], **self._settings}
            | (structured if schema and self.structured else {})
        )

    def estimate(self, requests: Sequence[Request]) -> Cost:
        """Return the most that those without an answer can cost, without attempts that fail."""
        whole = Cost()
        for one in self._unanswered(requests).values():
            whole = whole.plus(self._most(one))
        return whole

    def __call__(self, requests: Sequence[Request]) -> list[Answer]:
        unanswered = self._unanswered(requests)
        failures: dict[str, str] = {}
        executor = ThreadPoolExecutor(self._concurrency)
        try:
            sent = executor.map(self._send, unanswered, unanswered.values())
            for key, reason in zip(
                unanswered,
                with_progress(sent, "Requests", total=len(unanswered), size=lambda _: 1),
                strict=True,
            ):
                failures[key] = reason
        finally:  # those under way come to their end: what was paid for is kept
            self._stopped.set()
            executor.shutdown(wait=True, cancel_futures=True)
            self._stopped.clear()
        return [self._answer(one.key, failures) for one in requests]

    def _unanswered(self, requests: Sequence[Request]) -> dict[str, Request]:
        return {one.key: one for one in requests if self._journal.answer(one.key) is None}

    def _answer(self, key: str, failures: Mapping[str, str]) -> Answer:
        record = self._journal.answer(key)
        if record is None:
            return Answer("", failures[key])
        return Answer(record["text"], record["failure"])

    def _most(self, asked: Request) -> Cost:
        """A token is a byte at least."""
        size = len(json.dumps(asked.payload, ensure_ascii=False).encode())
        overhead = TEMPLATE_TOKENS * len(asked.payload["messages"])
        return self._prices.cost(size + overhead, self._max_tokens)

    def _send(self, key: str, asked: Request) -> str:
        """Send a request until it is answered; return why it was not."""
        retrying = Retrying(
            retry=retry_if_exception_type(PassingError),
            stop=stop_after_attempt(self._attempts),
            wait=self._pause,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return retrying(self._attempt, key, asked)
        except PassingError as error:
            return f"no answer: {error}"

    def _sleep(self, seconds: float) -> None:
        self._stopped.wait(seconds)

    def _pause(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, PassingError) and error.wait is not None:
            return min(error.wait, LONGEST_WAIT)
        return min(self._wait * 2.0 ** (state.attempt_number - 1), LONGEST_WAIT)

    def _attempt(self, key: str, asked: Request) -> str:
        if self._stopped.is_set():
            return "stopped"
        most = self._most(asked)
        if limit := self._budget.reserve(most):
            return f"budget of {limit} is spent"
        self._pace.wait(self._stopped)
        self._journal.append({"sent": key, "cost": most})
        try:
            reply = self._transport.post(key, asked)
        except PassingError as error:
            if error.free:  # else it is charged at the most
                self._settle(
                    {"failed": key, "reason": str(error)}, Cost(int(error.sent)).plus(most, -1)
                )
            raise
        cost = self._prices.cost(
            most.read if reply.read is None else reply.read,
            most.written if reply.written is None else reply.written,
        )
        record = {"answer": key, "text": reply.text, "failure": reply.failure}
        self._settle(record, cost.plus(most, -1))
        return ""

    def _settle(self, record: Mapping[str, Any], change: Cost) -> None:
        self._journal.append({**record, "cost": change})
        self._budget.settle(change)


class _Pace:
    """Spaces what is sent evenly, at most so much a minute."""

    def __init__(self, per_minute: float | None) -> None:
        self._interval = 60 / per_minute if per_minute else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self, stopped: threading.Event) -> None:
        with self._lock:
            begin = max(time.monotonic(), self._next)
            self._next = begin + self._interval
        stopped.wait(max(0.0, begin - time.monotonic()))


def _prices(prices: Mapping[str, float] | None, budget: Mapping[str, float | None]) -> Prices:
    if prices is None and budget.get("money") is not None:
        raise InputError("backend.budget.money: needs backend.prices, got null; set both")
    return Prices(**prices) if prices else Prices(0.0, 0.0)
