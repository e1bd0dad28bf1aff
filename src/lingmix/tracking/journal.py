"""What a run has to tell MLflow, on disk before any of it is sent."""

import errno
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lingmix.errors import InputError

JOURNAL, SENT = "journal.jsonl", "sent.json"

Record = dict[str, Any]
"""`at`, in milliseconds, and one of `begin`, `metrics` with `step`, `files`, `end`."""


class Journal:
    """Appends records, whole or not at all; what a crash cut short is dropped.

    A line is safe from the end of the process at once, from a power loss when `keep` has been
    called.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.last_steps: dict[str, int] = {}
        size = 0
        for record, end in read(folder):
            size = end
            for name in record.get("metrics", ()):
                self.last_steps[name] = max(record["step"], self.last_steps.get(name, -1))
        self._open()
        self.cut(size)

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
        self._file = os.open(self.folder / JOURNAL, flags, 0o644)
        self._turn = threading.Lock()

    def __getstate__(self) -> Record:
        """For the processes that a training on several devices starts: they open it anew."""
        return {"folder": self.folder, "last_steps": self.last_steps}

    def __setstate__(self, state: Record) -> None:
        vars(self).update(state)
        self._open()

    def append(self, **record: Any) -> None:
        line = json.dumps({"at": int(time.time() * 1000), **record}, default=str) + "\n"
        with self._turn:
            self._write(line.encode())

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


def read(folder: Path, start: int = 0) -> Iterator[tuple[Record, int]]:
    """Whole records from a byte on, and the byte that each ends before."""
    path = folder / JOURNAL
    if not path.exists():
        return
    with path.open("rb") as file:
        file.seek(start)
        for line in file:
            start += len(line)
            if not line.endswith(b"\n"):
                return
            try:
                record = json.loads(line)
            except ValueError:
                return
            yield record, start


def sent(folder: Path) -> Mapping[str, Any]:
    """How far it has been sent: the store's `uri`, the `run_id` there, the `end` of the last
    record."""
    try:
        return json.loads((folder / SENT).read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return {}


def keep_sent(folder: Path, **progress: Any) -> None:
    """Sending the same again does no harm, so a power loss may undo it."""
    unfinished = folder / f"{SENT}.unfinished"
    unfinished.write_text(json.dumps(progress), encoding="utf-8")
    unfinished.replace(folder / SENT)


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
