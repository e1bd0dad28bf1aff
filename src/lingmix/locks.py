"""File locks for work that one process does at a time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from lingmix.signals import stoppable


@contextmanager
def exclusive(path: Path, *, busy: Callable[[], None]) -> Iterator[None]:
    """Lock the file `path` for the block.

    Where another process has the lock, `busy` is called first: it raises, or prints a message and
    this process waits. A signal ends the wait with StoppedError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        busy()
        with stoppable():
            lock.acquire()
    try:
        yield
    finally:
        lock.release()
