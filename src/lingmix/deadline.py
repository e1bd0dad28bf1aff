"""Calls with a deadline: a server may answer one byte at a time, or never."""

from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def within(seconds: float, call: Callable[[], T]) -> T:
    """Return the result of the call; raise TimeoutError after `seconds`.

    The call then continues in a daemon thread. A timeout of the connection itself would not do, as
    it starts again with every byte.
    """
    outcome: Future[T] = Future()

    def work() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:
            outcome.set_exception(error)

    Thread(target=copy_context().run, args=(work,), name="call", daemon=True).start()
    try:
        return outcome.result(timeout=seconds)
    except TimeoutError:
        if outcome.done():  # raised by the call itself
            raise
        raise TimeoutError(f"no answer within {seconds:g} s") from None
