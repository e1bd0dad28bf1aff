"""Work that one process does at a time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from lingmix.signals import stoppable


@contextmanager
def exclusive(path: Path, *, busy: Callable[[], None]) -> Iterator[None]:
    """Holds the lock file `path` for the block. Where another process has it, `busy` is called
    first: it raises, or says so and lets this process wait for its turn, which a signal ends."""
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
