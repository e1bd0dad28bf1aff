"""One run in several processes that a launcher (torchrun, srun) has started: rank 0 speaks."""

import atexit
import io
import json
import logging
import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout, suppress
from datetime import timedelta
from typing import Self, TypeVar

from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.utilities.rank_zero import rank_zero_only
from torch._C._distributed_c10d import PrefixStore, Store, TCPStore

from lingmix.errors import InputError
from lingmix.launchers import launcher

T = TypeVar("T")

ARRIVAL = 300.0
"""Seconds in which all ranks must have started."""

FAREWELL = 10.0
"""Seconds that a rank waits for the others when it leaves."""

DONE, FAILED, SAID = "done", "failed", "said"


class _FailedElsewhereError(Exception):
    """Another rank has said why it ends."""


class Ranks:
    """What the processes of a run tell each other outside the training; alone, nothing.

    The block that they enter ends on all: as rank 0 ends it, or where one of them fails.
    """

    def __init__(self, store: Store | None, *, rank: int, started: int | None) -> None:
        self.rank, self.count = rank, started or 1
        self._store = store
        self._started = started
        self._turn = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._store is None:
            return
        try:
            if error is None:
                self._part(self._store)
        except BaseException as found:
            error = found
        if error is not None:
            ending = self._ending(error, self._store)
            with suppress(RuntimeError):
                self._store.set(f"left {self.rank}", "")
            raise ending from error.__cause__

    def assemble(self, *, devices: int, nodes: int) -> None:
        """Once all have come, as many as there are devices."""
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
        self.each(lambda: None, within=ARRIVAL)

    def once(self, work: Callable[[], str]) -> str:
        """What it gives on rank 0, which alone does it."""
        if self.rank:
            return self.hear()
        said = work()
        self.tell(said)
        return said

    def tell(self, text: str) -> None:
        self._turn += 1
        if self._store is not None:
            self._store.set(f"turn {self._turn}", text)

    def hear(self) -> str:
        """The next that rank 0 tells."""
        assert self._store is not None
        self._turn += 1
        self._wait(f"turn {self._turn}")
        return self._store.get(f"turn {self._turn}").decode()

    def each(self, work: Callable[[], T], *, within: float | None = None) -> T:
        """What it gives here, when every rank has done it."""
        result = work()
        if self._store is not None:
            self._turn += 1
            self._store.set(f"turn {self._turn} of {self.rank}", "")
            keys = [f"turn {self._turn} of {rank}" for rank in range(self.count)]
            self._wait(*keys, within=within)
        return result

    def _part(self, store: Store) -> None:
        """Rank 0 goes last, the store may be its own; here the others end once it has done all."""
        if self.rank:
            self._wait(DONE)
            raise SystemExit(0)
        store.set(DONE, "")
        self._see_off(store)

    def say(self) -> None:
        """At the exit of rank 0: the interpreter has printed why it ends."""
        assert self._store is not None
        with suppress(RuntimeError):
            self._store.set(SAID, "")
            if not _torchrun_keeps_the_store():
                self._see_off(self._store)

    def _see_off(self, store: Store) -> None:
        began, others = time.monotonic(), [f"left {rank}" for rank in range(1, self.count)]
        while not store.check(others) and time.monotonic() - began < FAREWELL:
            time.sleep(0.05)

    def _ending(self, error: BaseException, store: Store) -> BaseException:
        """What this rank is to end with, told to the others. Rank 0 says the line of what is wrong
        with the input, any rank the trace of what went wrong with it first."""
        if isinstance(error, SystemExit) and error.code == 0:
            return error
        try:
            own = {"rank": self.rank, "status": _status(error), "line": _line(error)}
            first = json.loads(store.compare_set(FAILED, "", json.dumps(own)))
        except RuntimeError:  # rank 0 has gone, and its store
            return SystemExit(_status(error))
        if isinstance(error, SystemExit):
            return error
        if self.rank == 0:
            own_line = isinstance(error, InputError) or first["rank"] == 0
            return error if own_line else InputError(f"rank {first['rank']}: {first['line']}")
        if first["rank"] == self.rank and not isinstance(error, InputError):
            return error
        with suppress(RuntimeError, InputError):  # a launcher ends all when the first leaves
            self._wait(SAID, within=FAREWELL, whatever=True)
        return SystemExit(first["status"])

    def _wait(self, *keys: str, within: float | None = None, whatever: bool = False) -> None:
        assert self._store is not None
        began = time.monotonic()
        while not self._store.check(list(keys)):
            if self._store.check([FAILED]) and not whatever:
                raise _FailedElsewhereError
            if self.rank and self._store.check([DONE]):
                raise SystemExit(0)
            if within is not None and time.monotonic() - began > within:
                missing = [key for key in keys if not self._store.check([key])]
                raise InputError(
                    f"trainer.devices: {len(missing)} of the {self.count} processes that the "
                    f"launcher speaks of have not come within {within:.0f} s; start all of them "
                    "(srun, or torchrun on every node)"
                )
            time.sleep(0.05)


@contextmanager
def launched() -> Iterator[Ranks]:
    """The ranks of this run until the block has ended on all of them."""
    environment = _environment()
    started = environment.world_size() if environment else None
    _rank_is(environment)
    if environment is None or started == 1:
        yield Ranks(None, rank=0, started=started)
        return
    rank = environment.global_rank()
    ranks = Ranks(_store(environment), rank=rank, started=started)
    if rank == 0:
        atexit.register(ranks.say)
    with _silent() if rank else nullcontext(), ranks:
        yield ranks


def environments() -> list[ClusterEnvironment]:
    """The one that Lightning must take, which looks for others too; under Slurm, one that leaves
    its signals to us."""
    return [_environment() or LightningEnvironment()]


def refuse_sweep() -> None:
    with launched() as ranks:
        if ranks.count > 1:
            raise InputError(
                "-m: a sweep starts its own processes; start it without torchrun or srun, or its "
                "runs one by one with it"
            )


def refuse_several(door: str) -> None:
    """For a command that is one process; rank 0 says so."""
    environment = _environment()
    _rank_is(environment)
    if environment is None or environment.world_size() == 1:
        return
    if environment.global_rank():
        raise SystemExit(1)
    raise InputError(
        f"lingmix-{door} is one process, the launcher has started {environment.world_size()}; "
        "start it without torchrun or srun"
    )


def _environment() -> ClusterEnvironment | None:
    warnings.filterwarnings("ignore", message="The `srun` command is available")
    try:
        match launcher():
            case "torchrun":
                return TorchElasticEnvironment()
            case "srun":
                return SLURMEnvironment(auto_requeue=False)
            case None:
                return None
    except RuntimeError as error:
        raise InputError(f"srun: {' '.join(str(error).split())}") from error


def _rank_is(environment: ClusterEnvironment | None) -> None:
    """Lightning took its rank from whatever variable it found when it was imported."""
    rank_zero_only.rank = environment.global_rank() if environment else 0  # type: ignore[attr-defined]


def _store(environment: ClusterEnvironment) -> Store:
    """That of torchrun, or else of rank 0, on the port that the training's own will share."""
    rank, address = environment.global_rank(), environment.main_address
    try:
        store = TCPStore(
            address,
            environment.main_port,
            is_master=rank == 0 and not _torchrun_keeps_the_store(),
            timeout=timedelta(seconds=ARRIVAL),
            wait_for_workers=False,
            multi_tenant=True,
        )
    except RuntimeError as error:
        raise InputError(
            f"MASTER_PORT: the processes cannot meet at {address}:{environment.main_port} "
            f"({str(error).splitlines()[0]}); name a free port"
        ) from error
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    return PrefixStore(f"lingmix {attempt}", store)


def _torchrun_keeps_the_store() -> bool:
    return os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"


@contextmanager
def _silent() -> Iterator[None]:
    logging.disable(logging.WARNING)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)


def _status(error: BaseException) -> int:
    code = error.code if isinstance(error, SystemExit) else 1
    return code if isinstance(code, int) else 1


def _line(error: BaseException) -> str:
    kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
    return kind + " ".join(str(error).split())
