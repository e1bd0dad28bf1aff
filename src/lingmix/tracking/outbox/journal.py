"""What a run has to tell MLflow, on disk before any of it is sent."""

import errno
import fcntl
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

from lingmix.atomic import atomic_file, no_follow, opened
from lingmix.errors import InputError

JOURNAL, SENT = "journal.jsonl", "sent.json"

Record = dict[str, Any]
"""`at`, in milliseconds, and one of `begin`, `metrics` with `step`, `files`, `end`. On disk a line
also has its own checksum, `sum`, and the byte `from` which it was written on: a line that was
changed, lost or moved is found out."""

HEAD = b'{"sum": "%08x", '
BODY = len(HEAD % 0)


class Journal:
    """Appends records, whole or not at all; what a crash cut short is dropped.

    A line is safe from the end of the process at once, from a power loss when `keep` has been
    called.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.last_steps: dict[str, int] = {}
        refuse_damaged(folder)
        size = 0
        for record, end in read(folder):
            size = end
            for name in record.get("metrics", ()):
                self.last_steps[name] = max(record["step"], self.last_steps.get(name, -1))
        self._open()
        self.cut(size)

    def _open(self) -> None:
        self._file = no_follow(self.folder / JOURNAL, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        self._turn = threading.Lock()

    def __getstate__(self) -> Record:
        """For the processes that a training on several devices starts: they open it anew."""
        return {"folder": self.folder, "last_steps": self.last_steps}

    def __setstate__(self, state: Record) -> None:
        vars(self).update(state)
        self._open()

    def append(self, **record: Any) -> None:
        with self._locked():
            self._write(_line(self.size, {"at": int(time.time() * 1000), **record}))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """By one thread of one process: the load of the machine is written beside the training."""
        with self._turn:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def _write(self, data: bytes) -> None:
        size = self.size
        try:
            if os.write(self._file, data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self.cut(size)
            raise InputError(
                f"output_dir: the record of the run does not fit into {self.folder} "
                f"({error.strerror}); make room and start the same command again, which goes on "
                "from the newest checkpoint"
            ) from error

    @property
    def size(self) -> int:
        return os.fstat(self._file).st_size

    def cut(self, size: int) -> None:
        """Forgets what came after; where some of that was sent, all is to be sent again."""
        os.ftruncate(self._file, size)
        if sent(self.folder).get("end", 0) > size:
            (self.folder / SENT).unlink()

    def keep(self) -> None:
        os.fsync(self._file)

    def close(self) -> None:
        os.close(self._file)


class Damage(NamedTuple):
    """Lines of a journal that cannot be read, by number, and how many bytes of records are gone."""

    path: Path
    lines: list[int]
    lost: int

    def __str__(self) -> str:
        shown = ", ".join(str(line) for line in self.lines[:5])
        more = f" and {len(self.lines) - 5} more" if len(self.lines) > 5 else ""
        found = [f"line {shown}{more} cannot be read"] if self.lines else []
        found += [f"{self.lost} bytes of records are missing"] if self.lost else []
        return f"{self.path}: {', '.join(found)}"


def read(folder: Path, start: int = 0) -> Iterator[tuple[Record, int]]:
    """Whole records from a byte on, and the byte that each ends before.

    Damaged lines are passed over, and lines out of their place are read in it; `damage` says what
    is lost. What a crash cut short, at the very end, is no record yet.
    """
    path = folder / JOURNAL
    if not path.exists():
        return
    with opened(path, "rb") as file:
        file.seek(start)
        for line in file:
            if (record := _record(line)) is None or record["from"] != start:
                break
            start += len(line)
            yield record, start
        else:
            if os.fstat(file.fileno()).st_size >= start:
                return
        file.seek(0)
        found = _in_place(file)
    for begin in sorted(one for one in found if one >= start):
        yield found[begin]


def damage(folder: Path) -> Damage | None:
    """What of the journal cannot be read; a last line without its end was never written whole."""
    path = folder / JOURNAL
    if not path.exists():
        return None
    with opened(path, "rb") as file:
        lines = [n for n, line in enumerate(file, 1) if line.endswith(b"\n") and not _record(line)]
        file.seek(0)
        found = _in_place(file)
    end = lost = 0
    for begin in sorted(found):
        lost += begin - end
        end = found[begin][1]
    return Damage(path, lines, lost) if lines or lost else None


def refuse_damaged(folder: Path) -> None:
    if found := damage(folder):
        raise InputError(f"{found}; `lingmix-sync` sends the rest, remove {folder} to train anew")


def _in_place(file: Iterator[bytes]) -> dict[int, tuple[Record, int]]:
    """Whole records by the byte they were written from; a line that is there twice is one."""
    found = {}
    for line in file:
        if record := _record(line):
            found[record["from"]] = record, record["from"] + len(line)
    return found


def _line(start: int, record: Record) -> bytes:
    body = json.dumps({"from": start, **record}, default=str)[1:].encode()
    return HEAD % crc32(body) + body + b"\n"


def _record(line: bytes) -> Record | None:
    """None for a line that was not written so, or not to its end."""
    body = line.removesuffix(b"\n")[BODY:]
    if line[:BODY] != HEAD % crc32(body) or not line.endswith(b"\n"):
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record.get("from"), int) else None


def sent(folder: Path) -> Mapping[str, Any]:
    """How far it has been sent: the store's `uri`, the `run_id` there, the `end` of the last
    record. Nothing where the note cannot be read: sending again does no harm."""
    try:
        with opened(folder / SENT, "rb") as file:
            return _record(file.readline()) or {}
    except FileNotFoundError:
        return {}


def keep_sent(folder: Path, **progress: Any) -> None:
    """Sending the same again does no harm, so a power loss may undo it."""
    with atomic_file(folder / SENT) as file:
        file.write(_line(0, progress))


def unsent(folder: Path) -> int:
    """Records that no store has yet."""
    return sum(1 for _ in read(folder, sent(folder).get("end", 0)))


def ended(folder: Path) -> str | None:
    """The state that the run's last attempt came to."""
    state = None
    for record, _ in read(folder):
        if "begin" in record:
            state = None
        elif "end" in record:
            state = record["end"]["state"]
    return state


def begun(folder: Path) -> Record | None:
    """How its last attempt began."""
    found = [record["begin"] for record, _ in read(folder) if "begin" in record]
    return found[-1] if found else None


def last_values(folder: Path) -> dict[str, float]:
    """The newest value of each metric."""
    return {
        name: value
        for record, _ in read(folder)
        for name, value in record.get("metrics", {}).items()
    }
