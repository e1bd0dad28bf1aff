"""Every change that this process makes to its files, seen before it is made."""

import io
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from tests.rounds import tried

CALLS = ("write", "fsync", "ftruncate", "replace", "rename", "unlink", "rmdir")

write = os.write


class Change(NamedTuple):
    """A call that is about to be made, of a file by its path or number."""

    call: str
    file: int | str | Path
    data: bytes = b""

    @property
    def path(self) -> Path:
        """Of a number as Linux has it, as long as it is open."""
        if isinstance(self.file, int):
            return Path(f"/proc/self/fd/{self.file}").readlink()
        return Path(self.file)


Seen = Callable[[Change], object]


@contextmanager
def watched(seen: Seen) -> Iterator[None]:
    """Gives each to `seen` until the block ends, but for what is written as text."""
    calls, opened = {name: getattr(os, name) for name in CALLS}, io.open
    for name, call in calls.items():
        setattr(os, name, partial(_changed, name, call, seen))
    io.open = partial(_opened, opened, seen)
    try:
        yield
    finally:
        io.open = opened
        for name, call in calls.items():
            setattr(os, name, call)


@contextmanager
def once(happened: Callable[[], object], work: Callable[[], object]) -> Iterator[None]:
    """Does the work at the first change of a file after that has happened."""
    turn, left = threading.Lock(), [work]

    def seen(_: Change) -> None:
        with turn:
            due = [left.pop()] if left and happened() else []
        for one in due:
            one()

    with watched(seen):
        yield
    assert not left, "it never happened"


def _changed(name: str, call: Callable[..., Any], seen: Seen, *arguments: Any, **options: Any):
    seen(Change(name, arguments[0], arguments[1] if name == "write" else b""))
    return call(*arguments, **options)


def _opened(opened: Callable[..., Any], seen: Seen, file: Any, mode: str = "r", *rest, **options):
    if mode in ("wb", "xb", "ab") and {*rest, *options.values()} <= {-1, None}:
        return io.BufferedWriter(_File(seen, file, mode[0]))
    return opened(file, mode, *rest, **options)


class _File(io.FileIO):
    """Below Python's buffer: what is written here, the system has."""

    def __init__(self, seen: Seen, file: Any, mode: str) -> None:
        super().__init__(file, mode)
        self._seen = seen

    def write(self, data: Any) -> int:
        self._seen(Change("write", self.fileno(), bytes(data)))
        return super().write(data)


class Kill:
    """SIGKILL at the `at`-th change that counts: before it or, where it writes, in its middle."""

    def __init__(
        self, at: int, *, half: bool, counts: Callable[[Change], bool] = lambda _: True
    ) -> None:
        self._at, self._half, self._counts = at, half, counts
        self._count = 0

    def __call__(self, change: Change) -> None:
        self._count += self._counts(change)
        if self._count == self._at and self._counts(change):
            if self._half:
                write(change.file, change.data[: len(change.data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)


def kills(changes: Sequence[Change]) -> list[tuple[int, bool]]:
    """Those that are tried: the number of a change, and whether in the middle of what it writes."""
    numbers = range(1, len(changes) + 1)
    halves = [at for at in numbers if changes[at - 1].call == "write"]
    before = [(at, False) for at in tried(numbers)]
    return before + [(at, True) for at in tried(halves, way=1)]


def killing(pattern: str, *, at: float, count: Path) -> dict[str, str]:
    """The environment of a command that is killed, as `tests/killed` says."""
    count.unlink(missing_ok=True)
    tests = Path(__file__).parent
    path = [str(tests / "killed"), str(tests.parent), os.environ.get("PYTHONPATH", "")]
    ours = {"PATTERN": pattern, "AT": str(at), "COUNT": str(count)}
    return os.environ | ours | {"PYTHONPATH": os.pathsep.join(path)}
