"""The end of a record, after which the thread that sends it begins no further call to the store."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Event

_closed: ContextVar[Event] = ContextVar("closed", default=Event())  # noqa: B039 - never set


@contextmanager
def calls_until(event: Event) -> Iterator[None]:
    """Let no attempt at a call in the block begin once the event is set.

    Whoever has the lock of the run next would else send the same records at the same time.
    """
    token = _closed.set(event)
    try:
        yield
    finally:
        _closed.reset(token)


def closed() -> Event:
    """Return the event of the innermost block; outside of all, one that is never set."""
    return _closed.get()
