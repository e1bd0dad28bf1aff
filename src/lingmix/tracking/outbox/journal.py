"""The journal of a run: every record for MLflow is on disk before it is sent."""

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

from lingmix.atomic import atomic_file, no_follow, open_no_symlink
from lingmix.errors import InputError

JOURNAL, SENT = "journal.jsonl", "sent.json"

Record = dict[str, Any]
"""A time `at`, in milliseconds, and one of `begin`, `metrics` with `step`, `files`, `end`. On disk,
a line also has its checksum `sum` and its byte offset `from`, by which a changed, lost or moved
line is detected."""

HEAD = b'{"sum": "%08x", '
BODY = len(HEAD % 0)


class Journal:
    """Appends records atomically; opening it drops a last record that a crash cut short.

    A record survives the end of the process at once, and a power loss once `sync` was called.
    Raises InputError where the journal in `folder` is damaged.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.last_steps: dict[str, int] = {}
        require_undamaged(folder)
        size = 0
        for record, end in read_records(folder):
            size = end
            for name in record.get("metrics", ()):
                self.last_steps[name] = max(record["step"], self.last_steps.get(name, -1))
        self._open()
        self.truncate(size)

    def _open(self) -> None:
        self._file = no_follow(self.folder / JOURNAL, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        self._thread_lock = threading.Lock()

    def __getstate__(self) -> Record:
        """Pickled for the processes of a training on several devices, which open the file anew."""
        return {"folder": self.folder, "last_steps": self.last_steps}

    def __setstate__(self, state: Record) -> None:
        vars(self).update(state)
        self._open()

    def append(self, **record: Any) -> None:
        """Append a record; raise InputError where the disk is full."""
        with self._locked():
            self._write(_line(self.size, {"at": int(time.time() * 1000), **record}))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        # a lock for threads and one for processes: system metrics are written beside the training
        with self._thread_lock:
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
            self.truncate(size)
            raise InputError(
                f"output_dir: the record of the run does not fit into {self.folder} "
                f"({error.strerror}); make room and run the same command to resume from the "
                "newest checkpoint"
            ) from error

    @property
    def size(self) -> int:
        return os.fstat(self._file).st_size

    def truncate(self, size: int) -> None:
        """Drop records after a byte; where one of them was sent, all will be sent again."""
        os.ftruncate(self._file, size)
        if read_progress(self.folder).get("end", 0) > size:
            (self.folder / SENT).unlink()

    def sync(self) -> None:
        os.fsync(self._file)

    def close(self) -> None:
        os.close(self._file)


class Damage(NamedTuple):
    """Lines of a journal that cannot be read, by number, and the bytes of records that are lost."""

    path: Path
    lines: list[int]
    lost: int

    def __str__(self) -> str:
        shown = ", ".join(str(line) for line in self.lines[:5])
        more = f" and {len(self.lines) - 5} more" if len(self.lines) > 5 else ""
        found = [f"line {shown}{more} cannot be read"] if self.lines else []
        found += [f"{self.lost} bytes of records are missing"] if self.lost else []
        return f"{self.path}: {', '.join(found)}"


def read_records(folder: Path, start: int = 0) -> Iterator[tuple[Record, int]]:
    """Yield the records from a byte on, and the byte that each ends before.

    Damaged lines are skipped and moved lines are read in their places; `find_damage` reports what
    is lost. A last record that a crash cut short is none yet.
    """
    path = folder / JOURNAL
    if not path.exists():
        return
    with open_no_symlink(path, "rb") as file:
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
    for begin in sorted(offset for offset in found if offset >= start):
        yield found[begin]


def find_damage(folder: Path) -> Damage | None:
    """Return what of the journal is damaged, or None; an unfinished last line does not count."""
    path = folder / JOURNAL
    if not path.exists():
        return None
    with open_no_symlink(path, "rb") as file:
        lines = [n for n, line in enumerate(file, 1) if line.endswith(b"\n") and not _record(line)]
        file.seek(0)
        found = _in_place(file)
    end = lost = 0
    for begin in sorted(found):
        lost += begin - end
        end = found[begin][1]
    return Damage(path, lines, lost) if lines or lost else None


def require_undamaged(folder: Path) -> None:
    """Raise InputError where the journal is damaged."""
    if found := find_damage(folder):
        raise InputError(f"{found}; `lingmix-sync` sends the rest, remove {folder} to train anew")


def _in_place(file: Iterator[bytes]) -> dict[int, tuple[Record, int]]:
    """Records and their ends by the offset they were written at; a repeated line is one record."""
    found = {}
    for line in file:
        if record := _record(line):
            found[record["from"]] = record, record["from"] + len(line)
    return found


def _line(start: int, record: Record) -> bytes:
    body = json.dumps({"from": start, **record}, default=str)[1:].encode()
    return HEAD % crc32(body) + body + b"\n"


def _record(line: bytes) -> Record | None:
    """The record of a line; None where the checksum is wrong or the line is unfinished."""
    body = line.removesuffix(b"\n")[BODY:]
    if line[:BODY] != HEAD % crc32(body) or not line.endswith(b"\n"):
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record.get("from"), int) else None


def read_progress(folder: Path) -> Mapping[str, Any]:
    """Return how far the journal was sent: the store's `uri`, the `run_id` there, and the `end` of
    the last record sent; empty where the file is missing or damaged, as sending is idempotent."""
    try:
        with open_no_symlink(folder / SENT, "rb") as file:
            return _record(file.readline()) or {}
    except FileNotFoundError:
        return {}


def write_progress(folder: Path, **progress: Any) -> None:
    """Write how far the journal was sent; a power loss may undo it, as sending is idempotent."""
    with atomic_file(folder / SENT) as file:
        file.write(_line(0, progress))


def count_unsent(folder: Path) -> int:
    """Return how many records are not sent yet."""
    return sum(1 for _ in read_records(folder, read_progress(folder).get("end", 0)))


def final_state(folder: Path) -> str | None:
    """Return the state in which the run's last attempt ended; None while it has not."""
    state = None
    for record, _ in read_records(folder):
        if "begin" in record:
            state = None
        elif "end" in record:
            state = record["end"]["state"]
    return state


def last_begin(folder: Path) -> Record | None:
    """Return the `begin` of the run's last attempt."""
    found = [record["begin"] for record, _ in read_records(folder) if "begin" in record]
    return found[-1] if found else None


def newest_metrics(folder: Path) -> dict[str, float]:
    """Return the newest value of each metric."""
    return {
        name: value
        for record, _ in read_records(folder)
        for name, value in record.get("metrics", {}).items()
    }
