"""What a process does when it is told to stop."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StoppedError(SystemExit):
    """Ends the process with the status that a shell gives for the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number

    def __str__(self) -> str:
        return f"stopped by {signal.Signals(self.number).name}"


class PrunedError(Exception):
    """Ends a training that is not worth going on with."""


class Stop:
    """SIGTERM or Ctrl-C: obeyed at once, or while `deferred` where the work asks with `check`.

    Obeyed once: another signal does not break into what is being put away, unless it is Ctrl-C.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._deferred = False

    def listen(self) -> None:
        """Takes both signals from whoever handles them now."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._told)

    def check(self) -> None:
        if self.number is not None:
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

    def again(self, number: int) -> None:
        """Has the signal sent once more, a little later."""
        self.number = None
        threading.Timer(0.05, os.kill, (os.getpid(), number)).start()

    def _told(self, number: int, frame: FrameType | None) -> None:
        again, self.number = self.number is not None, self.number or number
        impatient = again and number == signal.SIGINT
        if impatient or not (again or self._deferred):
            self.check()


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Signals are answered by the `Stop` until the end of the block."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    hook = sys.unraisablehook
    stop = Stop()

    def insist(unraisable: "sys.UnraisableHookArgs") -> None:
        """Python drops what is raised in a finalizer."""
        if isinstance(unraisable.exc_value, StoppedError):
            stop.again(unraisable.exc_value.number)
        else:
            hook(unraisable)

    stop.listen()
    sys.unraisablehook = insist
    try:
        yield stop
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)
