"""Coordinates the ranks of one run outside training, over torch.distributed's key-value store.

torch.distributed's barrier and broadcast run into a time limit where a rank has failed, with a
traceback on each of the others. Here the first failure ends all ranks at once, and rank 0 prints
the one line that says what was wrong with the input.
"""

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self, TypeVar

from torch._C._distributed_c10d import Store

from lingmix.errors import InputError

T = TypeVar("T")

ARRIVAL = 300.0
"""Seconds in which all ranks must have started."""

FAREWELL = 10.0
"""Seconds that a rank waits for the others at its end."""

DONE, FAILED, PRINTED = "done", "failed", "printed"


class _FailedElsewhereError(Exception):
    """Another rank has recorded why it ends."""


class RankGroup:
    """The ranks of one run; a run of one process has no `store` and never waits.

    If one rank fails, all leave the `with` block, as they do when rank 0 leaves it. Collective
    calls are numbered, so all ranks must make the same ones in the same order.
    """

    def __init__(self, store: Store | None, *, rank: int, started: int | None) -> None:
        self.rank, self.count = rank, started or 1
        self._store = store
        self._started = started
        self._calls = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._store is None:
            return
        try:
            if error is None:
                self._leave(self._store)
        except BaseException as found:
            error = found
        if error is not None:
            ending = self._ending(error, self._store)
            with suppress(RuntimeError):
                self._store.set(f"left {self.rank}", "")
            raise ending from error.__cause__

    def assemble(self, *, devices: int, nodes: int) -> None:
        """Waits until all ranks have started. Raises InputError unless there is one per device."""
        if self._started is None and nodes > 1:
            raise InputError(
                f"trainer.num_nodes: {nodes} nodes need a launcher on each (torchrun, srun) that "
                f"starts trainer.devices ({devices}) processes there"
            )
        if self._started is not None and devices * nodes != self._started:
            raise InputError(
                f"trainer.devices: {devices} on each of trainer.num_nodes ({nodes}) nodes are "
                f"{devices * nodes} processes, the launcher has started {self._started}; make them "
                "equal"
            )
        self.on_all_ranks(lambda: None, within=ARRIVAL)

    def on_rank_zero(self, work: Callable[[], str]) -> str:
        """Does the work on rank 0 only, and broadcasts its result."""
        if self.rank:
            return self.receive()
        result = work()
        self.broadcast(result)
        return result

    def broadcast(self, text: str) -> None:
        """Sends a text from rank 0, which all others must `receive`."""
        self._calls += 1
        if self._store is not None:
            self._store.set(f"call {self._calls}", text)

    def receive(self) -> str:
        """Waits for the next broadcast of rank 0."""
        assert self._store is not None
        self._calls += 1
        self._wait(f"call {self._calls}")
        return self._store.get(f"call {self._calls}").decode()

    def on_all_ranks(self, work: Callable[[], T], *, within: float | None = None) -> T:
        """Does the work and waits at a barrier; returns this rank's result when all have done it.

        Raises InputError where a rank has not come within `within` seconds.
        """
        result = work()
        if self._store is not None:
            self._calls += 1
            self._store.set(f"call {self._calls} of {self.rank}", "")
            keys = [f"call {self._calls} of {rank}" for rank in range(self.count)]
            self._wait(*keys, within=within)
        return result

    def error_is_printed(self) -> None:
        """Is called when rank 0 exits, after the interpreter has printed the error: lets the other
        ranks exit, and waits for them if rank 0 serves the store."""
        assert self._store is not None
        with suppress(RuntimeError):
            self._store.set(PRINTED, "")
            if not torchrun_serves_the_store():
                self._wait_until_left(self._store)

    def _leave(self, store: Store) -> None:
        """Rank 0 leaves last, as it may serve the store; the others exit when it is done."""
        if self.rank:
            self._wait(DONE)
            raise SystemExit(0)
        store.set(DONE, "")
        self._wait_until_left(store)

    def _wait_until_left(self, store: Store) -> None:
        started, keys = time.monotonic(), [f"left {rank}" for rank in range(1, self.count)]
        while not store.check(keys) and time.monotonic() - started < FAREWELL:
            time.sleep(0.05)

    def _ending(self, error: BaseException, store: Store) -> BaseException:
        """Records the error for the other ranks, unless another was first; returns what this rank
        is to raise. Rank 0 prints the line of an InputError; a rank that failed first with another
        error prints its traceback."""
        if isinstance(error, SystemExit) and error.code == 0:
            return error
        try:
            failure = {"rank": self.rank, "status": _status(error), "line": _line(error)}
            first = json.loads(store.compare_set(FAILED, "", json.dumps(failure)))
        except RuntimeError:  # rank 0 has exited, and its store
            return SystemExit(_status(error))
        if isinstance(error, SystemExit):
            return error
        if self.rank == 0:
            raised_here = isinstance(error, InputError) or first["rank"] == 0
            return error if raised_here else InputError(f"rank {first['rank']}: {first['line']}")
        if first["rank"] == self.rank and not isinstance(error, InputError):
            return error
        with suppress(RuntimeError, InputError):  # a launcher kills all ranks when one exits
            self._wait(PRINTED, within=FAREWELL, despite_failure=True)
        return SystemExit(first["status"])

    def _wait(self, *keys: str, within: float | None = None, despite_failure: bool = False) -> None:
        assert self._store is not None
        started = time.monotonic()
        while not self._store.check(list(keys)):
            if self._store.check([FAILED]) and not despite_failure:
                raise _FailedElsewhereError
            if self.rank and self._store.check([DONE]) and not self._store.check(list(keys)):
                raise SystemExit(0)
            if within is not None and time.monotonic() - started > within:
                missing = [key for key in keys if not self._store.check([key])]
                raise InputError(
                    f"trainer.devices: {len(missing)} of the {self.count} processes that the "
                    f"launcher names have not started within {within:.0f} s; start all of them "
                    "(srun, or torchrun on every node)"
                )
            time.sleep(0.05)


def torchrun_serves_the_store() -> bool:
    """Whether torchrun's agent, which outlives the ranks, serves their key-value store."""
    return os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"


def _status(error: BaseException) -> int:
    code = error.code if isinstance(error, SystemExit) else 1
    return code if isinstance(code, int) else 1


def _line(error: BaseException) -> str:
    kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
    return kind + " ".join(str(error).split())
