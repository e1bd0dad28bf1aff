"""Signals: stopping a process at once, or deferred to a safe point."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StoppedError(SystemExit):
    """Exits the process with the status that a shell gives for the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number

    def __str__(self) -> str:
        return f"stopped by {signal.Signals(self.number).name}"


class PrunedError(Exception):
    """Ends a training that the pruner of its study rejects."""


class Stop:
    """Handles SIGTERM and Ctrl-C: raises StoppedError at once, or, while `deferred`, at `check`.

    A second signal does not interrupt the cleanup after the first, unless it is Ctrl-C.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.raised = False
        self._deferred = False

    def listen(self) -> None:
        """Install the handler for both signals, replacing any other."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def check(self) -> None:
        if self.number is not None:
            self.raised = True
            raise StoppedError(self.number)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        self._deferred = True
        try:
            yield
        except SystemExit:  # Lightning's own answer to a signal ends with status 0
            self.check()
            raise
        finally:
            self._deferred = False
        self.check()

    def resend(self, number: int) -> None:
        """Send the signal to this process again, 0.05 s later."""
        self.number = None
        threading.Timer(0.05, os.kill, (os.getpid(), number)).start()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        repeated, self.number = self.number is not None, self.number or number
        forced = repeated and number == signal.SIGINT
        if forced or not (repeated or self._deferred):
            self.check()


@contextmanager
def deferred() -> Iterator[None]:
    """Hold back SIGTERM and Ctrl-C, whichever thread gets them, until the block ends."""
    received: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: received.append(number))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for deferred_signal, handler in before.items():
            signal.signal(deferred_signal, handler)
        for number in received[:1]:
            signal.raise_signal(number)


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Let a `Stop` handle signals for the block, and restore the former handlers."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    hook = sys.unraisablehook
    stop = Stop()

    def resend_unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
        # Python drops an exception that is raised in a finalizer
        if isinstance(unraisable.exc_value, StoppedError):
            stop.resend(unraisable.exc_value.number)
        else:
            hook(unraisable)

    stop.listen()
    sys.unraisablehook = resend_unraisable
    try:
        yield stop
    except Exception:
        if stop.raised:  # and a library has made an error of its own of it
            stop.check()
        raise
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)
