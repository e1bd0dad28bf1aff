"""A database that fails at one statement of SQL, chosen by its number."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event

WRITES = ("INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP")

Fault = Callable[[Connection], None]


class Statements:
    """Counts what this process asks of its databases, and does something before the `at`-th: of
    those that write, if `writes`, and before all that follow it, if `onwards`."""

    def __init__(self) -> None:
        self.repair()

    def arm(self, fault: Fault, *, at: int, writes: bool = False, onwards: bool = False) -> None:
        self.asked: list[str] = []
        self._fault, self._at, self._writes, self._onwards = fault, at, writes, onwards

    def repair(self) -> None:
        self.arm(lambda _: None, at=0)

    @property
    def writes(self) -> list[str]:
        return [one for one in self.asked if one.startswith(WRITES)]

    def executed(self, *arguments: Any) -> tuple[str, Any]:
        connection, _, statement, parameters, *_ = arguments
        self._count(connection, statement)
        # MLflow has SQLite wait for 20 s at each statement
        return statement.replace("busy_timeout = 20000", "busy_timeout = 200"), parameters

    def committed(self, connection: Connection) -> None:
        self._count(connection, "COMMIT")

    def _count(self, connection: Connection, statement: str) -> None:
        self.asked.append(statement)
        counts = statement.startswith(WRITES) or not self._writes
        count = len(self.writes if self._writes else self.asked)
        if (counts and count == self._at) or (self._onwards and self._at and count >= self._at):
            self._fault(connection)


@contextmanager
def counted() -> Iterator[Statements]:
    """Those of the whole process until the block ends."""
    statements = Statements()
    listeners = {"before_cursor_execute": statements.executed, "commit": statements.committed}
    for name, listener in listeners.items():
        event.listen(Engine, name, listener, retval=name == "before_cursor_execute")
    try:
        yield statements
    finally:
        for name, listener in listeners.items():
            event.remove(Engine, name, listener)
