"""The journal of requests: what was sent, what came back and what it cost."""

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any
from zlib import crc32

from lingmix.atomic import no_follow
from lingmix.augmentation.budget import Cost
from lingmix.errors import InputError
from lingmix.locks import exclusive
from lingmix.terminal import say

NAME = "requests.jsonl"

Record = Mapping[str, Any]


class Journal:
    """The records of all requests to a model, in a folder; each is synced to disk when written.

    `{"sent": key, "cost": most}` precedes a request that is paid for, `{"failed": key, "cost":
    change}` says that it was refused or reached no server, `{"answer": key, ..., "cost": change}`
    has its answer. The costs add up to what was spent; a request whose answer never came is charged
    at the most. A last line that a crash cut short is removed; any other damage raises InputError.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self.spent = Cost()
        self.attempts: Counter[str] = Counter()
        self._answers: dict[str, Record] = {}
        self._lock = Lock()
        self._file = no_follow(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        for record in self._read():
            self._note(record)

    def answer(self, key: str) -> Record | None:
        """Return the record of the answer to a request, if there is one."""
        return self._answers.get(key)

    def append(self, *records: Record) -> None:
        """Write records together; they are on disk when this returns."""
        data = b"".join(map(_line, records))
        with self._lock:
            size = os.fstat(self._file).st_size
            try:
                while data:
                    data = data[os.write(self._file, data) :]
                os.fsync(self._file)
            except OSError:
                os.ftruncate(self._file, size)
                raise
            for record in records:
                self._note(record)

    def close(self) -> None:
        os.close(self._file)

    def _note(self, record: Record) -> None:
        self.spent = self.spent.plus(Cost(*record.get("cost", ())))
        if "sent" in record:
            self.attempts[record["sent"]] += 1
        elif "answer" in record:
            self._answers[record["answer"]] = record

    def _read(self) -> Iterator[Record]:
        end = 0
        with os.fdopen(os.dup(self._file), "rb") as file:
            file.seek(0)
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    break
                if (record := _record(line)) is None:
                    raise InputError(
                        f"{self.path}:{number}: the line is damaged; restore the file, or remove "
                        "the line, and its request is sent again"
                    )
                end += len(line)
                yield record
        os.ftruncate(self._file, end)


@contextmanager
def open_journal(folder: Path) -> Iterator[Journal]:
    """Open the journal in a folder; a process that has it open is waited for."""
    with exclusive(folder / "lock", busy=lambda: say(f"{folder}: waiting for another process")):
        journal = Journal(folder)
        try:
            yield journal
        finally:
            journal.close()


def _line(record: Record) -> bytes:
    body = json.dumps(record, ensure_ascii=False).encode()
    return b"%08x %s\n" % (crc32(body), body)


def _record(line: bytes) -> Record | None:
    checksum, _, body = line.rstrip(b"\n").partition(b" ")
    return json.loads(body) if checksum == b"%08x" % crc32(body) else None
